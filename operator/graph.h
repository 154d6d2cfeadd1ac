/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The graph of who talks to whom: what all agents reported, from both ends, merged into one edge
 * for each source, destination, port and protocol. No I/O.
 */
#ifndef SKEP_OPERATOR_GRAPH_H
#define SKEP_OPERATOR_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "lib/base/strings.h"
#include "lib/base/text.h"
#include "operator/cluster.h"
#include "operator/edges.h"

#define GRAPH_EDGES_LIMIT 10000 /* that are shown; the first ones in order */

struct graph_edge {
	struct edge_party source;
	struct edge_party destination;
	const char *protocol;
	uint16_t port;
	/* The Service by which the client came, where the destination is what is behind it. */
	const struct service *service;
	uint16_t service_port;
	bool seen[2]; /* by enum edge_side: whether that end is watched, and its figures */
	double figures[2][EDGE_FIGURES];
	UT_hash_handle hh;
};

struct graph {
	struct graph_edge *edges;
	bool truncated; /* some node has more edges than are known */
};

/*
 * Merges what is known of edges; with a `namespace` that is not NULL, only those that have an end
 * in it. A client's edge to a Service whose pods all belong to one workload, by a port whose target
 * is a number, becomes an edge to that workload. The graph lives as long as both are unchanged.
 * Returns 0 with *ret_graph, to be released with graph_free(), or -ENOMEM.
 */
int graph_make(const struct edges *edges, const struct cluster *cluster, const char *namespace,
	       struct graph *ret_graph);

void graph_free(struct graph *graph);

/* Adds the namespaces of the graph's ends, each once, sorted. Returns 0 or -ENOMEM. */
int graph_namespaces(const struct graph *graph, struct strings *namespaces);

/* Whether somebody may see what is in a namespace. */
typedef bool (*graph_visible)(void *context, const char *namespace);

/*
 * Writes the graph as JSON for somebody: an end in a namespace that is not visible to them is
 * hidden, an edge without an end in a visible one is left out. `generated_at` is a time (RFC 3339).
 * Returns 0 or -ENOMEM.
 */
int graph_write(const struct graph *graph, const char *generated_at, graph_visible visible,
		void *context, struct text *out);

#endif
