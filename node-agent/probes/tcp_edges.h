/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The edges of all targets as they were last read, so that what has been counted since goes into
 * the series, once. Pure: counters, names and time come in.
 */
#ifndef SKEP_NODE_AGENT_PROBES_TCP_EDGES_H
#define SKEP_NODE_AGENT_PROBES_TCP_EDGES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "bpf/tcp.h"
#include "node-agent/edges/edge.h"
#include "node-agent/probes/edge_rows.h"
#include "node-agent/series/series.h"

struct tcp_edge {
	struct tcp_edge_key key;
	struct tcp_counters read; /* what is in the series already */
	uint64_t adopted;	  /* open connections that are older than the attachment */
	int64_t open;		  /* what the gauge of `row` has of this edge */
	struct series_row *row;	  /* added to last, or NULL */
	uint64_t changed_at;	  /* ms */
	UT_hash_handle hh;
};

/* A zeroed struct is empty. */
struct tcp_edges {
	struct tcp_edge *table; /* by key */
};

/* The edge of this key, made when it is new; NULL when memory ran out. */
struct tcp_edge *tcp_edges_ensure(struct tcp_edges *edges, const struct tcp_edge_key *key,
				  uint64_t now);

/*
 * Adds what `now_read` has more than was read before to the owner's series. Where the other end has
 * no name yet, all waits for the next read; with `last`, there is none: it counts as unknown.
 */
void tcp_edge_take(struct tcp_edge *edge, const struct tcp_counters *now_read,
		   struct series_owner *owner, edge_namer name, void *context, uint64_t now,
		   bool last);

/* No connection, and nothing new for EDGE_IDLE_MS; never true of the others' edges. */
bool tcp_edge_is_idle(const struct tcp_edge *edge, uint64_t now);

/* Takes its part of the gauge back and frees it. */
void tcp_edges_remove(struct tcp_edges *edges, struct tcp_edge *edge);

#endif
