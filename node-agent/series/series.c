// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* From an owner and further labels to the row: found, made, or that of the rest. */

#include "node-agent/series/series.h"

#include <errno.h>

#include "node-agent/series/charge.h"
#include "node-agent/series/store_internal.h"

/* Of rows that stand for the rest there is one for each workload: they take no room. */
enum row_kind { ROW_PLAIN, ROW_REST };

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

static int hold_row(struct series_owner *owner, struct series_row *row, enum row_kind kind)
{
	struct series_quotas *quotas = &owner->store->quotas;

	if (!row->holds) /* what it counted for while it lingered */
		series_discharge_all(quotas, row);
	if (kind == ROW_PLAIN && asking_charge(&owner->asking, quotas, row) < 0)
		return -ENOMEM;
	if (series_hold(owner, row) == 0)
		return 0;
	if (kind == ROW_PLAIN)
		asking_discharge(&owner->asking, quotas, row);
	return -ENOMEM;
}

/* Makes a row with the labels that are rendered, held by the owner. */
static int make_row(struct series_owner *owner, struct series_sheet *sheet, enum row_kind kind,
		    struct series_row **ret_row)
{
	struct series_row *row;

	if (kind == ROW_PLAIN &&
	    !asking_has_room(&owner->asking, &owner->store->quotas, sheet->series_count))
		return -ENOSPC;
	row = series_sheet_add(sheet, &owner->store->labels);
	if (!row)
		return -ENOMEM;
	row->is_rest = kind == ROW_REST;
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
	if (!series_is_held(owner, row) && hold_row(owner, row, kind) < 0)
		return -ENOMEM;
	*ret_row = row;
	return 0;
}

struct series_row *series_row(struct series_owner *owner, const struct series_layout *layout,
			      const struct metric_label *labels, size_t label_count)
{
	static const struct metric_label rest = {SERIES_OVERFLOW_LABEL, "true"};
	struct series_store *store = owner->store;
	struct series_row *row;
	int result = find_or_make(owner, layout, labels, label_count, ROW_PLAIN, &row);

	if (result == -ENOSPC && series_store_make_room(store, &owner->asking))
		result = find_or_make(owner, layout, labels, label_count, ROW_PLAIN, &row);
	if (result == -ENOSPC) {
		asking_refuse(&owner->asking, &store->quotas,
			      series_store_sheet(store, layout)->series_count);
		result = find_or_make(owner, layout, &rest, 1, ROW_REST, &row);
	}
	if (result < 0)
		return &store->nowhere;
	row->used_at = store->now;
	row->used_round = store->round;
	return row;
}
