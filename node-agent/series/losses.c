// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/losses.h"

#include "node-agent/series/store_internal.h"

static const char *const stage_names[LOSS_STAGES] = {
	[LOSS_RATE_LIMITED] = "rate_limited",
	[LOSS_RING_FULL] = "ring_full",
	[LOSS_TABLE_FULL] = "table_full",
	[LOSS_DECODE] = "decode",
};

void series_lose(struct series_owner *owner, const struct series_layout *layout,
		 enum loss_stage stage, uint64_t more)
{
	const struct metric_label label = {"stage", stage_names[stage]};

	series_add(series_row(owner, layout, &label, 1), 0, (int64_t)more);
	owner->store->losses.events[stage] += more;
}

struct series_losses series_losses(const struct series_store *store)
{
	return store->losses;
}
