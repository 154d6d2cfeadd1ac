/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The HTTP probe's families of metrics, and what goes into them of the kernel's counters. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_ROWS_H
#define SKEP_NODE_AGENT_PROBES_HTTP_ROWS_H

#include "bpf/http.h"
#include "node-agent/edges/edge.h"
#include "node-agent/series/series.h"

/* The families of exchanges of one kind. */
extern const struct series_layout http_layout;

#define HTTP_LABELS	 4
#define HTTP_STATUS_SIZE 8

/* The labels of a kind, beside those of its edge. */
struct http_labels {
	char status[HTTP_STATUS_SIZE];
	struct metric_label labels[HTTP_LABELS]; /* may point into `status` */
	size_t count;
};

/* `route` is what the kind's is called (borrowed), or "" where none was asked for. */
void http_labels_of(const struct http_kind *kind, const char *route,
		    struct http_labels *ret_labels);

/* Adds to `row` by how much the counters of a kind have grown from `before` to `now`. */
void http_row_add(struct series_row *row, const struct http_kind *kind,
		  const struct http_counters *before, const struct http_counters *now);

/* What the series tell of a target as a whole. */
struct http_totals {
	struct http_target_counts counts;
	uint64_t undecoded; /* records that gave no event */
};

/*
 * Adds to the owner's series what a target's connections and records have come to since `before`.
 */
void http_totals_add(struct series_owner *owner, const struct http_totals *before,
		     const struct http_totals *now);

#endif
