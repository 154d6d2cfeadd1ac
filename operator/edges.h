/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Who talks to whom, as the agents reported it last: the edges of each node, bounded, until some
 * time after its agent has gone. No I/O; time comes in as a number.
 */
#ifndef SKEP_OPERATOR_EDGES_H
#define SKEP_OPERATOR_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "lib/base/error.h"
#include "lib/link/edges.h"

#define EDGES_KEPT_MS	   60000      /* after the agent went */
#define EDGES_MEMORY_LIMIT (64 << 20) /* bytes of all edges of all nodes */

struct known_edge {
	struct reported_edge edge; /* its strings point into the key */
	UT_hash_handle hh;	   /* by the key, whose first end is the client's */
	char key[];
};

struct edges_node {
	char *name;
	struct known_edge *known[2]; /* by enum edge_side, each by key */
	bool truncated;		     /* there are more than we know, the agent says */
	bool left_out;		     /* some had no room since the last full report */
	uint64_t gone_ms;	     /* when its agent went; 0 while it is there */
	UT_hash_handle hh;
};

struct edges {
	struct edges_node *nodes; /* by name */
	size_t bytes;		  /* of all known edges */
};

/*
 * Takes a node's report. Edges beyond EDGES_LIMIT of the node, or EDGES_MEMORY_LIMIT of all, are
 * left out. Returns 0, -EINVAL for a member
 * that is no edge (what came before it has been taken), or -ENOMEM.
 */
int edges_take_report(struct edges *edges, const char *node, const struct edges_report *report,
		      struct error *error);

/* The node's agent went away: its edges stay for EDGES_KEPT_MS, unless it reports again. */
void edges_node_gone(struct edges *edges, const char *node, uint64_t now_ms);

/* Forgets nodes whose agent has been away for too long. */
void edges_expire(struct edges *edges, uint64_t now_ms);

/* How many edges are known, over all nodes. */
size_t edges_count(const struct edges *edges);

void edges_clear(struct edges *edges);

#endif
