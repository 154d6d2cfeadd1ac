// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Bodies of answers: packed as they are written, read packed and not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/body.h"

#define LINES 100000 /* of 16 bytes */

struct writer {
	int lines;
	size_t longest; /* that the text has been */
};

static int write_lines(void *context, struct text *text)
{
	struct writer *writer = context;

	for (int i = 0; i < writer->lines; i++) {
		text_append_format(text, "%015d\n", i);
		if (text->capacity > writer->longest)
			writer->longest = text->capacity;
	}
	return 200;
}

static int write_in_vain(void *context, struct text *text)
{
	(void)write_lines(context, text);
	text->failed = true;
	return 200;
}

/* Reads all of a body, in pieces of an odd size. */
static void read_all(struct http_body *body, bool packed, struct text *ret_text)
{
	char piece[1000];
	size_t size;

	assert_int_equal(http_body_open(body, packed), 0);
	do {
		assert_int_equal(http_body_read(body, piece, sizeof(piece), &size), 0);
		text_append(ret_text, piece, size);
	} while (size);
	assert_int_equal(ret_text->length, http_body_size(body, packed));
}

static void assert_lines(const char *text, size_t length, int lines)
{
	assert_int_equal(length, lines * 16);
	for (int i = 0; i < lines; i++)
		assert_int_equal(strtol(text + (size_t)i * 16, NULL, 10), i);
}

static void assert_packed_lines(const struct text *packed, int lines)
{
	size_t room = (size_t)lines * 16 + 1;
	char *text = calloc(1, room);
	z_stream stream = {
		.next_in = (unsigned char *)packed->data,
		.avail_in = (unsigned int)packed->length,
		.next_out = (unsigned char *)text,
		.avail_out = (unsigned int)room,
	};

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	assert_lines(text, stream.total_out, lines);
	inflateEnd(&stream);
	free(text);
}

static void test_short_bodies_are_not_packed(void **state)
{
	struct writer writer = {.lines = 100};
	struct http_body body = {0};
	struct text text = TEXT_EMPTY;

	(void)state;
	assert_int_equal(http_body_fill(&body, write_lines, &writer), 200);
	assert_false(body.packed);
	read_all(&body, true, &text);
	assert_lines(text.data, text.length, writer.lines);
	text_free(&text);
	http_body_free(&body);
}

static void test_empty_bodies(void **state)
{
	struct writer writer = {0};
	struct http_body body = {0};
	struct text text = TEXT_EMPTY;

	(void)state;
	assert_int_equal(http_body_fill(&body, write_lines, &writer), 200);
	read_all(&body, false, &text);
	assert_int_equal(text.length, 0);
	text_free(&text);
	http_body_free(&body);
}

static void test_long_bodies_never_lie_in_memory_whole(void **state)
{
	struct writer writer = {.lines = LINES};
	struct http_body body = {0};

	(void)state;
	assert_int_equal(http_body_fill(&body, write_lines, &writer), 200);
	assert_true(body.packed);
	assert_true(writer.longest <= 2 * TEXT_DRAIN_LENGTH);
	assert_true(body.bytes.length < LINES * 16 / 3);
	http_body_free(&body);
}

static void test_long_bodies_are_read_as_the_reader_takes_them(void **state)
{
	(void)state;
	/* Also where the text ends with a piece that was drained, or just after it. */
	for (int lines = TEXT_DRAIN_LENGTH / 16 - 1; lines <= LINES; lines += lines) {
		struct writer writer = {.lines = lines};
		struct text packed = TEXT_EMPTY, plain = TEXT_EMPTY;
		struct http_body body = {0};

		assert_int_equal(http_body_fill(&body, write_lines, &writer), 200);
		read_all(&body, false, &plain);
		assert_lines(plain.data, plain.length, lines);
		http_body_free(&body);
		lines++;
		writer.lines = lines;
		assert_int_equal(http_body_fill(&body, write_lines, &writer), 200);
		assert_true(body.packed);
		read_all(&body, true, &packed);
		assert_packed_lines(&packed, lines);
		http_body_free(&body);
		text_free(&packed);
		text_free(&plain);
	}
}

/* Each of those who share it reads it whole, also when it has gone for the others. */
static void test_shared_bodies_are_read_by_each(void **state)
{
	struct writer writer = {.lines = LINES};
	struct http_body body = {0}, others[2];
	struct text packed = TEXT_EMPTY, plain = TEXT_EMPTY;

	(void)state;
	assert_int_equal(http_body_fill(&body, write_lines, &writer), 200);
	assert_int_equal(http_body_share(&body, &others[0]), 0);
	assert_int_equal(http_body_share(&others[0], &others[1]), 0);
	http_body_free(&body);
	read_all(&others[0], true, &packed);
	assert_packed_lines(&packed, LINES);
	http_body_free(&others[0]);
	read_all(&others[1], false, &plain);
	assert_lines(plain.data, plain.length, LINES);
	http_body_free(&others[1]);
	text_free(&packed);
	text_free(&plain);
}

static void test_what_could_not_be_written_is_no_body(void **state)
{
	(void)state;
	for (int lines = 1; lines <= LINES; lines += LINES - 1) {
		struct writer writer = {.lines = lines};
		struct http_body body = {0};

		assert_int_equal(http_body_fill(&body, write_in_vain, &writer), -ENOMEM);
		assert_int_equal(http_body_size(&body, true), 0);
		assert_int_equal(http_body_size(&body, false), 0);
	}
}

static void test_who_takes_packed_bodies(void **state)
{
	static const char *const takers[] = {
		"gzip",		  "GZip", "deflate, gzip;q=1.0, *;q=0.5",
		"gzip ; q=0.001", "*",	  "br;q=0, *;q=0.1",
		" ,, gzip"};
	static const char *const others[] = {
		"",	 "identity", "gzip;q=0", "gzip; q=0.000", "gzip;q=0, *",
		"*;q=0", "gzipped",  "x-gzip",	 "deflate;x=gzip"};

	(void)state;
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		assert_true(http_accepts_packed(takers[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(http_accepts_packed(others[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_bodies_are_not_packed),
		cmocka_unit_test(test_empty_bodies),
		cmocka_unit_test(test_long_bodies_never_lie_in_memory_whole),
		cmocka_unit_test(test_long_bodies_are_read_as_the_reader_takes_them),
		cmocka_unit_test(test_shared_bodies_are_read_by_each),
		cmocka_unit_test(test_what_could_not_be_written_is_no_body),
		cmocka_unit_test(test_who_takes_packed_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
