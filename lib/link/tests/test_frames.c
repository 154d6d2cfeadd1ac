// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/link/frames.h"

#define LIMIT 16

static struct link_piece piece(const char *data, bool first, bool final)
{
	return (struct link_piece){
		.data = data, .length = strlen(data), .first = first, .final = final};
}

static int add(struct link_frames *frames, const char *data, bool first, bool final)
{
	struct link_piece next = piece(data, first, final);

	return link_frames_add(frames, &next, LIMIT);
}

static void test_joins_pieces(void **state)
{
	struct link_frames frames = {0};

	(void)state;
	assert_int_equal(add(&frames, "one", true, true), 1);
	assert_string_equal(frames.message.data, "one");
	assert_int_equal(add(&frames, "tw", true, false), 0);
	assert_int_equal(add(&frames, "", false, false), 0);
	assert_int_equal(add(&frames, "o", false, true), 1);
	assert_string_equal(frames.message.data, "two");
	link_frames_reset(&frames);
	assert_int_equal(frames.message.capacity, 0);
	assert_int_equal(add(&frames, "", true, true), 1);
	assert_int_equal(frames.message.length, 0);
	link_frames_reset(&frames);
}

static void test_bounds_what_comes(void **state)
{
	struct link_frames frames = {0};

	(void)state;
	assert_int_equal(add(&frames, "0123456789abcdef", true, true), 1);
	assert_int_equal(add(&frames, "0123456789abcdefg", true, true), -EMSGSIZE);
	assert_int_equal(add(&frames, "0123456789", true, false), 0);
	assert_int_equal(add(&frames, "abcdefg", false, false), -EMSGSIZE);
	link_frames_reset(&frames);
}

static void test_bounds_what_is_claimed(void **state)
{
	static const uint64_t claims[] = {17, 100 << 20, SIZE_MAX};
	struct link_frames frames = {0};
	struct link_piece next = piece("x", true, false);

	(void)state;
	next.remaining = 15;
	assert_int_equal(link_frames_add(&frames, &next, LIMIT), 0);
	for (size_t i = 0; i < 3; i++) {
		next.remaining = claims[i];
		assert_int_equal(link_frames_add(&frames, &next, LIMIT), -EMSGSIZE);
	}
	assert_true(frames.message.capacity < 1024);
	link_frames_reset(&frames);
}

static void test_refuses_binary(void **state)
{
	struct link_frames frames = {0};
	struct link_piece next = piece("{}", true, true);

	(void)state;
	next.binary = true;
	assert_int_equal(link_frames_add(&frames, &next, LIMIT), -EBADMSG);
}

static bool parses(const char *text)
{
	cleanup_json cJSON *message = link_message_parse(text, strlen(text));

	return message;
}

static void test_parses_objects_only(void **state)
{
	(void)state;
	assert_true(parses("{}"));
	assert_true(parses(" {\"a\": [1, {\"b\": null}]} \r\n\t"));
	assert_false(parses(""));
	assert_false(parses("null"));
	assert_false(parses("[]"));
	assert_false(parses("\"x\""));
	assert_false(parses("{\"a\":1"));
	assert_false(parses("{} {}"));
	assert_false(parses("{}x"));
	assert_null(link_message_parse("{}\0", 3));
	assert_null(link_message_parse("{\"a\":1}", 6));
}

static void test_parses_utf8_only(void **state)
{
	static const char *const good[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9d",
					   "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",	  "\xc3",	  "\xc0\xaf",
					  "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					  "\xff",	  "\xc3(",	  "\xe2\x82"};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%s\"}", good[i]);
		assert_true(parses(text));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"a\":\"%s\"}", bad[i]);
		assert_false(parses(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_joins_pieces),
		cmocka_unit_test(test_bounds_what_comes),
		cmocka_unit_test(test_bounds_what_is_claimed),
		cmocka_unit_test(test_refuses_binary),
		cmocka_unit_test(test_parses_objects_only),
		cmocka_unit_test(test_parses_utf8_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
