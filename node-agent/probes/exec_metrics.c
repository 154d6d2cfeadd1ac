// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_metrics.h"

#include "node-agent/probes/exec_targets.h"
#include "node-agent/series/losses.h"

enum { EXECS, EXECS_FAILED };
enum { LOST };

static const struct series_family families[] = {
	[EXECS] = {.name = "skep_exec_total",
		   .help = "Programs that the pods have started.",
		   .type = METRIC_COUNTER},
	[EXECS_FAILED] = {.name = "skep_exec_failed_total",
			  .help = "Programs that the pods tried to start in vain; counted where "
				  "a policy asks for it.",
			  .type = METRIC_COUNTER},
};
static const struct series_layout layout = {families, sizeof(families) / sizeof(families[0])};

static const struct series_family lost_families[] = {
	[LOST] = {.name = "skep_exec_events_lost_total",
		  .help = "Events of execs that were counted but not handed out.",
		  .type = METRIC_COUNTER},
};
static const struct series_layout lost_layout = {lost_families, 1};

void exec_metrics_add(struct probe_attachment *attachment)
{
	const struct exec_counters *totals = &attachment->totals, *added = &attachment->added;
	struct series_owner *owner = attachment->series;
	struct series_row *row = series_row(owner, &layout, NULL, 0);

	series_add(row, EXECS, (int64_t)(totals->execs - added->execs));
	series_add(row, EXECS_FAILED, (int64_t)(totals->failed - added->failed));
	series_lose(owner, &lost_layout, LOSS_RATE_LIMITED,
		    totals->rate_limited - added->rate_limited);
	series_lose(owner, &lost_layout, LOSS_RING_FULL, totals->ring_full - added->ring_full);
	series_lose(owner, &lost_layout, LOSS_DECODE,
		    attachment->undecoded - attachment->undecoded_added);
	attachment->added = *totals;
	attachment->undecoded_added = attachment->undecoded;
}
