// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Heads that are read by the shape of another: they must mean what they mean when they are read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node-agent/probes/tests/http_shape_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct message {
	__u8 flags;
	const char *head;
};

#define REQUEST HTTP_HEAD_REQUEST
#define RESPONSE                                                                                   \
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n"       \
	"Content-Type: text/html\r\nContent-Length: 612\r\nETag: \"65a1b2c3-264\"\r\n\r\n"

/* None is so long that a look at it ends within a line: then how a line is cut matters. */
static const struct message messages[] = {
	{0, RESPONSE},
	{0, "HTTP/1.1 204 No Content\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: \t\xc3\xa4,\x01\r\nY:\r\n\r\n"},
	{0, "HTTP/1.0 404 Not Found\nContent-Length: 5\nContent: 5\nTransfer: 1\n\n"},
	{0, "HTTP/1.1 200 OK\r\ncontent-length:17\r\nA: b\r\nContent-Lengthy: 5\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nContent-Length: 17\r\nContent-Length: 18\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nContent-Length: 17, 5\r\nContent-Length:7\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: 17\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: "
	    "17\r\nContent-Length:7\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\nContent-Length: 12345678901\r\n\r\n"},
	{0,
	 "HTTP/1.1 200 OK\r\nXontent-Length: 5\r\nContent-Xength: 5\r\nContent-Length; 5\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nXransfer-Encoding: chunked\r\nTransfer-Encodin: chunked\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\n\r\n"},
	{0, "\r\nHTTP/1.1 200 OK\r\nServer: some one\r\nContent-Length: 17\r\n\r\n"},
	{0, "HTTP/1.1 200 OK\r\nA: \r\rcontent\r\ncontent\r\nlength: 5\r\n\r\n"},
	{REQUEST, "GET / HTTP/1.1\r\n\r\n"},
	{REQUEST, "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\n"
		  "Accept: */*\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-01\r\n\r\n"},
	{REQUEST, "POST /a HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n"
		  "Content-Length: 18\r\nConnection: keep-alive\r\n\r\n"},
	{REQUEST, "POST /a HTTP/1.1\r\nContent-Length: 18\r\n\r\n"},
	{REQUEST, "PURGE * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
};

/* Whatever a shape tells of a head is what is read in it. Returns whether it tells something. */
static bool check(struct http_shape *shape, __u8 flags, const char *bytes, size_t size)
{
	const uint8_t *head = (const uint8_t *)bytes;
	struct http_reading glanced = http_read_by_shape(shape, flags, head, size, '\n'), read;

	if (glanced.end == HTTP_NOT_ENDED)
		return false;
	read = http_read_from((struct http_head){.flags = flags}, head, size, SIZE_MAX, 'x');
	if (!http_reading_equal(&glanced, &read))
		fail_msg("read otherwise by its shape: %.*s", (int)size, bytes);
	return true;
}

static void learn(struct http_shape *shape, const struct message *message)
{
	http_learn(shape, message->flags, (const uint8_t *)message->head, strlen(message->head));
}

static void test_any_byte_differs(void **state)
{
	static struct http_shape shape;
	char text[HTTP_SHAPE_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		const size_t size = strlen(messages[i].head);

		learn(&shape, &messages[i]);
		for (size_t at = 0; at < size; at++) {
			memcpy(text, messages[i].head, size);
			for (int c = 0; c < 256; c++) {
				text[at] = (char)c;
				check(&shape, messages[i].flags, text, size);
			}
		}
	}
}

/* Two neighbours differ: line ends come and go. */
static void test_any_two_bytes_differ(void **state)
{
	static const char odd[] = "\r\n\t :,-05cCtT\x7f\x80\xff";
	static struct http_shape shape;
	char text[HTTP_SHAPE_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		const size_t size = strlen(messages[i].head);

		learn(&shape, &messages[i]);
		for (size_t at = 0; at + 1 < size; at++) {
			memcpy(text, messages[i].head, size);
			for (size_t c = 0; c < COUNT(odd) * COUNT(odd); c++) {
				text[at] = odd[c / COUNT(odd)];
				text[at + 1] = odd[c % COUNT(odd)];
				check(&shape, messages[i].flags, text, size);
			}
		}
	}
}

static void test_bytes_come_and_go(void **state)
{
	static const char odd[] = "\r\n :5a";
	static struct http_shape shape;
	char text[HTTP_SHAPE_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		const char *head = messages[i].head;
		const size_t size = strlen(head);

		learn(&shape, &messages[i]);
		for (size_t at = 0; at < size; at++) {
			memcpy(text, head, at);
			memcpy(text + at, head + at + 1, size - at - 1);
			check(&shape, messages[i].flags, text, size - 1);
			memcpy(text + at + 1, head + at, size - at);
			for (size_t c = 0; c < COUNT(odd); c++) {
				text[at] = odd[c];
				check(&shape, messages[i].flags, text, size + 1);
			}
		}
	}
}

/* A head that has not come whole is none, whatever is in memory behind it. */
static void test_cut_anywhere(void **state)
{
	static struct http_shape shape;

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		learn(&shape, &messages[i]);
		for (size_t size = 0; size < strlen(messages[i].head); size++)
			assert_false(check(&shape, messages[i].flags, messages[i].head, size));
	}
}

/* Each by the shape of each other. */
static void test_shapes_of_others(void **state)
{
	static struct http_shape shape;

	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		learn(&shape, &messages[i]);
		for (size_t j = 0; j < COUNT(messages); j++)
			check(&shape, messages[i].flags, messages[j].head,
			      strlen(messages[j].head));
	}
}

/* Renewed by a head that was like it, a shape takes what it took before, and nothing else. */
static void test_renewed(void **state)
{
	static struct http_shape shape, renewed;
	char text[HTTP_SHAPE_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(messages) && !messages[i].flags; i++) {
		const size_t size = strlen(messages[i].head);

		learn(&shape, &messages[i]);
		for (size_t at = 0; at < size; at++) {
			memcpy(text, messages[i].head, size);
			text[at] = text[at] == 'x' ? 'y' : 'x';
			if (!check(&shape, 0, text, size))
				continue;
			renewed = shape;
			http_renew_by(&renewed, (const uint8_t *)text, size, '\n');
			assert_true(check(&renewed, 0, text, size));
			for (size_t j = 0; j < COUNT(messages); j++)
				assert_int_equal(check(&shape, 0, messages[j].head,
						       strlen(messages[j].head)),
						 check(&renewed, 0, messages[j].head,
						       strlen(messages[j].head)));
		}
	}
}

/* After that, it is the same as a head with the date of now, which then is read in no time. */
static void test_renewed_is_the_same(void **state)
{
	static const char now[] = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n"
				  "Date: Sun, 22 Nov 2026 09:10:11 GMT\r\n"
				  "Content-Type: text/html\r\nContent-Length: 7\r\n"
				  "ETag: \"65a1b2c3-264\"\r\n\r\n";
	struct http_shape shape = {0};

	(void)state;
	http_learn(&shape, 0, (const uint8_t *)RESPONSE, strlen(RESPONSE));
	assert_true(check(&shape, 0, now, strlen(now)));
	assert_true(shape.stale);
	http_renew_by(&shape, (const uint8_t *)now, strlen(now), '\n');
	assert_false(shape.stale);
	assert_true(check(&shape, 0, now, strlen(now)));
	assert_false(shape.stale);
	assert_true(check(&shape, 0, RESPONSE, strlen(RESPONSE)));
}

/* What a shape is for. */
static void test_alike(void **state)
{
	static const struct {
		__u8 flags;
		const char *learned, *seen;
		bool alike;
	} pairs[] = {
		{0, RESPONSE, RESPONSE "body", true},
		{0, RESPONSE,
		 "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2027 18:59:31 "
		 "GMT\r\n"
		 "Content-Type: text/html\r\nContent-Length: 61234\r\nETag: "
		 "\"00000000-xyz\"\r\n\r\n",
		 true},
		{0, RESPONSE,
		 "HTTP/1.1 404 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 08:00:00 "
		 "GMT\r\n"
		 "Content-Type: text/html\r\nContent-Length: 612\r\nETag: \"65a1b2c3-264\"\r\n\r\n",
		 false},
		{REQUEST, "GET /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: 0123456789\r\n\r\n",
		 "DELETE /b/longer?than=it HTTP/1.0\r\nHost: a\r\nX-Request-Id: abcdefghij\r\n\r\n",
		 true},
		{REQUEST, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET /a HTTP/1.1\r\nHost: ab\r\n\r\n", false},
		{REQUEST, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET /a HTTP/2.1\r\nHost: a\r\n\r\n", false},
	};
	static struct http_shape shape;

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		http_learn(&shape, pairs[i].flags, (const uint8_t *)pairs[i].learned,
			   strlen(pairs[i].learned));
		assert_true(
			check(&shape, pairs[i].flags, pairs[i].learned, strlen(pairs[i].learned)));
		assert_int_equal(
			check(&shape, pairs[i].flags, pairs[i].seen, strlen(pairs[i].seen)),
			pairs[i].alike);
	}
}

/* A shape that never fits is learned ever more seldom, one that fits at once. */
static void test_learned_as_it_pays(void **state)
{
	struct http_shape shape = {0};
	int learned = 0;

	(void)state;
	for (int i = 0; i < 100000; i++)
		learned += http_shape_is_due(&shape);
	assert_in_range(learned, 100000 >> HTTP_SHAPE_PATIENCE, 1000);
	shape.wait = 0;
	shape.hits = HTTP_SHAPE_PAYS;
	assert_true(http_shape_is_due(&shape));
	shape.hits = HTTP_SHAPE_PAYS;
	assert_true(http_shape_is_due(&shape));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_byte_differs),
		cmocka_unit_test(test_any_two_bytes_differ),
		cmocka_unit_test(test_bytes_come_and_go),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_shapes_of_others),
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_renewed_is_the_same),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_learned_as_it_pays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
