// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "node-agent/probes/counter_family.h"
#include "node-agent/probes/exec_targets.h"

#define LOST_FAMILY "skep_exec_events_lost_total"

#define TOTAL(member) offsetof(struct probe_attachment, totals.member)

static const struct counter_family families[] = {
	{"skep_exec_total", "Programs that the pod has started.", TOTAL(execs)},
	{"skep_exec_failed_total",
	 "Programs that the pod tried to start in vain; counted where a policy asks for it.",
	 TOTAL(failed)},
};

static void write_lost_stage(const struct probe_series *series, const char *stage, uint64_t lost,
			     struct text *out)
{
	size_t count = series->label_count;
	cleanup_free struct metric_label *labels = calloc(count + 1, sizeof(*labels));

	if (!labels)
		return;
	if (count)
		memcpy(labels, series->labels, count * sizeof(*labels));
	labels[count] = (struct metric_label){"stage", stage};
	metrics_sample(out, LOST_FAMILY, labels, count + 1, (double)lost);
}

static void write_lost(const struct probe_series *series, size_t count, struct text *out)
{
	metrics_family(out, LOST_FAMILY, METRIC_COUNTER,
		       "Events of execs that were counted but not handed out.");
	for (size_t i = 0; i < count; i++) {
		const struct exec_counters *totals = &series[i].attachment->totals;

		write_lost_stage(&series[i], "rate_limited", totals->rate_limited, out);
		write_lost_stage(&series[i], "ring_full", totals->ring_full, out);
		write_lost_stage(&series[i], "decode", series[i].attachment->undecoded, out);
	}
}

void exec_metrics_write(const struct probe_series *series, size_t count, struct text *out)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		counter_family_write(&families[i], series, count, out);
	write_lost(series, count, out);
}
