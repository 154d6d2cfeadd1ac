/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Writes metrics in Prometheus' text format (version 0.0.4). Pure. */
#ifndef SKEP_LIB_METRICS_EXPOSITION_H
#define SKEP_LIB_METRICS_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/text.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metric_label {
	const char *name;
	const char *value; /* escaped as it is written */
};

/* Room for a value as text. */
#define METRICS_NUMBER_SIZE 40

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* A value as the format writes it; an integer as one. */
void metrics_number(double value, char number[METRICS_NUMBER_SIZE]);

/* Labels as they stand between the braces: name="value",... */
void metrics_labels(struct text *out, const struct metric_label *labels, size_t count);

/* Starts a family: its HELP and TYPE lines. All samples of it follow before the next family. */
void metrics_family(struct text *out, const char *name, enum metric_type type, const char *help);

/* One sample: name, labels, value. An integer is written as one. */
void metrics_sample(struct text *out, const char *name, const struct metric_label *labels,
		    size_t label_count, double value);

/*
 * One histogram: `counts[i]` observations up to `bounds[i]` (not cumulated), counts[bound_count]
 * above the last bound; writes _bucket lines (cumulated, with le), _sum and _count.
 */
void metrics_histogram(struct text *out, const char *name, const struct metric_label *labels,
		       size_t label_count, const double *bounds, const uint64_t *counts,
		       size_t bound_count, double sum);

#endif
