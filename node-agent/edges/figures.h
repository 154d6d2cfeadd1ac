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

/*
 * Whether what a row with these labels counts are errors, which both ends of an edge must say of
 * the same requests: a status from 500 on, or none.
 */
bool figures_are_errors(const struct metric_label *labels, size_t count);

/* Adds the row's to `figures`, which are errors or not; nothing where its layout has none. */
void figures_add(const struct series_row *row, bool errors, double figures[EDGE_FIGURES]);

#endif
