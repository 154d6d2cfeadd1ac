// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes the messages of the link: bytes are read as each kind of message, and what can be read
 * must come back the same after it was written.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lib/link/edges.h"
#include "lib/link/message.h"
#include "lib/link/node_facts.h"
#include "lib/link/peers.h"
#include "lib/link/report.h"
#include "lib/link/selection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_hello(const cJSON *message)
{
	struct hello hello, again;
	struct error error;
	cJSON *json;

	if (hello_decode(message, &hello, &error) < 0)
		return;
	json = hello_encode(&hello);
	if (hello_decode(json, &again, &error) < 0 ||
	    again.applied.revision != hello.applied.revision)
		abort();
	cJSON_Delete(json);
}

static void try_token(const cJSON *message)
{
	const char *token, *again;
	cJSON *json;

	if (token_decode(message, &token, NULL) < 0)
		return;
	json = token_encode(token);
	if (token_decode(json, &again, NULL) < 0 || strcmp(token, again) != 0)
		abort();
	cJSON_Delete(json);
}

static void try_pod(const cJSON *message)
{
	struct selected_pod *pod = NULL, *again = NULL;
	struct error error;
	cJSON *json;

	if (selected_pod_decode(message, &pod, &error) < 0)
		return;
	json = selected_pod_encode(pod);
	if (selected_pod_decode(json, &again, &error) < 0 || !selected_pod_equal(pod, again))
		abort();
	cJSON_Delete(json);
	selected_pod_free(pod);
	selected_pod_free(again);
}

static void try_selection(const cJSON *message)
{
	struct selection_change change;
	const cJSON *item;
	struct error error;

	if (selection_change_decode(message, &change, &error) < 0)
		return;
	cJSON_ArrayForEach(item, change.upsert)
		try_pod(item);
}

static void try_report(const cJSON *message)
{
	struct report report, again;
	struct error error;
	cJSON *json;

	if (report_decode(message, &report, &error) < 0)
		return;
	json = report_encode(&report);
	if (report_decode(json, &again, &error) < 0 ||
	    again.exception_count != report.exception_count)
		abort();
	cJSON_Delete(json);
	report_free(&report);
	report_free(&again);
}

static void try_lookup(const cJSON *message)
{
	struct lookup lookup, again;
	cJSON *json;

	if (lookup_decode(message, &lookup, NULL) < 0)
		return;
	json = lookup_encode(&lookup);
	if (lookup_decode(json, &again, NULL) < 0 || again.address_count != lookup.address_count ||
	    again.forget_count != lookup.forget_count ||
	    memcmp(again.addresses, lookup.addresses,
		   lookup.address_count * sizeof(lookup.addresses[0])) != 0)
		abort();
	cJSON_Delete(json);
}

static void try_peers(const cJSON *message)
{
	struct peer peer, again;
	cJSON *array;
	const cJSON *item;

	cJSON_ArrayForEach(item, peers_array(message)) {
		if (peer_decode(item, &peer, NULL) < 0)
			continue;
		array = cJSON_CreateArray();
		if (!peer_encode(array, &peer) ||
		    peer_decode(cJSON_GetArrayItem(array, 0), &again, NULL) < 0 ||
		    again.kind != peer.kind ||
		    memcmp(&again.address, &peer.address, sizeof(peer.address)) != 0)
			abort();
		cJSON_Delete(array);
	}
}

static void try_edge(const cJSON *item)
{
	struct reported_edge edge, again;
	cJSON *array;

	if (reported_edge_decode(item, &edge, NULL) < 0)
		return;
	array = cJSON_CreateArray();
	if (!reported_edge_encode(array, &edge, true) ||
	    reported_edge_decode(cJSON_GetArrayItem(array, 0), &again, NULL) < 0 ||
	    again.port != edge.port ||
	    memcmp(again.figures, edge.figures, sizeof(edge.figures)) != 0)
		abort();
	cJSON_Delete(array);
}

static void try_edges(const cJSON *message)
{
	struct edges_report report;
	const cJSON *item;

	if (edges_report_decode(message, &report, NULL) < 0)
		return;
	cJSON_ArrayForEach(item, report.edges)
		try_edge(item);
	cJSON_ArrayForEach(item, report.gone)
		try_edge(item);
}

/* What was cleaned stays as it is when it is cleaned again. */
static void try_node_facts(const cJSON *message)
{
	cJSON *facts = NULL, *again = NULL;

	if (node_facts_decode(message, &facts, NULL) < 0)
		return;
	if (node_facts_decode(facts, &again, NULL) < 0 || !cJSON_Compare(facts, again, true))
		abort();
	cJSON_Delete(facts);
	cJSON_Delete(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *message = cJSON_ParseWithLength((const char *)data, size);

	try_hello(message);
	try_token(message);
	try_selection(message);
	try_pod(message);
	try_report(message);
	try_lookup(message);
	try_peers(message);
	try_edges(message);
	try_node_facts(message);
	cJSON_Delete(message);
	return 0;
}
