// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Who adds to rows: from an owner and further labels to the row. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/series/charge.h"
#include "node-agent/series/store.h"
#include "node-agent/series/store_internal.h"

/* A row that an owner holds. */
struct series_hold {
	struct series_row *row; /* the key */
	UT_hash_handle hh;
};

/* The policies that ask for an owner. */
struct asking {
	struct series_quota **quotas;
	size_t count;
};

struct series_owner {
	struct series_store *store;
	struct text labels;
	struct asking asking;
	struct series_hold *holds;
	void *context;
};

static void asking_free(struct series_store *store, struct asking *asking)
{
	for (size_t i = 0; i < asking->count; i++)
		series_quota_leave(&store->quotas, asking->quotas[i]);
	free(asking->quotas);
	*asking = (struct asking){0};
}

static int asking_add(struct series_store *store, struct asking *asking, const char *policy)
{
	asking->quotas[asking->count] = series_quota_use(&store->quotas, policy);
	if (!asking->quotas[asking->count])
		return -ENOMEM;
	asking->count++;
	return 0;
}

/* An owner that nobody asks for counts for a policy without a name. */
static int asking_make(struct series_store *store, const struct strings *policies,
		       struct asking *ret_asking)
{
	struct asking asking = {calloc(policies->count + 1, sizeof(struct series_quota *)), 0};
	int result = asking.quotas ? 0 : -ENOMEM;

	for (size_t i = 0; i < policies->count && result == 0; i++)
		result = asking_add(store, &asking, policies->items[i]);
	if (result == 0 && policies->count == 0)
		result = asking_add(store, &asking, "");
	if (result < 0)
		asking_free(store, &asking);
	else
		*ret_asking = asking;
	return result;
}

/* The row counts for the owner's policies no more. */
static void discharge(struct series_row *row, struct series_store *store,
		      const struct asking *asking, size_t count)
{
	for (size_t i = 0; i < count; i++)
		series_discharge(&store->quotas, row, asking->quotas[i]);
}

static int charge(struct series_row *row, struct series_store *store, const struct asking *asking)
{
	for (size_t i = 0; i < asking->count; i++) {
		if (series_charge(&store->quotas, row, asking->quotas[i]) < 0) {
			discharge(row, store, asking, i);
			return -ENOMEM;
		}
	}
	return 0;
}

static bool has_room(const struct asking *asking, size_t series)
{
	for (size_t i = 0; i < asking->count; i++)
		if (series_quota_has_room(asking->quotas[i], series))
			return true;
	return false;
}

static bool is_held(const struct series_owner *owner, const struct series_row *row)
{
	struct series_hold *hold;

	HASH_FIND_PTR(owner->holds, &row, hold);
	return hold != NULL;
}

/* Whether rows of this kind count: of those that stand for the rest there is one for each owner. */
enum row_kind { ROW_PLAIN, ROW_OVERFLOW };

static int hold_row(struct series_owner *owner, struct series_row *row, enum row_kind kind)
{
	struct series_hold *hold = calloc(1, sizeof(*hold));

	if (!hold)
		return -ENOMEM;
	if (!row->owners) /* what it counted for while it lingered */
		series_discharge_all(&owner->store->quotas, row);
	if (kind == ROW_PLAIN && charge(row, owner->store, &owner->asking) < 0) {
		free(hold);
		return -ENOMEM;
	}
	hold->row = row;
	HASH_ADD_PTR(owner->holds, row, hold);
	row->owners++;
	return 0;
}

/* Renders the labels of the owner's row with these further ones. Returns 0 or -ENOMEM. */
static int render(struct series_owner *owner, const struct metric_label *labels, size_t count)
{
	struct text *text = &owner->store->labels;

	text_clear(text);
	text_append(text, owner->labels.data, owner->labels.length);
	if (count && owner->labels.length)
		text_append(text, ",", 1);
	metrics_labels(text, labels, count);
	return text->failed ? -ENOMEM : 0;
}

/* Makes a row with the labels that are rendered, held by the owner. */
static int make_row(struct series_owner *owner, struct series_sheet *sheet, enum row_kind kind,
		    struct series_row **ret_row)
{
	struct series_row *row;

	if (kind == ROW_PLAIN && !has_room(&owner->asking, sheet->series_count))
		return -ENOSPC;
	row = series_sheet_add(sheet, &owner->store->labels);
	if (!row)
		return -ENOMEM;
	if (hold_row(owner, row, kind) < 0) {
		series_sheet_remove(sheet, row);
		return -ENOMEM;
	}
	*ret_row = row;
	return 0;
}

/* -ENOSPC for want of room, -ENOMEM. */
static int find_or_make(struct series_owner *owner, const struct series_layout *layout,
			const struct metric_label *labels, size_t count, enum row_kind kind,
			struct series_row **ret_row)
{
	struct series_sheet *sheet = series_store_sheet(owner->store, layout);
	struct series_row *row;

	if (!sheet || render(owner, labels, count) < 0)
		return -ENOMEM;
	row = series_sheet_find(sheet, &owner->store->labels);
	if (!row)
		return make_row(owner, sheet, kind, ret_row);
	if (!is_held(owner, row) && hold_row(owner, row, kind) < 0)
		return -ENOMEM;
	*ret_row = row;
	return 0;
}

static void count_refusal(const struct series_owner *owner)
{
	for (size_t i = 0; i < owner->asking.count; i++)
		owner->asking.quotas[i]->refused++;
}

struct series_row *series_row(struct series_owner *owner, const struct series_layout *layout,
			      const struct metric_label *labels, size_t label_count)
{
	static const struct metric_label overflow = {SERIES_OVERFLOW_LABEL, "true"};
	struct series_row *row;
	int result = find_or_make(owner, layout, labels, label_count, ROW_PLAIN, &row);

	if (result == -ENOSPC) {
		count_refusal(owner);
		result = find_or_make(owner, layout, &overflow, 1, ROW_OVERFLOW, &row);
		if (result == 0)
			row->is_rest = true;
	}
	return result == 0 ? row : &owner->store->nowhere;
}

struct series_owner *series_owner_new(struct series_store *store, const struct metric_label *labels,
				      size_t label_count, const struct strings *policies)
{
	struct series_owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	owner->store = store;
	metrics_labels(&owner->labels, labels, label_count);
	if (!owner->labels.failed && asking_make(store, policies, &owner->asking) == 0)
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

static bool is_asked_by(const struct series_owner *owner, const struct strings *policies)
{
	const struct asking *asking = &owner->asking;

	if (asking->count != policies->count)
		return false;
	for (size_t i = 0; i < asking->count; i++)
		if (strcmp(asking->quotas[i]->policy, policies->items[i]) != 0)
			return false;
	return true;
}

/* Charges all rows that are charged already to `to` as well; on failure to none. */
static int charge_rows(struct series_owner *owner, const struct asking *to)
{
	for (struct series_hold *hold = owner->holds; hold; hold = hold->hh.next) {
		if (!hold->row->charges || charge(hold->row, owner->store, to) == 0)
			continue;
		for (struct series_hold *done = owner->holds; done != hold; done = done->hh.next)
			discharge(done->row, owner->store, to, to->count);
		return -ENOMEM;
	}
	return 0;
}

int series_owner_set_policies(struct series_owner *owner, const struct strings *policies)
{
	struct asking asking;

	if (is_asked_by(owner, policies))
		return 0;
	if (asking_make(owner->store, policies, &asking) < 0)
		return -ENOMEM;
	if (charge_rows(owner, &asking) < 0) {
		asking_free(owner->store, &asking);
		return -ENOMEM;
	}
	for (struct series_hold *hold = owner->holds; hold; hold = hold->hh.next)
		discharge(hold->row, owner->store, &owner->asking, owner->asking.count);
	asking_free(owner->store, &owner->asking);
	owner->asking = asking;
	return 0;
}

/* A row without owners goes on to count for the policies of its last one until it leaves. */
static void release_row(struct series_owner *owner, struct series_row *row, uint64_t now)
{
	if (--row->owners == 0)
		row->leaves_at = now + SERIES_LINGER_MS;
	else
		discharge(row, owner->store, &owner->asking, owner->asking.count);
}

struct series_owner *series_owner_free(struct series_owner *owner, uint64_t now)
{
	struct series_hold *hold, *next;

	if (!owner)
		return NULL;
	HASH_ITER(hh, owner->holds, hold, next) {
		HASH_DEL(owner->holds, hold);
		release_row(owner, hold->row, now);
		free(hold);
	}
	asking_free(owner->store, &owner->asking);
	text_free(&owner->labels);
	free(owner);
	return NULL;
}
