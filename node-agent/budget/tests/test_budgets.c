// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include "lib/base/tests/starve.h"

#include "node-agent/budget/budgets.h"

static char a[] = "shop/a", b[] = "shop/b", open_policy[] = "shop/open";
static char *both_items[] = {a, b}, *a_items[] = {a}, *mixed_items[] = {a, open_policy};
static const struct strings both = {both_items, 2}, only_a = {a_items, 1}, mixed = {mixed_items, 2};
static const struct strings nobody = {0};

/* The selection is one pod whose policies `a` and `b` may tell so many events; 0: any number. */
static void select_budgets(struct budgets *budgets, uint32_t events_a, uint32_t events_b)
{
	struct selected_budget list[] = {{a, {{events_a, 0}}}, {b, {{events_b, 70}}}};
	const struct selected_pod pod = {.budgets = list, .budget_count = 2};

	budgets_begin(budgets);
	assert_int_equal(budgets_add_pod(budgets, &pod), 0);
	budgets_end(budgets);
}

static void select_only_a(struct budgets *budgets, uint32_t events)
{
	struct selected_budget list[] = {{a, {{events, 0}}}};
	const struct selected_pod pod = {.budgets = list, .budget_count = 1};

	budgets_begin(budgets);
	assert_int_equal(budgets_add_pod(budgets, &pod), 0);
	budgets_end(budgets);
}

/* How many of `count` events at `now` are told at all. */
static unsigned int admit(struct budgets *budgets, const struct strings *policies,
			  unsigned int count, uint64_t now)
{
	bool told[SELECTION_POLICIES_LIMIT];
	unsigned int admitted = 0;

	while (count--)
		admitted += budgets_admit(budgets, policies, now, told);
	return admitted;
}

static uint64_t shed_of(const struct budgets *budgets, const char *policy)
{
	struct throttle *throttle;

	HASH_FIND_STR(budgets->throttles.by_policy, policy, throttle);
	return throttle ? throttle->shed : 0;
}

static void bounds_nothing_that_has_no_budget(void **state)
{
	struct budgets budgets = {0};

	(void)state;
	assert_int_equal(admit(&budgets, &both, 10000, 0), 10000);
	assert_int_equal(admit(&budgets, &nobody, 10, 0), 10);
	assert_int_equal(budgets_series_limit(&budgets, a), BUDGET_SERIES_MOST);
	select_budgets(&budgets, 0, 5);
	assert_int_equal(admit(&budgets, &only_a, 10000, 0), 10000);
	assert_int_equal(budgets_series_limit(&budgets, a), BUDGET_SERIES_MOST);
	assert_int_equal(budgets_series_limit(&budgets, b), 70);
	budgets_free(&budgets);
}

/* A second's worth at once, then as many a second; each that is shed is counted. */
static void holds_a_rate(void **state)
{
	static const uint32_t rates[] = {1, 3, 5, 200, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct budgets budgets = {0};
		uint64_t told = 0, sent = 0;

		select_budgets(&budgets, rates[i], 1);
		assert_int_equal(admit(&budgets, &only_a, rates[i] + 9, 5000), rates[i]);
		assert_int_equal(shed_of(&budgets, a), 9);
		for (uint64_t now = 5100; now <= 15000; now += 100, sent += rates[i])
			told += admit(&budgets, &only_a, rates[i], now);
		assert_in_range(told, 9 * (uint64_t)rates[i], 10 * (uint64_t)rates[i]);
		assert_int_equal(shed_of(&budgets, a), 9 + sent - told);
		budgets_free(&budgets);
	}
}

/* Who still has tokens is told; who has none is not, and is counted. */
static void bounds_each_policy_of_an_event(void **state)
{
	struct budgets budgets = {0};
	bool told[SELECTION_POLICIES_LIMIT];

	(void)state;
	select_budgets(&budgets, 1, 3);
	assert_true(budgets_admit(&budgets, &both, 0, told));
	assert_true(told[0] && told[1]);
	assert_true(budgets_admit(&budgets, &both, 0, told));
	assert_true(!told[0] && told[1]);
	assert_true(budgets_admit(&budgets, &mixed, 0, told));
	assert_true(!told[0] && told[1]);
	assert_true(budgets_admit(&budgets, &both, 0, told));
	assert_false(budgets_admit(&budgets, &both, 0, told));
	assert_int_equal(shed_of(&budgets, a), 4);
	assert_int_equal(shed_of(&budgets, b), 1);
	assert_int_equal(shed_of(&budgets, open_policy), 0);
	budgets_free(&budgets);
}

/* An edit holds at once, and fills no bucket. */
static void takes_edits_over_at_once(void **state)
{
	struct budgets budgets = {0};

	(void)state;
	select_budgets(&budgets, 5, 1);
	assert_int_equal(admit(&budgets, &only_a, 10, 0), 5);
	select_budgets(&budgets, 5, 1);
	assert_int_equal(admit(&budgets, &only_a, 10, 0), 0);
	select_budgets(&budgets, 100, 1);
	assert_int_equal(admit(&budgets, &only_a, 1000, 500), 50);
	budgets_begin(&budgets);
	budgets_end(&budgets);
	assert_null(budgets.by_policy);
	assert_int_equal(admit(&budgets, &only_a, 1000, 500), 1000);
	budgets_free(&budgets);
}

struct hunger {
	struct budgets *budgets;
	const struct selected_pod *pod;
};

static bool take_over(void *context)
{
	struct hunger *hunger = context;
	int result;

	budgets_free(hunger->budgets);
	budgets_begin(hunger->budgets);
	result = budgets_add_pod(hunger->budgets, hunger->pod);
	budgets_end(hunger->budgets);
	return result == 0;
}

/* The policy `a` has a bound, `b` is new: without memory for `b`, the bound of `a` is the new one.
 */
static bool take_over_more(void *context)
{
	struct selected_budget list[] = {{b, {{1, 0}}}, {a, {{2, 0}}}};
	const struct selected_pod pod = {.budgets = list, .budget_count = 2};
	struct budgets *budgets = context;
	int result;

	starve_pause();
	budgets_free(budgets);
	select_only_a(budgets, 1);
	starve_resume();
	budgets_begin(budgets);
	result = budgets_add_pod(budgets, &pod);
	budgets_end(budgets);
	starve_pause();
	assert_int_equal(admit(budgets, &only_a, 10, 0), 2);
	return result == 0;
}

/* What cannot be counted as shed is told: nothing is lost without a count. */
static bool shed_one(void *context)
{
	struct budgets *budgets = context;
	unsigned int told;

	throttles_free(&budgets->throttles);
	told = admit(budgets, &only_a, 1, 0);
	assert_int_equal(told + shed_of(budgets, a), 1);
	return told == 0;
}

static void stays_whole_without_memory(void **state)
{
	struct selected_budget list[] = {{a, {{1, 0}}}, {b, {{1, 70}}}};
	const struct selected_pod pod = {.budgets = list, .budget_count = 2};
	struct budgets budgets = {0};
	struct hunger hunger = {&budgets, &pod};

	(void)state;
	assert_true(starve(take_over, &hunger) > 3);
	assert_int_equal(admit(&budgets, &only_a, 1, 0), 1);
	assert_true(starve(shed_one, &budgets) > 1);
	budgets_free(&budgets);
}

static void keeps_bounds_without_memory_for_others(void **state)
{
	struct budgets budgets = {0};

	(void)state;
	assert_true(starve(take_over_more, &budgets) > 1);
	budgets_free(&budgets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_nothing_that_has_no_budget),
		cmocka_unit_test(holds_a_rate),
		cmocka_unit_test(bounds_each_policy_of_an_event),
		cmocka_unit_test(takes_edits_over_at_once),
		cmocka_unit_test(stays_whole_without_memory),
		cmocka_unit_test(keeps_bounds_without_memory_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
