// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/net/address.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_and_writes_both_families(void **state)
{
	static const char *const texts[][2] = {
		{"10.0.0.7", "10.0.0.7"},     {"::ffff:10.0.0.7", "10.0.0.7"},
		{"0.0.0.0", "0.0.0.0"},	      {"fd00::7", "fd00::7"},
		{"FD00:0:0::7", "fd00::7"},   {"::", "::"},
		{"::10.0.0.7", "::10.0.0.7"}, {"255.255.255.255", "255.255.255.255"},
	};
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address address;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		assert_true(ip_address_parse(texts[i][0], &address));
		assert_string_equal(ip_address_format(&address, text), texts[i][1]);
	}
}

static void maps_ipv4(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 1, 7};
	struct ip_address address;

	(void)state;
	assert_true(ip_address_parse("10.0.1.7", &address));
	assert_memory_equal(address.bytes, bytes, sizeof(bytes));
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const texts[] = {"",		  "None",	  "10.0.0",
					    "10.0.0.256", "fe80::1%eth0", "[fd00::7]",
					    " 10.0.0.7",  "10.0.0.7/24"};
	struct ip_address address = {{42}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		assert_false(ip_address_parse(texts[i], &address));
	assert_false(ip_address_parse(NULL, &address));
	assert_int_equal(address.bytes[0], 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_both_families),
		cmocka_unit_test(maps_ipv4),
		cmocka_unit_test(refuses_what_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
