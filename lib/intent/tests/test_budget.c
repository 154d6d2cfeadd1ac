// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/intent/budget.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_what_is_given(void **state)
{
	static const struct {
		const char *text;
		uint32_t events, series;
	} cases[] = {
		{"{}", 0, 0},
		{"{'eventsPerSecond': 1}", 1, 0},
		{"{'eventsPerSecond': 100000, 'series': 10000}", 100000, 10000},
		{"{'series': 1, 'cpu': '10m'}", 0, 1},
	};
	struct budget budget;

	(void)state;
	assert_int_equal(budget_decode(NULL, &budget, NULL), 0);
	assert_true(budget_is_open(&budget));
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_json cJSON *json = json_of(cases[i].text);

		assert_int_equal(budget_decode(json, &budget, NULL), 0);
		assert_int_equal(budget.most[BUDGET_EVENTS], cases[i].events);
		assert_int_equal(budget.most[BUDGET_SERIES], cases[i].series);
	}
}

static void refuses_with_field_and_remedy(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"[]", "must be an object"},
		{"{'eventsPerSecond': 0}",
		 "eventsPerSecond: must be a whole number from 1 to 100000"},
		{"{'eventsPerSecond': -1}", "eventsPerSecond: "},
		{"{'eventsPerSecond': 1.5}", "eventsPerSecond: "},
		{"{'eventsPerSecond': '5'}", "eventsPerSecond: "},
		{"{'eventsPerSecond': null}", "eventsPerSecond: "},
		{"{'eventsPerSecond': 100001}", "eventsPerSecond: "},
		{"{'eventsPerSecond': 4294967301}", "eventsPerSecond: "},
		{"{'series': 10001}", "series: must be a whole number from 1 to 10000"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_json cJSON *json = json_of(cases[i].text);
		struct budget budget = {{7, 7}};
		struct error error = {0};

		if (budget_decode(json, &budget, &error) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		assert_says(error.message, cases[i].part);
		assert_int_equal(budget.most[BUDGET_EVENTS], 7);
	}
}

static void reads_back_what_it_wrote(void **state)
{
	static const struct budget budgets[] = {{{0, 0}}, {{5, 0}}, {{0, 9}}, {{5, 9}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(budgets); i++) {
		cleanup_json cJSON *json = cJSON_CreateObject();
		struct budget budget;

		assert_true(budget_encode(&budgets[i], json));
		assert_int_equal(budget_decode(json, &budget, NULL), 0);
		assert_true(budget_equal(&budget, &budgets[i]));
		assert_int_equal(budget_is_open(&budget), i == 0);
		assert_int_equal(budget_equal(&budget, &budgets[3]), i == 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_given),
		cmocka_unit_test(refuses_with_field_and_remedy),
		cmocka_unit_test(reads_back_what_it_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
