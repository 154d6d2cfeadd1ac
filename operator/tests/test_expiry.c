// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include "operator/expiry.h"

#define START 1795000000 /* some moment, seconds since 1970 */
#define HOUR  3600

#define EXPIRES "{'selector': {}, 'probes': [{'type': 'TCP'}], 'expiresAfter': '2h'}"

static struct policy *begun(const char *status_text)
{
	struct policy *policy = policy_of("p", EXPIRES);
	cleanup_json cJSON *status = status_text ? json_of(status_text) : NULL;

	expiry_begin(policy, status, START);
	return policy;
}

static void counts_from_the_change_of_the_spec(void **state)
{
	static const char *const statuses[] = {
		NULL,
		"{}",
		"{'observedGeneration': 3}",
		"{'observedGeneration': 3, 'expiresAt': 'soon'}",
		/* Of the spec before, whose time was over: a change starts anew. */
		"{'observedGeneration': 2, 'expiresAt': '2001-01-01T00:00:00Z'}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		struct policy *policy = begun(statuses[i]);

		assert_int_equal(policy->expires_at, START + 2 * HOUR);
		assert_false(policy->expired);
		assert_false(expiry_check(policy, START + 2 * HOUR - 1));
		assert_true(expiry_check(policy, START + 2 * HOUR));
		assert_true(policy->expired);
		assert_false(expiry_check(policy, START + 3 * HOUR));
		policy_free(policy);
	}
}

/* What an operator that is started anew finds. START is 2026-11-18T11:06:40Z. */
static void goes_on_where_the_status_says(void **state)
{
	struct policy *running =
		begun("{'observedGeneration': 3, 'expiresAt': '2026-11-18T11:06:50Z'}");
	struct policy *over =
		begun("{'observedGeneration': 3, 'expiresAt': '2026-11-18T11:06:39Z'}");

	(void)state;
	assert_int_equal(running->expires_at, START + 10);
	assert_false(running->expired);
	assert_true(over->expired);
	policy_free(running);
	policy_free(over);
}

static void never_lasts_longer_than_the_spec_says(void **state)
{
	struct policy *policy =
		begun("{'observedGeneration': 3, 'expiresAt': '2099-01-01T00:00:00Z'}");

	(void)state;
	assert_int_equal(policy->expires_at, START + 2 * HOUR);
	assert_true(expiry_check(policy, START - 10 * HOUR)); /* the clock was set back */
	assert_int_equal(policy->expires_at, START - 8 * HOUR);
	assert_false(policy->expired);
	policy_free(policy);
}

static void outlives_a_clock_that_was_ahead_for_a_moment(void **state)
{
	struct policy *policy = begun(NULL);

	(void)state;
	assert_true(expiry_check(policy, START + 100 * HOUR));
	assert_true(policy->expired);
	assert_true(expiry_check(policy, START + 1));
	assert_false(policy->expired);
	assert_int_equal(policy->expires_at, START + 2 * HOUR);
	policy_free(policy);
}

static void lasts_for_ever_where_nothing_is_said(void **state)
{
	struct policy *policy = policy_of("p", "{'selector': {}, 'probes': [{'type': 'TCP'}]}");

	(void)state;
	expiry_begin(policy, NULL, START);
	assert_false(expiry_check(policy, START + 1000000 * (time_t)HOUR));
	assert_int_equal(policy->expires_at, 0);
	assert_false(policy->expired);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_from_the_change_of_the_spec),
		cmocka_unit_test(goes_on_where_the_status_says),
		cmocka_unit_test(never_lasts_longer_than_the_spec_says),
		cmocka_unit_test(outlives_a_clock_that_was_ahead_for_a_moment),
		cmocka_unit_test(lasts_for_ever_where_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
