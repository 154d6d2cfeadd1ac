// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/metrics/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_LIMIT 9007199254740992.0 /* 2^53: up to it a double holds every integer */

static const char *type_name(enum metric_type type)
{
	switch (type) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_GAUGE:
		return "gauge";
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	return "untyped";
}

/* Writes `value` with a backslash before each of `special`, and \n for a line feed. */
static void append_escaped(struct text *out, const char *value, const char *special)
{
	size_t plain;

	while (*value) {
		plain = strcspn(value, special);
		text_append(out, value, plain);
		value += plain;
		if (!*value)
			return;
		text_append(out, "\\", 1);
		text_append(out, *value == '\n' ? "n" : value, 1);
		value++;
	}
}

void metrics_family(struct text *out, const char *name, enum metric_type type, const char *help)
{
	text_append_format(out, "# HELP %s ", name);
	append_escaped(out, help, "\\\n");
	text_append_format(out, "\n# TYPE %s %s\n", name, type_name(type));
}

/* printf() writes the decimal point of the locale; the format knows only one. */
static void point_restore(char *number)
{
	size_t sign = number[0] == '-';
	size_t digits = sign + strspn(number + sign, "0123456789");
	size_t tail = digits + strcspn(number + digits, "0123456789e");

	if (tail == digits || !number[digits])
		return;
	number[digits] = '.';
	memmove(number + digits + 1, number + tail, strlen(number + tail) + 1);
}

void metrics_number(double value, char number[METRICS_NUMBER_SIZE])
{
	if (isnan(value))
		snprintf(number, METRICS_NUMBER_SIZE, "NaN");
	else if (isinf(value))
		snprintf(number, METRICS_NUMBER_SIZE, value > 0 ? "+Inf" : "-Inf");
	else if (fabs(value) <= EXACT_LIMIT && value == (double)(int64_t)value)
		snprintf(number, METRICS_NUMBER_SIZE, "%" PRId64, (int64_t)value);
	else {
		snprintf(number, METRICS_NUMBER_SIZE, "%.15g", value);
		if (strtod(number, NULL) != value)
			snprintf(number, METRICS_NUMBER_SIZE, "%.17g", value);
		point_restore(number);
	}
}

static void append_label(struct text *out, const struct metric_label *label)
{
	text_append_string(out, label->name);
	text_append(out, "=\"", 2);
	append_escaped(out, label->value, "\\\"\n");
	text_append(out, "\"", 1);
}

void metrics_labels(struct text *out, const struct metric_label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i)
			text_append(out, ",", 1);
		append_label(out, &labels[i]);
	}
}

/* `le` is the bound of a histogram's bucket, or NULL. */
static void append_labels(struct text *out, const struct metric_label *labels, size_t count,
			  const char *le)
{
	const struct metric_label bound = {.name = "le", .value = le};

	if (!count && !le)
		return;
	text_append(out, "{", 1);
	metrics_labels(out, labels, count);
	if (le) {
		if (count)
			text_append(out, ",", 1);
		append_label(out, &bound);
	}
	text_append(out, "}", 1);
}

void metrics_sample(struct text *out, const char *name, const struct metric_label *labels,
		    size_t label_count, double value)
{
	char number[METRICS_NUMBER_SIZE];

	metrics_number(value, number);
	text_append_string(out, name);
	append_labels(out, labels, label_count, NULL);
	text_append_format(out, " %s\n", number);
}

static void append_bucket(struct text *out, const char *name, const struct metric_label *labels,
			  size_t label_count, double bound, uint64_t count)
{
	char le[METRICS_NUMBER_SIZE];

	metrics_number(bound, le);
	text_append_format(out, "%s_bucket", name);
	append_labels(out, labels, label_count, le);
	text_append_format(out, " %" PRIu64 "\n", count);
}

void metrics_histogram(struct text *out, const char *name, const struct metric_label *labels,
		       size_t label_count, const double *bounds, const uint64_t *counts,
		       size_t bound_count, double sum)
{
	char number[METRICS_NUMBER_SIZE];
	uint64_t count = 0;

	for (size_t i = 0; i <= bound_count; i++) {
		count += counts[i];
		append_bucket(out, name, labels, label_count,
			      i < bound_count ? bounds[i] : INFINITY, count);
	}
	metrics_number(sum, number);
	text_append_format(out, "%s_sum", name);
	append_labels(out, labels, label_count, NULL);
	text_append_format(out, " %s\n%s_count", number, name);
	append_labels(out, labels, label_count, NULL);
	text_append_format(out, " %" PRIu64 "\n", count);
}
