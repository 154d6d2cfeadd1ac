// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/pointer_set.h"

#define ITEMS  300
#define ROUNDS 20000

/* Few hashes for many items, so that they lie in each other's way and around the end. */
static uint64_t hash_number(const void *item)
{
	return *(const int *)item % 7 + UINT64_MAX - 3;
}

static bool equal_number(const void *item, const void *key)
{
	return *(const int *)item == *(const int *)key;
}

static const struct pointer_set_kind crowded = {hash_number, equal_number};

static void check(const struct pointer_set *set, int numbers[ITEMS], const bool in[ITEMS])
{
	size_t count = 0;

	for (int i = 0; i < ITEMS; i++) {
		void *found =
			pointer_set_find(set, &crowded, &numbers[i], hash_number(&numbers[i]));

		assert_ptr_equal(found, in[i] ? &numbers[i] : NULL);
		count += in[i];
	}
	assert_int_equal(set->count, count);
}

static void holds_what_was_added_and_not_removed(void **state)
{
	struct pointer_set set = {0};
	int numbers[ITEMS];
	bool in[ITEMS] = {0};
	unsigned int chance = 1;

	(void)state;
	for (int i = 0; i < ITEMS; i++)
		numbers[i] = i;
	for (int round = 0; round < ROUNDS; round++) {
		int i = (int)((chance = chance * 1103515245 + 12345) >> 16) % ITEMS;

		if (in[i])
			pointer_set_remove(&set, &crowded, &numbers[i]);
		else
			assert_int_equal(pointer_set_add(&set, &crowded, &numbers[i]), 0);
		in[i] = !in[i];
		if (round % 100 == 0)
			check(&set, numbers, in);
	}
	check(&set, numbers, in);
	pointer_set_free(&set);
	assert_null(pointer_set_find(&set, &crowded, &numbers[0], 0));
}

static void puts_one_in_the_place_of_another(void **state)
{
	struct pointer_set set = {0};
	int number = 1, same = 1;

	(void)state;
	assert_int_equal(pointer_set_add(&set, &crowded, &number), 0);
	pointer_set_replace(&set, &crowded, &number, &same);
	assert_ptr_equal(pointer_set_find(&set, &crowded, &number, hash_number(&number)), &same);
	assert_int_equal(set.count, 1);
	pointer_set_remove(&set, &crowded, &same);
	assert_null(set.slots);
}

static void hashes_every_byte(void **state)
{
	(void)state;
	assert_true(pointer_set_hash("a", 1) != pointer_set_hash("b", 1));
	assert_true(pointer_set_hash("a", 1) != pointer_set_hash("a\0", 2));
	assert_true(pointer_set_hash("", 0) != pointer_set_hash("\0", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_added_and_not_removed),
		cmocka_unit_test(puts_one_in_the_place_of_another),
		cmocka_unit_test(hashes_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
