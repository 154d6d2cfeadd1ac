// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <stdio.h>

#include "lib/base/text.h"
#include "node-agent/budget/throttles.h"

static void note(struct throttles *throttles, const char *policy, enum budget_part part,
		 uint32_t most, uint64_t now)
{
	assert_int_equal(throttles_note(throttles, policy, part, most, now), 0);
}

/* "policy:events/shed:series " of each policy that is beyond a bound. */
static void check_told(const struct throttles *throttles, const char *wanted)
{
	struct report report = {0};
	char told[256] = "";

	assert_int_equal(throttles_report(throttles, &report), 0);
	for (size_t i = 0; i < report.throttle_count; i++) {
		const struct report_throttle *throttle = &report.throttles[i];

		snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s:%u/%u:%u ",
			 throttle->policy, throttle->beyond.most[BUDGET_EVENTS],
			 throttle->shed_per_second, throttle->beyond.most[BUDGET_SERIES]);
	}
	assert_string_equal(told, wanted);
	report_free(&report);
}

static void check_written(const struct throttles *throttles, const char *wanted)
{
	struct text out = TEXT_EMPTY;

	throttles_write(throttles, "x", &out);
	assert_string_equal(out.data ? out.data : "", wanted);
	text_free(&out);
}

static void tells_who_is_beyond_until_a_while_after(void **state)
{
	struct throttles throttles = {0};

	(void)state;
	assert_true(throttles_are_quiet(&throttles));
	assert_false(throttles_review(&throttles, 1000));
	note(&throttles, "shop/a", BUDGET_SERIES, 100, 2000);
	assert_false(throttles_are_quiet(&throttles));
	assert_true(throttles_review(&throttles, 3000));
	check_told(&throttles, "shop/a:0/0:100 ");
	note(&throttles, "shop/a", BUDGET_SERIES, 100, 12000);
	assert_false(throttles_review(&throttles, 12000));
	assert_false(throttles_review(&throttles, 12000 + THROTTLE_HOLD_MS - 1));
	check_told(&throttles, "shop/a:0/0:100 ");
	assert_true(throttles_review(&throttles, 12000 + THROTTLE_HOLD_MS));
	check_told(&throttles, "");
	assert_true(throttles_are_quiet(&throttles));
	throttles_free(&throttles);
}

/* Another bound is news, though the policy was beyond one before. */
static void tells_the_bound_that_holds(void **state)
{
	struct throttles throttles = {0};

	(void)state;
	note(&throttles, "a", BUDGET_SERIES, 100, 0);
	assert_true(throttles_review(&throttles, 0));
	note(&throttles, "a", BUDGET_SERIES, 200, 10);
	assert_true(throttles_review(&throttles, 10));
	check_told(&throttles, "a:0/0:200 ");
	throttles_free(&throttles);
}

static void shed(struct throttles *throttles, unsigned int count, uint64_t now)
{
	while (count--)
		note(throttles, "shop/a", BUDGET_EVENTS, 5, now);
}

/* To one digit: what wavers a little is told once. */
static void tells_about_how_much_is_shed(void **state)
{
	struct throttles throttles = {0};

	(void)state;
	shed(&throttles, 1, 0);
	assert_true(throttles_review(&throttles, 10));
	check_told(&throttles, "shop/a:5/0:0 ");
	shed(&throttles, 193, 500);
	assert_true(throttles_review(&throttles, 1000));
	check_told(&throttles, "shop/a:5/200:0 ");
	shed(&throttles, 2006, 9000);
	assert_false(throttles_review(&throttles, 10000));
	check_told(&throttles, "shop/a:5/200:0 ");
	shed(&throttles, 3, 15000);
	assert_true(throttles_review(&throttles, 20000));
	check_told(&throttles, "shop/a:5/1:0 ");
	check_written(&throttles, "x{stage=\"rate_limited\",k8s_namespace_name=\"shop\","
				  "policy=\"a\"} 2203\n");
	throttles_free(&throttles);
}

/* Whoever scrapes seldom still sees what was counted; nothing is kept for ever. */
static void keeps_counts_for_a_while(void **state)
{
	struct throttles throttles = {0};

	(void)state;
	shed(&throttles, 2, 0);
	note(&throttles, "whole", BUDGET_SERIES, 7, 0);
	(void)throttles_review(&throttles, THROTTLE_KEPT_MS - 1);
	check_told(&throttles, "");
	check_written(&throttles, "x{stage=\"rate_limited\",k8s_namespace_name=\"shop\","
				  "policy=\"a\"} 2\n");
	(void)throttles_review(&throttles, THROTTLE_KEPT_MS);
	assert_null(throttles.by_policy);
	check_written(&throttles, "");
}

static void begins_anew_after_a_pause(void **state)
{
	struct throttles throttles = {0};

	(void)state;
	shed(&throttles, 500, 0);
	(void)throttles_review(&throttles, 1000);
	(void)throttles_review(&throttles, 1000 + THROTTLE_HOLD_MS);
	check_told(&throttles, "");
	shed(&throttles, 2, 60000);
	assert_true(throttles_review(&throttles, 61000));
	check_told(&throttles, "shop/a:5/2:0 ");
	throttles_free(&throttles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_who_is_beyond_until_a_while_after),
		cmocka_unit_test(tells_the_bound_that_holds),
		cmocka_unit_test(tells_about_how_much_is_shed),
		cmocka_unit_test(keeps_counts_for_a_while),
		cmocka_unit_test(begins_anew_after_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
