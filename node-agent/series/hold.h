/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Which owners hold which rows. Pure. */
#ifndef SKEP_NODE_AGENT_SERIES_HOLD_H
#define SKEP_NODE_AGENT_SERIES_HOLD_H

#include <stdbool.h>

#include "lib/base/table.h"

#include "node-agent/series/sheet.h"

struct series_owner;

struct series_hold {
	struct series_row *row; /* the key among those of the owner */
	struct series_owner *owner;
	struct series_hold *prev, *next; /* those of the row */
	UT_hash_handle hh;
};

bool series_is_held(const struct series_owner *owner, const struct series_row *row);

/* The owner holds the row, which it did not. Returns 0 or -ENOMEM. */
int series_hold(struct series_owner *owner, struct series_row *row);

/* One less. */
void series_hold_end(struct series_hold *hold);

#endif
