// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/hold.h"

#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "node-agent/series/store_internal.h"

bool series_is_held(const struct series_owner *owner, const struct series_row *row)
{
	struct series_hold *hold;

	HASH_FIND_PTR(owner->holds, &row, hold);
	return hold != NULL;
}

int series_hold(struct series_owner *owner, struct series_row *row)
{
	struct series_hold *hold = calloc(1, sizeof(*hold));

	if (!hold)
		return -ENOMEM;
	hold->row = row;
	hold->owner = owner;
	HASH_ADD_PTR(owner->holds, row, hold);
	if (!is_in_table(hold)) {
		free(hold);
		return -ENOMEM;
	}
	DL_APPEND(row->holds, hold);
	return 0;
}

void series_hold_end(struct series_hold *hold)
{
	HASH_DEL(hold->owner->holds, hold);
	DL_DELETE(hold->row->holds, hold);
	free(hold);
}
