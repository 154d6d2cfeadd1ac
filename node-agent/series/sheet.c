// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/sheet.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/series/charge.h"

/* A histogram's values: one for each bound, one above them all, the sum. */
static size_t family_values(const struct series_family *family)
{
	return family->type == METRIC_HISTOGRAM ? family->bound_count + 2 : 1;
}

/* And its lines: the same, and the count. */
static size_t family_series(const struct series_family *family)
{
	return family->type == METRIC_HISTOGRAM ? family->bound_count + 3 : 1;
}

static size_t count_bounds(const struct series_layout *layout)
{
	size_t count = 0;

	for (size_t i = 0; i < layout->count; i++)
		count += layout->families[i].bound_count;
	return count;
}

static void lay_out(struct series_sheet *sheet)
{
	const struct series_layout *layout = sheet->layout;
	size_t bounds = 0;

	for (size_t i = 0; i < layout->count; i++) {
		const struct series_family *family = &layout->families[i];

		sheet->starts[i] = sheet->value_count;
		sheet->value_count += family_values(family);
		sheet->series_count += family_series(family);
		for (size_t j = 0; j < family->bound_count; j++)
			metrics_number(family->bounds[j], sheet->bounds[bounds++]);
	}
}

struct series_sheet *series_sheet_new(const struct series_layout *layout,
				      struct series_quotas *quotas)
{
	struct series_sheet *sheet = calloc(1, sizeof(*sheet));

	assert(layout->count <= SERIES_FAMILIES_LIMIT);
	if (!sheet)
		return NULL;
	sheet->layout = layout;
	sheet->quotas = quotas;
	sheet->bounds = calloc(count_bounds(layout) + 1, sizeof(*sheet->bounds));
	if (!sheet->bounds) {
		free(sheet);
		return NULL;
	}
	lay_out(sheet);
	return sheet;
}

struct series_sheet *series_sheet_free(struct series_sheet *sheet)
{
	struct series_row *row, *next;

	HASH_ITER(hh, sheet->rows, row, next)
		series_sheet_remove(sheet, row);
	free(sheet->bounds);
	free(sheet);
	return NULL;
}

static const char *key_of(const struct text *labels)
{
	return labels->data ? labels->data : "";
}

struct series_row *series_sheet_find(const struct series_sheet *sheet, const struct text *labels)
{
	struct series_row *row;

	HASH_FIND(hh, sheet->rows, key_of(labels), labels->length, row);
	return row;
}

struct series_row *series_sheet_add(struct series_sheet *sheet, const struct text *labels)
{
	struct series_row *row =
		calloc(1, sizeof(*row) + sheet->value_count * sizeof(row->values[0]));

	if (!row)
		return NULL;
	row->labels = strdup(key_of(labels));
	if (!row->labels) {
		free(row);
		return NULL;
	}
	row->sheet = sheet;
	HASH_ADD_KEYPTR(hh, sheet->rows, row->labels, labels->length, row);
	if (is_in_table(row))
		return row;
	free(row->labels);
	free(row);
	return NULL;
}

void series_sheet_remove(struct series_sheet *sheet, struct series_row *row)
{
	HASH_DELETE(hh, sheet->rows, row);
	free(row->labels);
	free(row);
}

double series_scale(const struct series_family *family, int64_t value)
{
	if (family->unit > 0 && family->unit < 1)
		return (double)value / (double)(int64_t)(1 / family->unit + 0.5);
	return family->unit > 1 ? (double)value * family->unit : (double)value;
}

static void append_line(struct text *out, const char *name, const char *suffix,
			const struct series_row *row, const char *bound, double value)
{
	char number[METRICS_NUMBER_SIZE];

	text_append_string(out, name);
	text_append_string(out, suffix);
	if (*row->labels || bound)
		text_append(out, "{", 1);
	text_append(out, row->labels, row->hh.keylen);
	if (bound) {
		text_append_string(out, *row->labels ? ",le=\"" : "le=\"");
		text_append_string(out, bound);
		text_append(out, "\"", 1);
	}
	text_append_string(out, *row->labels || bound ? "} " : " ");
	metrics_number(value, number);
	text_append_string(out, number);
	text_append(out, "\n", 1);
}

static void write_histogram(const struct series_row *row, const struct series_family *family,
			    const int64_t *values, char (*bounds)[METRICS_NUMBER_SIZE],
			    struct text *out)
{
	int64_t count = 0;

	for (size_t i = 0; i <= family->bound_count; i++) {
		count += values[i];
		append_line(out, family->name, "_bucket", row,
			    i < family->bound_count ? bounds[i] : "+Inf", (double)count);
	}
	append_line(out, family->name, "_sum", row, NULL,
		    series_scale(family, values[family->bound_count + 1]));
	append_line(out, family->name, "_count", row, NULL, (double)count);
}

static bool shows(const struct series_row *row, size_t family)
{
	return row->touched & UINT64_C(1) << family;
}

static void write_family(const struct series_sheet *sheet, size_t index,
			 char (*bounds)[METRICS_NUMBER_SIZE], struct text *out)
{
	const struct series_family *family = &sheet->layout->families[index];
	bool begun = false;

	for (const struct series_row *row = sheet->rows; row; row = row->hh.next) {
		const int64_t *values = &row->values[sheet->starts[index]];

		if (!shows(row, index))
			continue;
		if (!begun)
			metrics_family(out, family->name, family->type, family->help);
		begun = true;
		if (family->type == METRIC_HISTOGRAM)
			write_histogram(row, family, values, bounds, out);
		else
			append_line(out, family->name, "", row, NULL,
				    series_scale(family, values[0]));
	}
}

void series_row_show(struct series_row *row, size_t family)
{
	size_t more = family_series(&row->sheet->layout->families[family]);

	if (shows(row, family))
		return;
	row->touched |= UINT64_C(1) << family;
	row->series += more;
	if (!row->is_rest)
		row->sheet->quotas->series += more;
	series_charges_grow(row, more);
}

void series_sheet_write(const struct series_sheet *sheet, struct text *out)
{
	char(*bounds)[METRICS_NUMBER_SIZE] = sheet->bounds;

	if (!sheet->rows)
		return;
	for (size_t i = 0; i < sheet->layout->count; i++) {
		write_family(sheet, i, bounds, out);
		bounds += sheet->layout->families[i].bound_count;
	}
}
