// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/tcp_edges.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/tcp_rows.h"

_Static_assert(EDGE_ADDRESS_SIZE == sizeof(((struct tcp_edge_key *)0)->address), "one form");

struct tcp_edge *tcp_edges_ensure(struct tcp_edges *edges, const struct tcp_edge_key *key,
				  uint64_t now)
{
	struct tcp_edge *edge;

	HASH_FIND(hh, edges->table, key, sizeof(*key), edge);
	if (edge)
		return edge;
	edge = calloc(1, sizeof(*edge));
	if (!edge)
		return NULL;
	edge->key = *key;
	edge->changed_at = now;
	HASH_ADD(hh, edges->table, key, sizeof(edge->key), edge);
	if (is_in_table(edge))
		return edge;
	free(edge);
	return NULL;
}

static enum edge_role role_of(const struct tcp_edge_key *key)
{
	return key->role == TCP_CLIENT ? EDGE_CLIENT : EDGE_SERVER;
}

static struct edge edge_of(const struct tcp_edge_key *key)
{
	struct edge edge = {.role = role_of(key), .port = key->port};

	memcpy(edge.address, key->address, sizeof(edge.address));
	return edge;
}

/* CPUs count as they like, so an end may be seen whose beginning is not. */
static int64_t count_open(const struct tcp_edge *edge)
{
	const struct tcp_counters *read = &edge->read;
	int64_t open = (int64_t)(read->opened + read->accepted - read->closed + edge->adopted);

	return open > 0 ? open : 0;
}

/* The gauge of the row that the edge is added to now has its open connections, no other has. */
static void move_open(struct tcp_edge *edge, struct series_row *row, int64_t open)
{
	if (edge->row && edge->row != row) {
		tcp_row_add_open(edge->row, -edge->open);
		edge->open = 0;
	}
	if (row)
		tcp_row_add_open(row, open - edge->open);
	edge->row = row;
	edge->open = open;
}

/* All but the namespace, which is no news. */
#define COUNTED offsetof(struct tcp_counters, namespace)

void tcp_edge_take(struct tcp_edge *edge, const struct tcp_counters *now_read,
		   struct series_owner *owner, edge_namer name, void *context, uint64_t now,
		   bool last)
{
	bool changed = memcmp(now_read, &edge->read, COUNTED) != 0;
	const struct edge named = edge_of(&edge->key);
	struct series_row *row;

	if (!changed && !edge->row && !edge->adopted)
		return; /* no news, and nobody has ever asked who it is: others as a rule */
	row = edge_rows_find(owner, &tcp_layout, &named, name, context, last);
	if (!row)
		return;
	if (changed) {
		tcp_row_add(row, role_of(&edge->key), &edge->read, now_read);
		edge->read = *now_read;
		edge->changed_at = now;
	}
	move_open(edge, row, count_open(edge));
}

bool tcp_edge_is_idle(const struct tcp_edge *edge, uint64_t now)
{
	const struct edge named = edge_of(&edge->key);

	return !edge_stands_for_others(&named) && count_open(edge) == 0 &&
	       now - edge->changed_at >= EDGE_IDLE_MS;
}

void tcp_edges_remove(struct tcp_edges *edges, struct tcp_edge *edge)
{
	if (edge->row)
		move_open(edge, edge->row, 0);
	HASH_DEL(edges->table, edge);
	free(edge);
}
