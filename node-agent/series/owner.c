// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Who adds to rows, from beginning to end. */

#include <errno.h>
#include <stdlib.h>

#include "node-agent/series/store.h"
#include "node-agent/series/store_internal.h"

struct series_owner *series_owner_new(struct series_store *store, const struct metric_label *labels,
				      size_t label_count, const struct strings *policies)
{
	struct series_owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	owner->store = store;
	metrics_labels(&owner->labels, labels, label_count);
	if (!owner->labels.failed && asking_make(&store->quotas, policies, &owner->asking) == 0)
		return owner;
	text_free(&owner->labels);
	free(owner);
	return NULL;
}

void series_owner_set_context(struct series_owner *owner, void *context)
{
	owner->context = context;
}

void *series_owner_context(const struct series_owner *owner)
{
	return owner->context;
}

/* All rows but those that stand for others count for `to`, too; on failure none does. */
static int charge_rows(struct series_owner *owner, const struct asking *to)
{
	struct series_quotas *quotas = &owner->store->quotas;

	for (struct series_hold *hold = owner->holds; hold; hold = hold->hh.next) {
		if (hold->row->is_rest || asking_charge(to, quotas, hold->row) == 0)
			continue;
		for (struct series_hold *done = owner->holds; done != hold; done = done->hh.next)
			asking_discharge(to, quotas, done->row);
		return -ENOMEM;
	}
	return 0;
}

int series_owner_set_policies(struct series_owner *owner, const struct strings *policies)
{
	struct series_quotas *quotas = &owner->store->quotas;
	struct asking asking;

	if (asking_equals(&owner->asking, policies))
		return 0;
	if (asking_make(quotas, policies, &asking) < 0)
		return -ENOMEM;
	if (charge_rows(owner, &asking) < 0) {
		asking_free(quotas, &asking);
		return -ENOMEM;
	}
	for (struct series_hold *hold = owner->holds; hold; hold = hold->hh.next)
		asking_discharge(&owner->asking, quotas, hold->row);
	asking_free(quotas, &owner->asking);
	owner->asking = asking;
	return 0;
}

/* A row without owners goes on to count for the policies of its last one until it leaves. */
static void release(struct series_owner *owner, struct series_hold *hold, uint64_t now)
{
	struct series_row *row = hold->row;

	series_hold_end(hold);
	if (row->holds)
		asking_discharge(&owner->asking, &owner->store->quotas, row);
	else
		row->leaves_at = now + SERIES_LINGER_MS;
}

struct series_owner *series_owner_free(struct series_owner *owner, uint64_t now)
{
	struct series_hold *hold, *next;

	if (!owner)
		return NULL;
	HASH_ITER(hh, owner->holds, hold, next)
		release(owner, hold, now);
	asking_free(&owner->store->quotas, &owner->asking);
	text_free(&owner->labels);
	free(owner);
	return NULL;
}
