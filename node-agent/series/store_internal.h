/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the store and its owners share. */
#ifndef SKEP_NODE_AGENT_SERIES_STORE_INTERNAL_H
#define SKEP_NODE_AGENT_SERIES_STORE_INTERNAL_H

#include "node-agent/series/quota.h"
#include "node-agent/series/sheet.h"
#include "node-agent/series/store.h"

struct series_store {
	struct series_sheet *sheets; /* in the order in which they came */
	struct series_quotas quotas;
	struct series_mark_handlers handlers;
	struct text labels;	   /* of the row that is looked for */
	struct series_row nowhere; /* shows nothing: for want of memory */
};

/* The sheet of a layout, made where it is new; NULL when memory ran out. */
struct series_sheet *series_store_sheet(struct series_store *store,
					const struct series_layout *layout);

#endif
