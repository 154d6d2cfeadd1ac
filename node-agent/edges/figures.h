/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Which families of a layout are the figures of an edge that the operator is told. Pure. */
#ifndef SKEP_NODE_AGENT_EDGES_FIGURES_H
#define SKEP_NODE_AGENT_EDGES_FIGURES_H

#include "lib/link/edges.h"
#include "node-agent/series/series.h"
#include "node-agent/series/store.h"

/* What edges of this layout are called ("tcp"); NULL: they are not told. */
const char *figures_protocol(const struct series_layout *layout);

/* Adds the row's to `figures`; nothing where its layout has none. */
void figures_add(const struct series_row *row, double figures[EDGE_FIGURES]);

#endif
