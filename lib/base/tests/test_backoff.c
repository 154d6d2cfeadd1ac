// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/backoff.h"

static void doubles_to_its_bound(void **state)
{
	static const uint32_t bounds[] = {100, 200, 400, 800, 1000, 1000, 1000};
	struct backoff backoff = {.least = 100, .most = 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		assert_int_equal(backoff_next(&backoff, bounds[i] / 2), bounds[i]);
}

static void stays_between_half_and_whole(void **state)
{
	(void)state;
	for (uint32_t random = 0; random < 1000; random++) {
		struct backoff backoff = {.least = 101, .most = 1000};

		assert_in_range(backoff_next(&backoff, random * 4294967U), 51, 101);
	}
}

static void starts_again_after_a_success(void **state)
{
	struct backoff backoff = {.least = 100, .most = 1000};

	(void)state;
	for (int i = 0; i < 5; i++)
		backoff_next(&backoff, 0);
	backoff_reset(&backoff);
	assert_int_equal(backoff_next(&backoff, 0), 50);
	assert_int_equal(backoff_next(&backoff, 0), 100);
}

static void does_not_overflow(void **state)
{
	struct backoff backoff = {.least = 1, .most = UINT32_MAX};

	(void)state;
	for (int i = 0; i < 100; i++)
		backoff_next(&backoff, 0);
	assert_int_equal(backoff_next(&backoff, 0), UINT32_MAX - UINT32_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_to_its_bound),
		cmocka_unit_test(stays_between_half_and_whole),
		cmocka_unit_test(starts_again_after_a_success),
		cmocka_unit_test(does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
