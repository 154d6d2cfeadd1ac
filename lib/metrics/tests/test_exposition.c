// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/metrics/exposition.h"

static void assert_value(double value, const char *expected)
{
	struct text out = TEXT_EMPTY;

	metrics_sample(&out, "m", NULL, 0, value);
	assert_int_equal(out.data[out.length - 1], '\n');
	out.data[out.length - 1] = '\0';
	assert_string_equal(out.data + 2, expected);
	text_free(&out);
}

static void test_writes_numbers(void **state)
{
	(void)state;
	assert_value(0, "0");
	assert_value(-0.0, "0");
	assert_value(1, "1");
	assert_value(-7, "-7");
	assert_value(1e15, "1000000000000000");
	assert_value(9007199254740992.0, "9007199254740992");
	assert_value(9007199254740991.0, "9007199254740991");
	assert_value(-9007199254740992.0, "-9007199254740992");
	assert_value(1e300, "1e+300");
	assert_value(0.1, "0.1");
	assert_value(1.0 / 3, "0.33333333333333331");
	assert_value(0.00025, "0.00025");
	assert_value(5e-324, "4.94065645841247e-324");
	assert_value(INFINITY, "+Inf");
	assert_value(-INFINITY, "-Inf");
	assert_value(NAN, "NaN");
}

/* In a locale whose decimal point is a comma, where the machine has one. */
static void test_knows_no_locale(void **state)
{
	static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8"};
	const char *set = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]) && !set; i++)
		set = setlocale(LC_NUMERIC, locales[i]);
	if (!set)
		skip();
	assert_value(0.5, "0.5");
	assert_value(-1234.5, "-1234.5");
	assert_value(1.5e300, "1.5e+300");
	setlocale(LC_NUMERIC, "C");
}

static void test_escapes(void **state)
{
	const struct metric_label labels[] = {{"path", "C:\\a\"b\"\nc"}, {"empty", ""}};
	struct text out = TEXT_EMPTY;

	(void)state;
	metrics_family(&out, "skep_x", METRIC_COUNTER, "A \\ and a\nbreak, \"quoted\".");
	metrics_sample(&out, "skep_x", labels, 2, 3);
	assert_string_equal(out.data, "# HELP skep_x A \\\\ and a\\nbreak, \"quoted\".\n"
				      "# TYPE skep_x counter\n"
				      "skep_x{path=\"C:\\\\a\\\"b\\\"\\nc\",empty=\"\"} 3\n");
	text_free(&out);
}

static void test_names_types(void **state)
{
	struct text out = TEXT_EMPTY;

	(void)state;
	metrics_family(&out, "a", METRIC_GAUGE, "");
	metrics_family(&out, "b", METRIC_HISTOGRAM, "x");
	assert_string_equal(out.data,
			    "# HELP a \n# TYPE a gauge\n# HELP b x\n# TYPE b histogram\n");
	text_free(&out);
}

static void test_cumulates_histograms(void **state)
{
	static const double bounds[] = {0.001, 0.5, 2};
	static const uint64_t counts[] = {1, 0, 4, UINT64_C(1) << 60};
	const struct metric_label label = {"pod", "web"};
	struct text out = TEXT_EMPTY;

	(void)state;
	metrics_histogram(&out, "d", &label, 1, bounds, counts, 3, 12.5);
	assert_string_equal(out.data, "d_bucket{pod=\"web\",le=\"0.001\"} 1\n"
				      "d_bucket{pod=\"web\",le=\"0.5\"} 1\n"
				      "d_bucket{pod=\"web\",le=\"2\"} 5\n"
				      "d_bucket{pod=\"web\",le=\"+Inf\"} 1152921504606846981\n"
				      "d_sum{pod=\"web\"} 12.5\n"
				      "d_count{pod=\"web\"} 1152921504606846981\n");
	text_clear(&out);
	metrics_histogram(&out, "e", NULL, 0, NULL, counts, 0, 0);
	assert_string_equal(out.data, "e_bucket{le=\"+Inf\"} 1\ne_sum 0\ne_count 1\n");
	text_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_numbers),
		cmocka_unit_test(test_knows_no_locale),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_names_types),
		cmocka_unit_test(test_cumulates_histograms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
