// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Heads of HTTP/1, cut at every place, and lines that are none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node-agent/probes/tests/http_reader.h"

#define BODY "BODY" /* behind each head */

struct expected {
	const char *head;
	struct http_head told;
};

static const struct expected requests[] = {
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", {.method = HTTP_METHOD_GET}},
	{"\r\nHEAD / HTTP/1.0\n\n", {.method = HTTP_METHOD_HEAD}},
	{"POST /a/path/that/is/longer/than/what/is/kept?of=it HTTP/1.1\r\n"
	 "User-Agent: something that is longer than what is kept of a line, surely\r\n"
	 "CONTENT-length: \t 12345\r\n\r\n",
	 {.method = HTTP_METHOD_POST, .flags = HTTP_HEAD_LENGTH, .body = 12345}},
	{"PROPFIND /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n", {.flags = HTTP_HEAD_LENGTH}},
	{"PATCH /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Lengt: 7\r\n\r\n",
	 {.method = HTTP_METHOD_PATCH, .flags = HTTP_HEAD_CHUNKED}},
};

static const struct expected responses[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
	 {.status = 200, .flags = HTTP_HEAD_LENGTH, .body = 5}},
	{"HTTP/1.0 404\r\n\r\n", {.status = 404}},
	{"HTTP/1.1 500 Something has gone wrong and is told at length\r\n"
	 "X-Content-Length: 5\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
	 {.status = 500, .flags = HTTP_HEAD_CHUNKED}},
	{"HTTP/1.1 200 Gr\xc3\xa4\xc3\x9f\xe2\x82\xac\tOK\r\n\tcontent-length: 7\r\n"
	 "X-Odd: \x01\xff \r,\r\r\nContent-Length:\t5\t\r\n\r\n",
	 {.status = 200, .flags = HTTP_HEAD_LENGTH, .body = 5}},
	{"HTTP/1.1 200 OK\nContent-Length: 5, 5\n\n", {.status = 200}},
	{"HTTP/1.1 200 OK\nContent-Length: -5\n\n", {.status = 200}},
	{"HTTP/1.1 200 OK\nContent-Length: 99999999999999999999\n\n", {.status = 200}},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Reads `text` cut at two places; what is behind a piece in memory is garbage. */
static struct http_reading read_cut(struct http_reading reading, const char *text, size_t first,
				    size_t second)
{
	const uint8_t *bytes = (const uint8_t *)text;
	const size_t cuts[] = {0, first, second, strlen(text)};

	reading.end = HTTP_NOT_ENDED;
	for (int i = 0; i < 3 && reading.end == HTTP_NOT_ENDED; i++) {
		reading = http_read_on(reading, bytes + cuts[i], cuts[i + 1] - cuts[i], SIZE_MAX,
				       i % 2 ? '\n' : ' ');
		if (reading.end != HTTP_NOT_ENDED)
			reading.end += cuts[i];
	}
	return reading;
}

static void check_cuts(const struct expected *expected, __u8 flags)
{
	const struct http_reading start = {.head.flags = flags};
	const struct http_head *told = &expected->told;
	const size_t size = strlen(expected->head);
	char text[512];

	strcpy(text, expected->head);
	strcat(text, BODY);
	for (size_t first = 0; first <= size; first++) {
		for (size_t second = first; second <= size; second++) {
			struct http_reading reading = read_cut(start, text, first, second);

			assert_int_equal(reading.end, size);
			assert_int_equal(reading.head.state, HTTP_HEADERS);
			assert_int_equal(reading.head.method, told->method);
			assert_int_equal(reading.head.status, told->status);
			assert_int_equal(reading.head.flags & ~flags, told->flags);
			assert_true(reading.head.body == told->body);
		}
	}
}

static void test_requests_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++)
		check_cuts(&requests[i], HTTP_HEAD_REQUEST);
}

static void test_responses_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(responses); i++)
		check_cuts(&responses[i], 0);
}

static void test_what_is_no_message(void **state)
{
	static const char *const none[] = {
		"GET / HTTP/1.1.\r\n", "GET / HTTP/2.0\r\n",   "GET /\r\n",
		"PRI * HTTP/2.0\r\n",  "*1\r\n$4\r\nPING\r\n", "HTTP/1.1 2000 OK\r\n",
		"HTTP/1.1 20\r\n",     "HTTP/1.x 200 OK\r\n",  "HTTP/1.1  200 OK\r\n",
		"HTTP/2.0 200 OK\r\n", "HTTP/1.1\t200 OK\r\n", "ICY 200 OK\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(none); i++) {
		for (size_t cut = 0; cut < strlen(none[i]); cut++) {
			const struct http_reading request = {.head.flags = HTTP_HEAD_REQUEST};
			const struct http_reading response = {0};

			assert_int_equal(read_cut(request, none[i], cut, cut).head.state,
					 HTTP_OPAQUE);
			assert_int_equal(read_cut(response, none[i], cut, cut).head.state,
					 HTTP_OPAQUE);
		}
	}
}

/* A long line without an end is judged by its beginning, and takes no more memory. */
static void test_endless_lines(void **state)
{
	static uint8_t line[100000];
	struct http_reading reading;

	(void)state;
	memset(line, 0x16, sizeof(line));
	reading = http_read_from((struct http_head){0}, line, sizeof(line), SIZE_MAX, 0);
	assert_int_equal(reading.head.state, HTTP_OPAQUE);
	memcpy(line, "GET /", 5);
	reading = http_read_from((struct http_head){.flags = HTTP_HEAD_REQUEST}, line, sizeof(line),
				 7, 0);
	assert_int_equal(reading.head.state, HTTP_HEADERS);
	assert_int_equal(reading.head.method, HTTP_METHOD_GET);
	assert_int_equal(reading.end, HTTP_NOT_ENDED);
}

/* More lines than are looked at in one go, and longer than a window in all. */
static void test_many_lines(void **state)
{
	static uint8_t head[20000] = "HTTP/1.1 200 OK\r\n";
	size_t size = strlen((char *)head);

	(void)state;
	for (int i = 0; i < 2000; i++)
		size += (size_t)sprintf((char *)head + size, i % 3 ? "a:\n" : "bc:d\r\n");
	size += (size_t)sprintf((char *)head + size, "Content-Length: 3\r\n\r\n");
	for (size_t most = 1; most < 700; most++) {
		struct http_reading reading =
			http_read_from((struct http_head){0}, head, size, most, '\n');

		assert_int_equal(reading.end, size);
		assert_int_equal(reading.head.status, 200);
		assert_true(reading.head.body == 3);
	}
}

static void test_chunk_sizes(void **state)
{
	static const struct {
		const char *line;
		__u8 state;
		unsigned long long body;
	} cases[] = {
		{"5\r\n", HTTP_CHUNK, 7},
		{"1Af;name=value\r\n", HTTP_CHUNK, 0x1af + 2},
		{"00a \n", HTTP_CHUNK, 12},
		{"10;a value that is longer than what is kept of a line\r\n", HTTP_CHUNK, 18},
		{"0\r\n\r\n", HTTP_TRAILERS, 0},
		{"0\r\nX-Sum: 1\r\n\r\n", HTTP_TRAILERS, 0},
		{"x\r\n", HTTP_CHUNKED, 0},
		{"\r\n", HTTP_CHUNKED, 0},
		{"1234567890123456789\r\n", HTTP_CHUNKED, 0x1234567890123456},
	};
	const struct http_reading start = {.head.state = HTTP_CHUNK_SIZE};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const size_t size = strlen(cases[i].line);

		for (size_t cut = 0; cut <= size; cut++) {
			struct http_reading reading = read_cut(start, cases[i].line, cut, cut);

			assert_int_equal(reading.end, size);
			assert_int_equal(reading.head.state, cases[i].state);
			assert_true(reading.head.body == cases[i].body);
		}
	}
}

static void test_what_follows_a_response(void **state)
{
	static const struct {
		__u16 status;
		__u8 method, flags;
		__u64 body;
		__u8 next;
	} cases[] = {
		{200, HTTP_METHOD_GET, HTTP_HEAD_LENGTH, 5, HTTP_BODY},
		{200, HTTP_METHOD_GET, HTTP_HEAD_LENGTH, 0, HTTP_START},
		{200, HTTP_METHOD_HEAD, HTTP_HEAD_LENGTH, 5, HTTP_START},
		{204, HTTP_METHOD_GET, HTTP_HEAD_CHUNKED, 0, HTTP_START},
		{304, HTTP_METHOD_GET, HTTP_HEAD_LENGTH, 5, HTTP_START},
		{100, HTTP_METHOD_POST, 0, 0, HTTP_START},
		{101, HTTP_METHOD_GET, 0, 0, HTTP_OPAQUE},
		{200, HTTP_METHOD_CONNECT, HTTP_HEAD_LENGTH, 5, HTTP_OPAQUE},
		{407, HTTP_METHOD_CONNECT, HTTP_HEAD_LENGTH, 5, HTTP_BODY},
		{500, HTTP_METHOD_GET, HTTP_HEAD_CHUNKED | HTTP_HEAD_LENGTH, 5, HTTP_CHUNK_SIZE},
		{200, HTTP_METHOD_GET, 0, 0, HTTP_CLOSE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_head head = {
			.status = cases[i].status, .flags = cases[i].flags, .body = cases[i].body};

		http_finish_response(&head, cases[i].method);
		assert_int_equal(head.state, cases[i].next);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_cut_anywhere),
		cmocka_unit_test(test_responses_cut_anywhere),
		cmocka_unit_test(test_what_is_no_message),
		cmocka_unit_test(test_endless_lines),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_chunk_sizes),
		cmocka_unit_test(test_what_follows_a_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
