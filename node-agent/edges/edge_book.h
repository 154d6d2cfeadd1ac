/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The edges of this node as the operator is told of them: each between a workload and a peer, with
 * the figures of all rows that tell of it; only what has changed since it was told. Pure.
 */
#ifndef SKEP_NODE_AGENT_EDGES_EDGE_BOOK_H
#define SKEP_NODE_AGENT_EDGES_EDGE_BOOK_H

#include <stdbool.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/link/edges.h"
#include "node-agent/budget/namespaces.h"
#include "node-agent/series/store.h"

struct book_edge;

/* A zeroed struct is empty. */
struct edge_book {
	struct book_edge *edges;      /* by both ends, port, protocol */
	struct namespaces namespaces; /* of their workloads */
	bool told;		      /* on this connection: the next report need not be full */
	bool truncated;		      /* an edge had no room since the last report */
	bool truncated_told;	      /* as the last report said */
};

/*
 * The row tells of this edge (whose figures are not looked at), of what are `errors` or not: it is
 * marked, and must not be marked yet. Beyond the share of EDGES_LIMIT that the workload's namespace
 * has (bpf/lib/share.h), it is not told.
 */
void edge_book_enter(struct edge_book *book, struct series_row *row,
		     const struct reported_edge *edge, bool errors);

/* A row that was marked is gone. */
void edge_book_row_gone(struct edge_book *book, void *mark);

/* There are edges that cannot be told. */
void edge_book_truncate(struct edge_book *book);

/* The operator knows nothing: the next report is full. */
void edge_book_begin_anew(struct edge_book *book);

/*
 * What the operator has to be told, which counts as told then; NULL when that is nothing, or when
 * memory ran out, after which the next report is full.
 */
cJSON *edge_book_report(struct edge_book *book, const struct series_store *store);

/* How many edges there are. */
size_t edge_book_count(const struct edge_book *book);

/* The book is empty afterwards; no row bears a mark of it any more. */
void edge_book_clear(struct edge_book *book);

#endif
