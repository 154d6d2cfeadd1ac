/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The TCP probe's families of metrics, and what goes into them of the kernel's counters. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_TCP_ROWS_H
#define SKEP_NODE_AGENT_PROBES_TCP_ROWS_H

#include "bpf/tcp.h"
#include "node-agent/edges/edge.h"
#include "node-agent/series/series.h"

/* The families of one edge. */
extern const struct series_layout tcp_layout;

/*
 * Adds to `row` by how much the counters of an edge have grown from `before` to `now`. What cannot
 * happen in the target's role is not shown.
 */
void tcp_row_add(struct series_row *row, enum edge_role role, const struct tcp_counters *before,
		 const struct tcp_counters *now);

/* Adds how many edges of an owner were not told apart for want of its namespace's share. */
void tcp_add_beyond_share(struct series_owner *owner, uint64_t more);

/* Adds to the gauge of connections that are open. */
void tcp_row_add_open(struct series_row *row, int64_t more);

#endif
