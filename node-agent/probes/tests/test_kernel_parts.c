// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the kernel half computes, run in user space: histogram slots; and the kernel's layout. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/lib/histogram.h"
#include "node-agent/probes/kernel_layout.h"

#define FIRST 6
#define SLOTS 18

static void test_slots_hold_what_is_up_to_their_bound(void **state)
{
	(void)state;
	assert_int_equal(histogram_slot(0, FIRST, SLOTS), 0);
	for (uint32_t slot = 0; slot + 1 < SLOTS; slot++) {
		assert_int_equal(histogram_slot(1U << (FIRST + slot), FIRST, SLOTS), slot);
		assert_int_equal(histogram_slot((1U << (FIRST + slot)) + 1, FIRST, SLOTS),
				 slot + 1);
	}
	assert_int_equal(histogram_slot(UINT32_MAX, FIRST, SLOTS), SLOTS - 1);
}

/* The quick way counts each value where the other one does. */
static void test_near_slots_are_the_same(void **state)
{
	const uint32_t bound = 1U << (FIRST + 15);

	(void)state;
	for (uint32_t value = 0; value <= bound; value++)
		if (histogram_near_slot(value, FIRST) != histogram_slot(value, FIRST, SLOTS))
			fail_msg("%u is in slot %u, not %u", value,
				 histogram_near_slot(value, FIRST),
				 histogram_slot(value, FIRST, SLOTS));
}

static void test_log2(void **state)
{
	(void)state;
	for (uint32_t power = 0; power < 32; power++) {
		assert_int_equal(histogram_log2(1U << power), power);
		assert_int_equal(histogram_log2((1U << power) | ((1U << power) - 1)), power);
	}
}

static const struct kernel_field fields[] = {
	{"task_struct", "tgid"},
	{"mm_struct", "arg_start"},
	{"task_struct", "no_such_member"},
	{"no_such_struct", "tgid"},
};

static void test_layout_of_this_kernel(void **state)
{
	uint32_t offsets[4] = {1, 1, 1, 1};

	(void)state;
	if (access(KERNEL_BTF, R_OK) != 0) {
		printf("skipped: no %s\n", KERNEL_BTF);
		skip();
	}
	assert_int_equal(kernel_layout_find(KERNEL_BTF, fields, 4, offsets), 2);
	assert_int_not_equal(offsets[0], 0);
	assert_int_not_equal(offsets[1], 0);
	assert_int_equal(offsets[2], 0);
	assert_int_equal(offsets[3], 0);
}

static void test_without_btf_nothing_is_known(void **state)
{
	uint32_t offsets[4] = {1, 1, 1, 1};

	(void)state;
	assert_int_equal(kernel_layout_find("/dev/null", fields, 4, offsets), 0);
	assert_int_equal(kernel_layout_find("/no/such/file", fields, 4, offsets), 0);
	assert_int_equal(offsets[0], 0);
	assert_int_equal(offsets[3], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_hold_what_is_up_to_their_bound),
		cmocka_unit_test(test_near_slots_are_the_same),
		cmocka_unit_test(test_log2),
		cmocka_unit_test(test_layout_of_this_kernel),
		cmocka_unit_test(test_without_btf_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
