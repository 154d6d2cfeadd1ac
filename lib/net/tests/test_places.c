// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/net/places.h"

#define LIMIT 8

/* Places of which each letter is one, by its source; a capital letter is busy. */
struct hall {
	struct net_place places[LIMIT];
	const struct net_place *pointers[LIMIT];
	size_t count;
};

static void fill(struct hall *hall, const char *sources)
{
	hall->count = strlen(sources);
	for (size_t i = 0; i < hall->count; i++) {
		snprintf(hall->places[i].source, NET_SOURCE_SIZE, "%c", sources[i] | 0x20);
		hall->places[i].busy = !(sources[i] & 0x20);
		hall->pointers[i] = &hall->places[i];
	}
}

/* Who goes for one from `source`: its index, 'f' for nobody as there is room, 'n' as there is none.
 */
static int who_goes(const char *sources, const char *source)
{
	struct hall hall;
	size_t index = 99;

	fill(&hall, sources);
	switch (net_places_room(hall.pointers, hall.count, LIMIT, source, &index)) {
	case NET_ROOM_FREE:
		return 'f';
	case NET_ROOM_NONE:
		return 'n';
	default:
		return (int)index;
	}
}

static void has_room_for_all(void **state)
{
	(void)state;
	assert_int_equal(who_goes("", "a"), 'f');
	assert_int_equal(who_goes("aaaaaaa", "a"), 'f');
}

static void keeps_no_other_out(void **state)
{
	(void)state;
	assert_int_equal(who_goes("aaaaaaaa", "b"), 0);
	assert_int_equal(who_goes("bacaaaaa", "b"), 1); /* the oldest of those who have the most */
	assert_int_equal(who_goes("bbaaacca", "c"), 2);
}

static void gives_nobody_more_than_the_others(void **state)
{
	(void)state;
	assert_int_equal(who_goes("aaaaaaaa", "a"), 'n');
	assert_int_equal(who_goes("aabbccdd", "d"), 'n');
	assert_int_equal(who_goes("aaabbbcc", "c"), 'n'); /* three to three would go round */
	assert_int_equal(who_goes("abcdefgh", "i"), 'n');
}

static void lets_who_is_served_be(void **state)
{
	(void)state;
	assert_int_equal(who_goes("AAAaaaaa", "b"), 3);
	assert_int_equal(who_goes("AAAAAAAA", "b"), 'n');
	assert_int_equal(who_goes("AAAAAAbb", "c"), 0 + 6);
}

static void assert_source(const char *address, const char *expected)
{
	char source[NET_SOURCE_SIZE];

	net_source_of(address, source);
	assert_string_equal(source, expected);
}

static void knows_where_they_come_from(void **state)
{
	(void)state;
	assert_source("10.1.2.3:4567", "10.1.2.3");
	assert_source("[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::");
	assert_source("[2001:db8:1:2:ffff::]:81", "2001:db8:1:2::");
	assert_source("[fe80::1%eth0]:80", "fe80::");
	assert_source("", "");
	assert_source("[", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_room_for_all),
		cmocka_unit_test(keeps_no_other_out),
		cmocka_unit_test(gives_nobody_more_than_the_others),
		cmocka_unit_test(lets_who_is_served_be),
		cmocka_unit_test(knows_where_they_come_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
