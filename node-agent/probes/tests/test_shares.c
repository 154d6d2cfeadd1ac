// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Shares of namespaces: the rule by which each may have a further place. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/lib/share.h"

#define LIMIT 1000

/* Each of `count` takes as much as it may, in turns. */
static void take_all(uint64_t *held, size_t count)
{
	uint64_t all = 0;
	bool more = true;

	for (size_t i = 0; i < count; i++)
		all += held[i];
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++)
			if (share_has_room(held[i], all, LIMIT, 1)) {
				held[i]++;
				all++;
				more = true;
			}
	}
	assert_true(all <= LIMIT);
}

static void who_is_alone_has_three_quarters(void **state)
{
	uint64_t held[1] = {0};

	(void)state;
	take_all(held, 1);
	assert_int_equal(held[0], LIMIT * 3 / 4);
}

static void those_who_want_all_have_as_much(void **state)
{
	uint64_t held[10] = {0};

	(void)state;
	for (size_t count = 2; count <= 10; count++) {
		memset(held, 0, sizeof(held));
		take_all(held, count);
		for (size_t i = 0; i < count; i++)
			assert_in_range(held[i], LIMIT * 3 / (1 + 3 * count) - 2,
					LIMIT * 3 / (1 + 3 * count) + 2);
	}
}

/* However many want all, one more finds room. */
static void who_comes_late_has_room(void **state)
{
	uint64_t held[11] = {0};

	(void)state;
	take_all(held, 10);
	take_all(held, 11);
	assert_true(held[10] > LIMIT / 50);
}

static void a_full_table_has_no_room(void **state)
{
	(void)state;
	assert_false(share_has_room(0, LIMIT, LIMIT, 1));
	assert_false(share_has_room(0, LIMIT + 1, LIMIT, 1));
	assert_true(share_has_room(0, LIMIT - 1, LIMIT, 1));
}

static void many_places_are_taken_at_once_or_not(void **state)
{
	(void)state;
	assert_true(share_has_room(0, LIMIT - 10, LIMIT, 10));
	assert_false(share_has_room(0, LIMIT - 10, LIMIT, 11));
	assert_true(share_has_room(20, LIMIT - 10, LIMIT, 10));
	assert_false(share_has_room(21, LIMIT - 10, LIMIT, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_alone_has_three_quarters),
		cmocka_unit_test(those_who_want_all_have_as_much),
		cmocka_unit_test(who_comes_late_has_room),
		cmocka_unit_test(a_full_table_has_no_room),
		cmocka_unit_test(many_places_are_taken_at_once_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
