/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The edges of this node's pods: from an address to whoever has it, to the row that counts for the
 * two, and to what the operator is told. No I/O; time comes in.
 */
#ifndef SKEP_NODE_AGENT_EDGES_LOCAL_EDGES_H
#define SKEP_NODE_AGENT_EDGES_LOCAL_EDGES_H

#include "lib/link/selection.h"
#include "node-agent/edges/edge.h"
#include "node-agent/edges/edge_book.h"
#include "node-agent/edges/learnt_names.h"
#include "node-agent/edges/peer_cache.h"
#include "node-agent/series/store.h"

/* A zeroed struct is empty. */
struct local_edges {
	struct peer_cache peers;
	struct learnt_names names;
	struct edge_book book;
};

/* The watched end of an edge. Borrowed, for the call. */
struct edge_source {
	struct series_owner *series;
	const struct selected_pod *pod;
};

/* As edge_row of struct probe_host: NULL while it is not known whose the address is. */
struct series_row *local_edges_row(struct local_edges *edges, const struct edge_source *source,
				   const struct series_layout *layout, const struct edge *edge,
				   uint64_t now);

/*
 * Whose the address is to the pod; an outside one has the name by which the pod knows it. False
 * while that is not known: it is asked.
 */
bool local_edges_find_peer(struct local_edges *edges, const struct selected_pod *pod,
			   const uint8_t bytes[EDGE_ADDRESS_SIZE], uint64_t now,
			   struct peer_identity *ret_peer);

/* As learn_name of struct probe_host. */
void local_edges_learn(struct local_edges *edges, const struct selected_pod *pod,
		       const uint8_t address[EDGE_ADDRESS_SIZE], const char *name, uint32_t ttl_s,
		       uint64_t now);

/* The pod is not selected any more. */
void local_edges_forget_pod(struct local_edges *edges, const char *pod_uid);

/*
 * Answers of the operator, an array: before an address that was known changes hands, `read` is
 * called, so that what was counted until then is counted for whoever had it.
 */
void local_edges_answer(struct local_edges *edges, const cJSON *peers, void (*read)(void *context),
			void *context);

/* A new connection to the operator, which knows nothing. */
void local_edges_connected(struct local_edges *edges);

/* Lets go of what has not been used for long; call it now and then. */
void local_edges_expire(struct local_edges *edges, uint64_t now);

/* Everything is forgotten; the rows have gone. */
void local_edges_clear(struct local_edges *edges);

#endif
