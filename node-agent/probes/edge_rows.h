/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Which row an edge adds to, for every probe that counts by edge: also for edges that the kernel
 * half told apart no more, and for those whose other end nobody knows. Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_EDGE_ROWS_H
#define SKEP_NODE_AGENT_PROBES_EDGE_ROWS_H

#include <stdbool.h>

#include "node-agent/edges/edge.h"
#include "node-agent/series/series.h"

#define EDGE_IDLE_MS 60000 /* an edge without news for this long is forgotten */

/* Who has an edge's address now: as edge_row of struct probe_host; NULL: not known yet. */
typedef struct series_row *(*edge_namer)(void *context, struct series_owner *owner,
					 const struct edge *edge);

/* Beyond the limits, the kernel half knows neither address nor port. */
bool edge_stands_for_others(const struct edge *edge);

/*
 * The row of an edge. NULL where the other end has no name yet: what was counted waits for the next
 * read; with `last`, there is none: it counts as unknown.
 */
struct series_row *edge_rows_find(struct series_owner *owner, const struct series_layout *layout,
				  const struct edge *edge, edge_namer name, void *context,
				  bool last);

#endif
