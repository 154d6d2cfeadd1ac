// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/counter_family.h"

static double counter_at(const struct probe_attachment *attachment, size_t offset)
{
	return (double)*(const uint64_t *)((const char *)attachment + offset);
}

void counter_family_write(const struct counter_family *family, const struct probe_series *series,
			  size_t count, struct text *out)
{
	metrics_family(out, family->name, METRIC_COUNTER, family->help);
	for (size_t i = 0; i < count; i++)
		metrics_sample(out, family->name, series[i].labels, series[i].label_count,
			       counter_at(series[i].attachment, family->offset));
}
