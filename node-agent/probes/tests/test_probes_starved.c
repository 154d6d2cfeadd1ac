// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What probes keep in user space, without memory: it is counted, or counted as lost. */

#include "lib/base/tests/starve.h"

#include "lib/base/tests/parse.h"

#include "node-agent/probes/dns_names.h"
#include "node-agent/probes/dns_stream.h"
#include "node-agent/probes/dns_tracker.h"
#include "node-agent/probes/http_kinds.h"
#include "node-agent/budget/namespaces.h"
#include "node-agent/probes/http_templates.h"
#include "node-agent/probes/tcp_edges.h"

static void count_told(void *context, const struct dns_lookup *lookup)
{
	(void)lookup;
	++*(unsigned int *)context;
}

/* Each query is told when its answer comes, or counts as forgotten. */
static bool track(void *context)
{
	static const struct dns_message query = {.id = 1, .type = 1, .name = "a.example"};
	struct dns_budget budget = {0};
	unsigned int told = 0;
	struct dns_tracker *tracker = dns_tracker_new("shop", &budget, count_told, &told);
	uint64_t forgotten = 0;

	(void)context;
	for (uint16_t i = 0; tracker && i < 3; i++) {
		struct dns_message message = query;
		const struct dns_sighting sighting = {
			.time = 1000, .client_port = (uint16_t)(40000 + i), .message = &message};

		dns_tracker_ask(tracker, &sighting);
		message.is_answer = true;
		(void)dns_tracker_answer(tracker,
					 &sighting); /* of a query that was forgotten, no */
	}
	starve_pause();
	if (tracker) {
		forgotten = dns_tracker_forgotten(tracker);
		assert_int_equal(told + forgotten, 3);
	}
	dns_tracker_free(tracker);
	assert_int_equal(budget.used, 0);
	assert_null(budget.namespaces.table);
	return tracker && !forgotten;
}

/* A name for which there is no memory counts among the others. */
static bool admit_names(void *context)
{
	struct dns_names names = {0};
	const char *one = dns_names_admit(&names, "one", 3, 1, true);
	const char *two = dns_names_admit(&names, "two", 3, 1, true);
	bool done = strcmp(one, "one") == 0 && strcmp(two, "two") == 0;

	(void)context;
	assert_true(done || strcmp(one, DNS_NAMES_OTHER) == 0 || strcmp(two, DNS_NAMES_OTHER) == 0);
	dns_names_free(&names);
	return done;
}

static bool make_streams(void *context)
{
	struct dns_streams *streams = dns_streams_new();
	bool done = streams != NULL;

	(void)context;
	dns_streams_free(streams);
	return done;
}

static bool ensure_kinds(void *context)
{
	struct http_kinds kinds = {0};
	struct http_kind kind = {.port = 80};
	struct http_read_kind *entry, *next;
	bool done = true;

	(void)context;
	for (uint16_t i = 0; i < 2; i++, kind.port++) {
		entry = http_kinds_ensure(&kinds, &kind, 0);
		done &= entry && http_kinds_ensure(&kinds, &kind, 0) == entry;
	}
	HASH_ITER(hh, kinds.table, entry, next)
		http_kinds_remove(&kinds, entry);
	return done;
}

static bool join_namespaces(void *context)
{
	struct namespaces namespaces = {0};
	struct namespace *shop = namespaces_join(&namespaces, "shop");
	struct namespace *bank = namespaces_join(&namespaces, "bank");
	bool done = shop && bank;

	(void)context;
	namespaces_leave(&namespaces, shop);
	namespaces_leave(&namespaces, bank);
	assert_null(namespaces.table);
	return done;
}

static bool ensure_edges(void *context)
{
	struct tcp_edges edges = {0};
	struct tcp_edge_key key = {.port = 80};
	struct tcp_edge *edge, *next;
	bool done = true;

	(void)context;
	for (uint16_t i = 0; i < 2; i++, key.port++) {
		edge = tcp_edges_ensure(&edges, &key, 0);
		done &= edge && tcp_edges_ensure(&edges, &key, 0) == edge;
	}
	HASH_ITER(hh, edges.table, edge, next)
		tcp_edges_remove(&edges, edge);
	return done;
}

/* What is compiled is whole; that it takes more room than it needs is no harm. */
static bool compile(void *context)
{
	struct http_templates templates;
	bool done = http_templates_compile(context, 1, &templates) == 0;

	starve_pause();
	if (!done)
		return false;
	assert_false(templates.truncated);
	assert_int_equal(templates.count, 7);
	http_templates_free(&templates);
	return true;
}

static void survives_without_memory(void **state)
{
	cJSON *list = json_of("['/a/{b}', '/a/c/d', '/e/{f...}']");
	struct http_routes *routes = NULL;

	(void)state;
	assert_int_equal(http_routes_decode(list, &routes, NULL), 0);
	assert_true(starve(track, NULL) > 8);
	assert_int_equal(starve(admit_names, NULL), 2);
	assert_int_equal(starve(make_streams, NULL), 1);
	assert_int_equal(starve(ensure_kinds, NULL), 4);
	assert_int_equal(starve(join_namespaces, NULL), 6);
	assert_int_equal(starve(ensure_edges, NULL), 4);
	assert_true(starve_degrading(compile, routes) > 5);
	http_routes_release(routes);
	cJSON_Delete(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
