/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Events that were lost before the agent could tell them: in a series, and in all, by stage. */
#ifndef SKEP_NODE_AGENT_SERIES_LOSSES_H
#define SKEP_NODE_AGENT_SERIES_LOSSES_H

#include "node-agent/series/series.h"

struct series_store;

/* Where. In metrics, each is a value of the label "stage". */
enum loss_stage {
	LOSS_RATE_LIMITED, /* more than the rate, in the kernel */
	LOSS_RING_FULL,	   /* no room in the ring buffer */
	LOSS_TABLE_FULL,   /* no room for what waits for its other half */
	LOSS_DECODE,	   /* read, and could not be understood or kept */
};
#define LOSS_STAGES 4

/* Of all that this agent has observed since it began. */
struct series_losses {
	uint64_t events[LOSS_STAGES];
};

/* Adds to the first family of `layout`, in the owner's row of that stage, and to all losses. */
void series_lose(struct series_owner *owner, const struct series_layout *layout,
		 enum loss_stage stage, uint64_t more);

struct series_losses series_losses(const struct series_store *store);

#endif
