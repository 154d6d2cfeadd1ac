// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/local_edges.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "node-agent/edges/figures.h"

_Static_assert(EDGE_ADDRESS_SIZE == IP_ADDRESS_SIZE, "one form of addresses");

#define PORT_SIZE  8
#define OWN_LABELS 5 /* those of every edge */

static struct ip_address address_of(const uint8_t bytes[EDGE_ADDRESS_SIZE])
{
	struct ip_address address;

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	return address;
}

/*
 * Loopback (127.0.0.0/8, ::1), and the addresses that stand for it when they are connected to
 * (0.0.0.0, ::): within the pod.
 */
static bool is_within(const struct ip_address *address)
{
	static const uint8_t zero[15], mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t any_ipv4[4];
	const uint8_t *bytes = address->bytes;

	if (memcmp(bytes, zero, sizeof(zero)) == 0)
		return bytes[15] <= 1;
	if (memcmp(bytes, mapped, sizeof(mapped)) != 0)
		return false;
	return bytes[12] == 127 || memcmp(bytes + 12, any_ipv4, sizeof(any_ipv4)) == 0;
}

bool local_edges_find_peer(struct local_edges *edges, const struct selected_pod *pod,
			   const uint8_t bytes[EDGE_ADDRESS_SIZE], uint64_t now,
			   struct peer_identity *ret_peer)
{
	const struct ip_address address = address_of(bytes);

	if (is_within(&address)) {
		*ret_peer = (struct peer_identity){pod->workload_kind, pod->namespace,
						   pod->workload_name, false};
		return true;
	}
	if (!peer_cache_find(&edges->peers, &address, now, ret_peer))
		return false;
	if (ret_peer->is_outside)
		ret_peer->name = learnt_names_find(&edges->names, pod->uid, &address, now);
	return true;
}

static struct series_row *find_row(struct series_owner *owner, const struct series_layout *layout,
				   const struct edge *edge, const struct peer_identity *peer)
{
	char port[PORT_SIZE];
	struct metric_label labels[OWN_LABELS + EDGE_LABELS_LIMIT] = {
		{"role", edge->role == EDGE_CLIENT ? "client" : "server"},
		{"peer_kind", peer->kind},
		{"peer_namespace", peer->namespace},
		{"peer_name", peer->name},
		{"server_port", port},
	};
	size_t count = OWN_LABELS;

	snprintf(port, sizeof(port), "%u", edge->port);
	for (size_t i = 0; i < edge->label_count && i < EDGE_LABELS_LIMIT; i++)
		labels[count++] = edge->labels[i];
	return series_row(owner, layout, labels, count);
}

/* Has the operator told of the edge that the row counts. */
static void enter(struct local_edges *edges, struct series_row *row, const struct selected_pod *pod,
		  const struct series_layout *layout, const struct edge *edge,
		  const struct peer_identity *peer)
{
	const struct reported_edge reported = {
		.side = edge->role == EDGE_CLIENT ? SIDE_CLIENT : SIDE_SERVER,
		.protocol = figures_protocol(layout),
		.workload = {pod->namespace, pod->workload_kind, pod->workload_name},
		.peer = {peer->namespace, peer->kind, peer->name},
		.port = edge->port,
	};

	edge_book_enter(&edges->book, row, &reported,
			figures_are_errors(edge->labels, edge->label_count));
}

struct series_row *local_edges_row(struct local_edges *edges, const struct edge_source *source,
				   const struct series_layout *layout, const struct edge *edge,
				   uint64_t now)
{
	struct peer_identity peer;
	struct series_row *row;

	if (!local_edges_find_peer(edges, source->pod, edge->address, now, &peer))
		return NULL;
	row = find_row(source->series, layout, edge, &peer);
	if (!figures_protocol(layout))
		return row; /* none that the operator is told of */
	if (series_row_is_rest(row))
		edge_book_truncate(&edges->book);
	else if (!series_row_mark(row))
		enter(edges, row, source->pod, layout, edge, &peer);
	return row;
}

void local_edges_learn(struct local_edges *edges, const struct selected_pod *pod,
		       const uint8_t address[EDGE_ADDRESS_SIZE], const char *name, uint32_t ttl_s,
		       uint64_t now)
{
	const struct ip_address learnt = address_of(address);

	learnt_names_add(&edges->names, pod->namespace, pod->uid, &learnt, name, ttl_s, now);
}

void local_edges_forget_pod(struct local_edges *edges, const char *pod_uid)
{
	learnt_names_forget_pod(&edges->names, pod_uid);
}

static bool brings_news(const struct local_edges *edges, const cJSON *peers)
{
	const cJSON *item;
	struct peer peer;

	cJSON_ArrayForEach(item, peers)
		if (peer_decode(item, &peer, NULL) == 0 && peer_cache_is_news(&edges->peers, &peer))
			return true;
	return false;
}

void local_edges_answer(struct local_edges *edges, const cJSON *peers, void (*read)(void *context),
			void *context)
{
	const cJSON *item;

	if (brings_news(edges, peers))
		read(context);
	cJSON_ArrayForEach(item, peers) {
		struct error error;
		struct peer peer;

		if (peer_decode(item, &peer, &error) == 0)
			peer_cache_answer(&edges->peers, &peer);
		else
			log_warn("an answer of the operator is left out: %s", error.message);
	}
}

void local_edges_connected(struct local_edges *edges)
{
	peer_cache_ask_again(&edges->peers);
	edge_book_begin_anew(&edges->book);
}

void local_edges_expire(struct local_edges *edges, uint64_t now)
{
	peer_cache_expire(&edges->peers, now);
}

void local_edges_clear(struct local_edges *edges)
{
	peer_cache_clear(&edges->peers);
	learnt_names_clear(&edges->names);
	edge_book_clear(&edges->book);
}
