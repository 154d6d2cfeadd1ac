// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/duration.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Two letters before one, so that "ms" is not taken for minutes. */
static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", DURATION_MILLISECOND},
	{"s", DURATION_SECOND},
	{"m", DURATION_MINUTE},
	{"h", DURATION_HOUR},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

static const struct unit *unit_at(const char *text)
{
	for (size_t i = 0; i < UNITS; i++)
		if (strncmp(text, units[i].name, strlen(units[i].name)) == 0)
			return &units[i];
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the digits behind the point as ns of a unit; what is below 1 ns is dropped. */
static const char *read_fraction(const char *text, const char **ret_digits, size_t *ret_count)
{
	*ret_digits = text;
	while (is_digit(*text))
		text++;
	*ret_count = (size_t)(text - *ret_digits);
	return text;
}

static uint64_t fraction_of(const char *digits, size_t count, uint64_t unit)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count && unit > 0; i++) {
		unit /= 10;
		sum += unit * (uint64_t)(digits[i] - '0');
	}
	return sum;
}

/* Adds without going beyond 2^63. */
static bool add(uint64_t *sum, uint64_t more)
{
	return !__builtin_add_overflow(*sum, more, sum) && *sum <= INT64_MAX;
}

static bool multiply(uint64_t *value, uint64_t factor)
{
	return !__builtin_mul_overflow(*value, factor, value) && *value <= INT64_MAX;
}

/* Reads "1.5s" at *text, moves on behind it and adds it up. */
static int read_part(const char **text, uint64_t *sum)
{
	const char *at = *text, *digits = NULL;
	const struct unit *unit;
	uint64_t whole = 0;
	size_t count = 0;
	bool fits = true;

	if (!is_digit(*at))
		return -EINVAL;
	for (; is_digit(*at); at++)
		fits = fits && multiply(&whole, 10) && add(&whole, (uint64_t)(*at - '0'));
	if (*at == '.') {
		at = read_fraction(at + 1, &digits, &count);
		if (count == 0)
			return -EINVAL;
	}
	unit = unit_at(at);
	if (!unit)
		return -EINVAL;
	if (!fits || !multiply(&whole, unit->ns) || !add(sum, whole) ||
	    !add(sum, fraction_of(digits, count, unit->ns)))
		return -ERANGE;
	*text = at + strlen(unit->name);
	return 0;
}

int duration_parse(const char *text, uint64_t *ret_ns, struct error *error)
{
	const char *at = text;
	uint64_t sum = 0;
	int result;

	do {
		result = read_part(&at, &sum);
	} while (result == 0 && *at);
	if (result == -ERANGE)
		return error_set(error, ERANGE, "\"%.40s\" is too long a time", text);
	if (result < 0)
		return error_set(error, EINVAL,
				 "\"%.40s\" is no duration; write a number and its unit, like "
				 "250ms, 1.5s or 2m",
				 text);
	*ret_ns = sum;
	return 0;
}

void duration_format(uint64_t ns, char ret_text[DURATION_TEXT_SIZE])
{
	const struct unit *unit = &units[0];

	for (size_t i = 1; i < UNITS && ns > 0; i++)
		if (ns % units[i].ns == 0)
			unit = &units[i];
	snprintf(ret_text, DURATION_TEXT_SIZE, "%llu%s", (unsigned long long)(ns / unit->ns),
		 unit->name);
}
