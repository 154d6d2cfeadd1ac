// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/duration.h"

static void reads_what_people_write(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{"0s", 0},
		{"1ns", 1},
		{"7us", 7000},
		{"250ms", 250 * DURATION_MILLISECOND},
		{"2s", 2 * DURATION_SECOND},
		{"2m", 120 * DURATION_SECOND},
		{"1h", 3600 * DURATION_SECOND},
		{"1.5s", 1500 * DURATION_MILLISECOND},
		{"0.25ms", 250000},
		{"1m30s", 90 * DURATION_SECOND},
		{"1h0.5m1ms", DURATION_HOUR + 30 * DURATION_SECOND + DURATION_MILLISECOND},
		{"1.9999999999999999999999ns", 1},
		{"0.000000001s", 1},
		{"9223372036854775807ns", INT64_MAX},
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(duration_parse(cases[i].text, &ns, NULL), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void refuses_what_is_none(void **state)
{
	static const char *const texts[] = {
		"",    "5",    "ms",   "-1s", "+1s",  " 1s", "1s ",   "1 s",	   "1.s",
		".5s", "1,5s", "1e3s", "1S",  "1sec", "1s2", "1..5s", "\xc2\xb5s",
	};
	struct error error;
	uint64_t ns = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(duration_parse(texts[i], &ns, &error), -EINVAL);
		assert_says(error.message, "250ms, 1.5s or 2m");
		assert_int_equal(ns, 42);
	}
}

static void refuses_what_is_too_long(void **state)
{
	static const char *const texts[] = {
		"9223372036854775808ns",
		"99999999999999999999999999s",
		"2562048h",
		"2562047h9999999999s",
	};
	struct error error;
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(duration_parse(texts[i], &ns, &error), -ERANGE);
}

static void writes_what_it_reads(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0ns"},
		{1500, "1500ns"},
		{250 * DURATION_MILLISECOND, "250ms"},
		{1500 * DURATION_MILLISECOND, "1500ms"},
		{90 * DURATION_SECOND, "90s"},
		{DURATION_MINUTE, "1m"},
		{INT64_MAX, "9223372036854775807ns"},
	};
	char text[DURATION_TEXT_SIZE];
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		duration_format(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(duration_parse(text, &ns, NULL), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_people_write),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
