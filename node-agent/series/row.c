// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What probes add to a row, and what others see of it. */

#include "node-agent/series/sheet.h"
#include "node-agent/series/store.h"

/* The family's values in the row; NULL in a row that shows nothing. */
static int64_t *values_of(struct series_row *row, size_t family)
{
	return row->sheet ? &row->values[row->sheet->starts[family]] : NULL;
}

void series_add(struct series_row *row, size_t family, int64_t more)
{
	int64_t *value = values_of(row, family);

	if (!value)
		return;
	*value += more;
	series_row_show(row, family);
}

void series_lower(struct series_row *row, size_t family, uint64_t value)
{
	int64_t *lowest = values_of(row, family);
	uint64_t bit = UINT64_C(1) << family;

	if (!lowest || (row->touched & bit && (uint64_t)*lowest <= value))
		return;
	*lowest = (int64_t)value;
	series_row_show(row, family);
}

void series_add_histogram(struct series_row *row, size_t family, const uint64_t *counts,
			  uint64_t sum)
{
	int64_t *values = values_of(row, family);
	size_t bounds;

	if (!values)
		return;
	bounds = row->sheet->layout->families[family].bound_count;
	for (size_t i = 0; i <= bounds; i++)
		values[i] += (int64_t)counts[i];
	values[bounds + 1] += (int64_t)sum;
	series_row_show(row, family);
}

bool series_row_is_rest(const struct series_row *row)
{
	return row->is_rest;
}

void *series_row_mark(const struct series_row *row)
{
	return row->mark;
}

void series_row_set_mark(struct series_row *row, void *mark)
{
	row->mark = mark;
}

const struct series_layout *series_row_layout(const struct series_row *row)
{
	return row->sheet->layout;
}

double series_value(const struct series_row *row, size_t index)
{
	const struct series_family *family = &row->sheet->layout->families[index];
	size_t sum = family->type == METRIC_HISTOGRAM ? family->bound_count + 1 : 0;

	return series_scale(family, row->values[row->sheet->starts[index] + sum]);
}

uint64_t series_observations(const struct series_row *row, size_t index)
{
	const int64_t *values = &row->values[row->sheet->starts[index]];
	uint64_t count = 0;

	for (size_t i = 0; i <= row->sheet->layout->families[index].bound_count; i++)
		count += (uint64_t)values[i];
	return count;
}
