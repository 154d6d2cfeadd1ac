// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The names by which pods looked addresses up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node-agent/edges/learnt_names.h"

static struct ip_address address_of(unsigned int number)
{
	struct ip_address address = {{10}};

	memcpy(&address.bytes[8], &number, sizeof(number));
	return address;
}

static void learn(struct learnt_names *names, const char *pod, unsigned int number,
		  const char *name, uint32_t ttl_s, uint64_t now)
{
	const struct ip_address address = address_of(number);

	learnt_names_add(names, "shop", pod, &address, name, ttl_s, now);
}

static const char *name_of(struct learnt_names *names, const char *pod, unsigned int number,
			   uint64_t now)
{
	const struct ip_address address = address_of(number);

	return learnt_names_find(names, pod, &address, now);
}

static void test_each_pod_for_itself(void **state)
{
	struct learnt_names names = {0};

	(void)state;
	assert_string_equal(name_of(&names, "a", 1, 0), "");
	learn(&names, "a", 1, "one.example", 60, 0);
	learn(&names, "b", 1, "uno.example", 60, 0);
	assert_string_equal(name_of(&names, "a", 1, 0), "one.example");
	assert_string_equal(name_of(&names, "b", 1, 0), "uno.example");
	assert_string_equal(name_of(&names, "c", 1, 0), "");
	assert_string_equal(name_of(&names, "a", 2, 0), "");
	learnt_names_forget_pod(&names, "a");
	learnt_names_forget_pod(&names, "c");
	assert_string_equal(name_of(&names, "a", 1, 0), "");
	assert_string_equal(name_of(&names, "b", 1, 0), "uno.example");
	assert_int_equal(names.count, 1);
	learnt_names_clear(&names);
}

static void test_the_last_lookup_names(void **state)
{
	struct learnt_names names = {0};

	(void)state;
	learn(&names, "a", 1, "one.example", 60, 0);
	learn(&names, "a", 1, "two.example", 60, 1);
	assert_string_equal(name_of(&names, "a", 1, 2), "two.example");
	assert_int_equal(names.count, 1);
	learnt_names_clear(&names);
}

static void test_outlives_ttl_and_use(void **state)
{
	struct learnt_names names = {0};
	const uint64_t hour = 3600000;

	(void)state;
	learn(&names, "a", 1, "short.example", 1, 0);
	learn(&names, "a", 2, "long.example", 3600, 0);
	learn(&names, "a", 3, "endless.example", UINT32_MAX, 0);
	assert_string_equal(name_of(&names, "a", 1, LEARNT_NAMES_KEEP_MS - 1), "short.example");
	assert_string_equal(name_of(&names, "a", 1, 2 * LEARNT_NAMES_KEEP_MS - 2), "short.example");
	assert_string_equal(name_of(&names, "a", 1, 3 * LEARNT_NAMES_KEEP_MS - 2), "");
	assert_string_equal(name_of(&names, "a", 2, hour - 1), "long.example");
	assert_string_equal(name_of(&names, "a", 2, hour + LEARNT_NAMES_KEEP_MS), "");
	assert_string_equal(name_of(&names, "a", 3, 1000ULL * LEARNT_NAMES_TTL_LIMIT), "");
	assert_int_equal(names.count, 0);
	learnt_names_clear(&names);
}

static void test_what_is_no_name(void **state)
{
	struct learnt_names names = {0};
	char longest[LEARNT_NAMES_SIZE + 1];

	(void)state;
	learn(&names, "a", 1, "", 60, 0);
	learn(&names, "a", 1, "with space", 60, 0);
	learn(&names, "a", 1,
	      "b\xc3\xbc"
	      "cher",
	      60, 0);
	learn(&names, "a", 1, "line\nfeed", 60, 0);
	memset(longest, 'x', sizeof(longest));
	longest[LEARNT_NAMES_SIZE] = '\0';
	learn(&names, "a", 1, longest, 60, 0);
	assert_int_equal(names.count, 0);
	assert_null(names.pods);
	longest[LEARNT_NAMES_SIZE - 1] = '\0';
	learn(&names, "a", 1, longest, 60, 0);
	assert_string_equal(name_of(&names, "a", 1, 0), longest);
	learnt_names_clear(&names);
}

static void test_bound_of_a_pod(void **state)
{
	struct learnt_names names = {0};

	(void)state;
	learn(&names, "b", 1, "b.example", 60, 0);
	for (unsigned int i = 0; i < LEARNT_NAMES_POD_LIMIT; i++)
		learn(&names, "a", i, "a.example", 60, 0);
	(void)name_of(&names, "a", 0, 1);
	learn(&names, "a", LEARNT_NAMES_POD_LIMIT, "a.example", 60, 0);
	assert_string_equal(name_of(&names, "a", 0, 1), "a.example");
	assert_string_equal(name_of(&names, "a", 1, 1), ""); /* not used longest */
	assert_string_equal(name_of(&names, "b", 1, 1), "b.example");
	assert_int_equal(names.count, LEARNT_NAMES_POD_LIMIT + 1);
	learnt_names_clear(&names);
}

static void test_bound_of_the_node(void **state)
{
	struct learnt_names names = {0};

	(void)state;
	for (unsigned int i = 0; i < LEARNT_NAMES_LIMIT + 10; i++) {
		char pod[24];

		snprintf(pod, sizeof(pod), "%u", i / 100);
		learn(&names, pod, i, "a.example", 60, 0);
	}
	assert_int_equal(names.count, LEARNT_NAMES_LIMIT);
	assert_string_equal(name_of(&names, "0", 9, 0), "");
	assert_string_equal(name_of(&names, "0", 10, 0), "a.example");
	learnt_names_clear(&names);
}

/* However many names the pods of one namespace look up, those of others keep theirs. */
static void test_the_namespace_with_most_makes_room(void **state)
{
	const struct ip_address address = address_of(1);
	struct learnt_names names = {0};

	(void)state;
	learnt_names_add(&names, "bank", "till", &address, "bank.example", 60, 0);
	for (unsigned int i = 0; i < LEARNT_NAMES_LIMIT + 10; i++) {
		char pod[24];

		snprintf(pod, sizeof(pod), "%u", i / 100);
		learn(&names, pod, i, "a.example", 60, 0);
	}
	assert_int_equal(names.count, LEARNT_NAMES_LIMIT);
	assert_string_equal(name_of(&names, "till", 1, 0), "bank.example");
	assert_string_equal(name_of(&names, "0", 10, 0), "");
	assert_string_equal(name_of(&names, "0", 11, 0), "a.example");
	learnt_names_clear(&names);
	assert_null(names.namespaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_pod_for_itself),
		cmocka_unit_test(test_the_last_lookup_names),
		cmocka_unit_test(test_outlives_ttl_and_use),
		cmocka_unit_test(test_what_is_no_name),
		cmocka_unit_test(test_bound_of_a_pod),
		cmocka_unit_test(test_bound_of_the_node),
		cmocka_unit_test(test_the_namespace_with_most_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
