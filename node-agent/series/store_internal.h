/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The store and its owners, inside. */
#ifndef SKEP_NODE_AGENT_SERIES_STORE_INTERNAL_H
#define SKEP_NODE_AGENT_SERIES_STORE_INTERNAL_H

#include "node-agent/series/asking.h"
#include "node-agent/series/hold.h"
#include "node-agent/series/losses.h"
#include "node-agent/series/quota.h"
#include "node-agent/series/sheet.h"
#include "node-agent/series/store.h"

struct series_store {
	struct series_sheet *sheets; /* in the order in which they came */
	struct series_quotas quotas;
	struct series_mark_handlers handlers;
	struct series_losses losses;
	uint64_t now;		   /* of the last series_expire() */
	uint64_t round;		   /* how many there were */
	struct text labels;	   /* of the row that is looked for */
	struct series_row nowhere; /* shows nothing: for want of memory */
};

struct series_owner {
	struct series_store *store;
	struct text labels;
	struct asking asking;
	struct series_hold *holds; /* by row */
	void *context;
};

/*
 * Lets go of rows of these policies that nobody has asked for in SERIES_IDLE_MS; at most once
 * between two calls of series_expire(). Returns whether there were any.
 */
bool series_store_make_room(struct series_store *store, const struct asking *asking);

/* The sheet of a layout, made where it is new; NULL when memory ran out. */
struct series_sheet *series_store_sheet(struct series_store *store,
					const struct series_layout *layout);

#endif
