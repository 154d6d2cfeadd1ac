/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The series of metrics that this agent shows: what probes have counted, under the labels of the
 * workload it belongs to. Probes add what has come since they last read the kernel; what was added
 * stays for a minute after the last pod of a series has gone, and a pod that comes back meanwhile
 * goes on where the series stood. Series are bounded per policy: what is beyond is added up in one
 * overflow row for each workload. No I/O; time comes in.
 */
#ifndef SKEP_NODE_AGENT_SERIES_SERIES_H
#define SKEP_NODE_AGENT_SERIES_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/metrics/exposition.h"

/* A family of metrics as a probe declares it; static. */
struct series_family {
	const char *name;
	const char *help;
	enum metric_type type;
	double unit; /* what 1 that is added counts in the family's; 1e-6: microseconds; 0: 1 */
	const double *bounds; /* of a histogram, in the family's unit */
	size_t bound_count;
};

/*
 * The families of one row, at most SERIES_FAMILIES_LIMIT: they bear the same labels. Static; a
 * probe has one or more. A family is in one layout only.
 */
struct series_layout {
	const struct series_family *families;
	size_t count;
};

/*
 * One set of labels and its values. A family is shown in it once something, which may be 0, was
 * added to it there. Lives for ten minutes after it was last asked for, as long as its owner does.
 */
struct series_row;

/* What a target (a pod, or a container of it) adds to: made at attach, freed after detach. */
struct series_owner;

#define SERIES_FAMILIES_LIMIT 64

/*
 * The row with the owner's own labels and these; it is made when it is new. Labels are copied. The
 * owner holds it until it is freed; where there is no room for others, only until nobody has asked
 * for it in ten minutes: who keeps a row asks for it again at each read. Never NULL: beyond the
 * policies' bounds, or when memory ran out, it is a row that stands for all the rest.
 */
struct series_row *series_row(struct series_owner *owner, const struct series_layout *layout,
			      const struct metric_label *labels, size_t label_count);

/*
 * Adds to the counter or gauge `family` (its index in the layout), in the probe's unit. Where a
 * gauge is shared by several owners, each adds what has changed since it last did, and takes its
 * part back before it goes.
 */
void series_add(struct series_row *row, size_t family, int64_t more);

/* Lowers a gauge to `value` (in the probe's unit) unless it is lower; the first call sets it. */
void series_lower(struct series_row *row, size_t family, uint64_t value);

/* Adds observations to a histogram: counts[bound_count + 1], not cumulated, and their sum. */
void series_add_histogram(struct series_row *row, size_t family, const uint64_t *counts,
			  uint64_t sum);

#endif
