// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/link/backoff.h"

static void test_doubles_up_to_the_limit(void **state)
{
	static const uint64_t pauses[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(link_backoff(i, 100, 5000, 0), pauses[i]);
	assert_int_equal(link_backoff(UINT32_MAX, 100, 5000, 0), 5000);
}

static void test_chance_takes_half_at_most(void **state)
{
	(void)state;
	assert_int_equal(link_backoff(1, 100, 5000, UINT32_MAX), 100);
	assert_int_equal(link_backoff(1, 100, 5000, UINT32_MAX / 2 + 1), 150);
	assert_int_equal(link_backoff(9, 100, 5000, UINT32_MAX), 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_the_limit),
		cmocka_unit_test(test_chance_takes_half_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
