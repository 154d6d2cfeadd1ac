// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/store.h"

#include <stdlib.h>

#include <utlist.h>

#include "node-agent/series/charge.h"
#include "node-agent/series/store_internal.h"

static void ignore_gone(void *context, void *mark)
{
	(void)context, (void)mark;
}

struct series_store *series_store_new(void)
{
	struct series_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->handlers.gone = ignore_gone;
	store->nowhere.is_rest = true;
	return store;
}

void series_store_set_handlers(struct series_store *store,
			       const struct series_mark_handlers *handlers)
{
	store->handlers = *handlers;
}

void series_store_set_bounds(struct series_store *store, const struct series_bounds *bounds)
{
	store->quotas.bounds = *bounds;
}

static void remove_row(struct series_store *store, struct series_row *row)
{
	if (row->mark)
		store->handlers.gone(store->handlers.context, row->mark);
	while (row->holds)
		series_hold_end(row->holds);
	series_discharge_all(&store->quotas, row);
	if (!row->is_rest)
		store->quotas.series -= row->series;
	series_sheet_remove(row->sheet, row);
}

struct series_store *series_store_free(struct series_store *store)
{
	struct series_sheet *sheet, *next_sheet;
	struct series_row *row, *next;

	if (!store)
		return NULL;
	LL_FOREACH_SAFE(store->sheets, sheet, next_sheet) {
		HASH_ITER(hh, sheet->rows, row, next)
			remove_row(store, row);
		series_sheet_free(sheet);
	}
	text_free(&store->labels);
	free(store);
	return NULL;
}

struct series_sheet *series_store_sheet(struct series_store *store,
					const struct series_layout *layout)
{
	struct series_sheet *sheet;

	LL_SEARCH_SCALAR(store->sheets, sheet, layout, layout);
	if (sheet)
		return sheet;
	sheet = series_sheet_new(layout, &store->quotas);
	if (sheet)
		LL_APPEND(store->sheets, sheet);
	return sheet;
}

void series_expire(struct series_store *store, uint64_t now)
{
	struct series_sheet *sheet;
	struct series_row *row, *next;

	store->now = now;
	store->round++;
	LL_FOREACH(store->sheets, sheet)
		HASH_ITER(hh, sheet->rows, row, next)
			if (!row->holds && row->leaves_at <= now)
				remove_row(store, row);
}

/*
 * Whoever keeps the row has had a whole read to ask for it again, also where time has jumped, as
 * when the machine slept.
 */
static bool is_idle(const struct series_store *store, const struct series_row *row)
{
	return store->now - row->used_at >= SERIES_IDLE_MS && store->round - row->used_round >= 2;
}

bool series_store_make_room(struct series_store *store, const struct asking *asking)
{
	struct series_sheet *sheet;
	struct series_row *row, *next;
	bool made = false;

	if (!asking_begin_sweep(asking, store->now))
		return false;
	LL_FOREACH(store->sheets, sheet) {
		HASH_ITER(hh, sheet->rows, row, next) {
			if (!is_idle(store, row) || !series_is_swept(row))
				continue;
			remove_row(store, row);
			made = true;
		}
	}
	asking_end_sweep(asking);
	return made;
}

void series_each_marked(const struct series_store *store, series_visit visit, void *context)
{
	const struct series_sheet *sheet;
	const struct series_row *row;

	LL_FOREACH(store->sheets, sheet)
		for (row = sheet->rows; row; row = row->hh.next)
			if (row->mark)
				visit(context, row, row->mark);
}

size_t series_count(const struct series_store *store)
{
	const struct series_sheet *sheet;
	const struct series_row *row;
	size_t count = 0;

	LL_FOREACH(store->sheets, sheet)
		for (row = sheet->rows; row; row = row->hh.next)
			count += row->series;
	return count;
}

void series_write(const struct series_store *store, struct text *out)
{
	const struct series_sheet *sheet;

	LL_FOREACH(store->sheets, sheet)
		series_sheet_write(sheet, out);
	series_quotas_write(&store->quotas, out);
}
