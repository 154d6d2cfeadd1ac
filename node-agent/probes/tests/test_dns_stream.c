// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/dns_stream.h"

#include <cmocka.h>

#define MESSAGES_LIMIT 64
#define PORT	       40000

/* What came out, as "size:first letter:kept" each. */
struct taken {
	char text[4096];
	size_t count;
};

static void take(void *context, const uint8_t *data, size_t captured, size_t size)
{
	struct taken *taken = context;
	size_t length = strlen(taken->text);

	for (size_t i = 1; i < captured; i++)
		assert_int_equal(data[i], data[0]);
	snprintf(taken->text + length, sizeof(taken->text) - length, "%zu%c%zu ", size,
		 captured ? data[0] : '-', captured);
	taken->count++;
}

/* A stream of messages, each of one letter: the first of `sizes` bytes "a", and so on. */
static size_t fill(uint8_t *stream, const size_t *sizes, size_t count)
{
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		stream[length++] = (uint8_t)(sizes[i] >> 8);
		stream[length++] = (uint8_t)sizes[i];
		memset(stream + length, 'a' + (int)i, sizes[i]);
		length += sizes[i];
	}
	return length;
}

static void begin(struct dns_streams *streams, uint32_t sequence, struct taken *taken)
{
	const struct dns_segment segment = {
		.client_port = PORT, .sent = true, .begins = true, .sequence = sequence};

	dns_streams_feed(streams, &segment, take, taken);
}

/* A piece in memory of just its captured size. */
static void feed_part(struct dns_streams *streams, uint32_t sequence, const uint8_t *data,
		      size_t captured, size_t size, struct taken *taken)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	const struct dns_segment segment = {
		.client_port = PORT,
		.sent = true,
		.sequence = sequence,
		.data = copy,
		.captured = captured,
		.size = size,
	};

	memcpy(copy, data, captured);
	dns_streams_feed(streams, &segment, take, taken);
	free(copy);
}

static void feed(struct dns_streams *streams, uint32_t sequence, const uint8_t *data, size_t size,
		 struct taken *taken)
{
	feed_part(streams, sequence, data, size, size, taken);
}

static const size_t sizes[] = {20, 300, 12, 0, 600};
static const char expected[] = "20a20 300b300 12c12 0-0 600e512 ";

/* However the stream is cut, and wherever its sequence numbers begin, the same comes out. */
static void cuts_messages_out_of_any_segments(void **state)
{
	static const uint32_t starts[] = {0, 1000, 0xfffffff0};
	uint8_t stream[2048];
	size_t length = fill(stream, sizes, 5);

	(void)state;
	for (size_t piece = 1; piece <= length; piece++) {
		uint32_t start = starts[piece % 3];
		struct dns_streams *streams = dns_streams_new();
		struct taken taken = {.count = 0};

		begin(streams, start, &taken);
		for (size_t at = 0; at < length; at += piece)
			feed(streams, start + 1 + (uint32_t)at, stream + at,
			     length - at < piece ? length - at : piece, &taken);
		assert_string_equal(taken.text, expected);
		dns_streams_free(streams);
	}
}

static void takes_what_is_sent_again_once(void **state)
{
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[2048];
	size_t length = fill(stream, sizes, 5);
	struct taken taken = {.count = 0};

	(void)state;
	begin(streams, 0, &taken);
	for (size_t at = 0; at < length; at++) {
		size_t back = at < 30 ? at : 30;

		feed(streams, 1 + (uint32_t)(at - back), stream + at - back, back + 1, &taken);
		feed(streams, 1, stream, at < 5 ? at : 5, &taken);
	}
	assert_string_equal(taken.text, expected);
	dns_streams_free(streams);
}

/* A connection that is older than the probe, in the middle of a message. */
static void comes_into_step_with_a_whole_message(void **state)
{
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[2048];
	struct taken taken = {.count = 0};

	(void)state;
	fill(stream, sizes, 5);
	feed(streams, 77 + 10, stream + 10, 12, &taken);
	assert_int_equal(taken.count, 0);
	feed(streams, 77 + 22, stream + 22, 302, &taken);
	assert_string_equal(taken.text, "300b300 ");
	feed(streams, 77 + 324, stream + 324, 14, &taken);
	assert_string_equal(taken.text, "300b300 12c12 ");
	dns_streams_free(streams);
}

static void a_gap_costs_no_more_than_what_is_missing(void **state)
{
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[2048];
	struct taken taken = {.count = 0};

	(void)state;
	fill(stream, sizes, 5);
	begin(streams, 0, &taken);
	feed(streams, 1, stream, 22 + 100, &taken);
	feed(streams, 1 + 200, stream + 200, 124, &taken); /* 78 bytes are missing */
	feed(streams, 1 + 324, stream + 324, 14, &taken);
	assert_string_equal(taken.text, "20a20 12c12 ");
	dns_streams_free(streams);
}

/* Of a long segment only the beginning is known. */
static void does_without_what_was_not_captured(void **state)
{
	static const size_t two[] = {1500, 30};
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[2048];
	size_t length = fill(stream, two, 2);
	struct taken taken = {.count = 0};

	(void)state;
	begin(streams, 0, &taken);
	feed_part(streams, 1, stream, 1024, 1502, &taken);
	feed(streams, 1503, stream + 1502, 32, &taken);
	assert_string_equal(taken.text, "1500a512 30b30 ");
	feed_part(streams, 1535, stream, 400, 1502, &taken);
	feed(streams, 3037, stream + 1502, 32, &taken);
	assert_string_equal(taken.text, "1500a512 30b30 1500a398 30b30 ");
	feed_part(streams, 3069, stream, 1024, length, &taken); /* the second one's length */
	feed(streams, 3069 + (uint32_t)length, stream + 1502, 32, &taken);
	assert_string_equal(taken.text, "1500a512 30b30 1500a398 30b30 1500a512 30b30 ");
	dns_streams_free(streams);
}

static void directions_and_connections_are_apart(void **state)
{
	static const size_t one[] = {20};
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[64];
	struct taken taken = {.count = 0};

	(void)state;
	fill(stream, one, 1);
	for (int half = 0; half < 2; half++) {
		for (uint16_t i = 0; i < DNS_STREAMS_LIMIT; i++) {
			const struct dns_segment segment = {
				.client_port = (uint16_t)(PORT + i / 2),
				.sent = i % 2,
				.begins = half == 0,
				.sequence = half == 0 ? 99U : 111U,
				.data = half == 0 ? stream : stream + 11,
				.captured = 11,
				.size = 11,
			};

			dns_streams_feed(streams, &segment, take, &taken);
			assert_int_equal(taken.count, half * (i + 1));
		}
	}
	dns_streams_free(streams);
}

/* One connection more than there is room for: the one unused for longest is out of step. */
static void the_oldest_makes_room(void **state)
{
	static const size_t one[] = {20};
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[64];
	struct taken taken = {.count = 0};
	struct dns_segment segment = {.begins = true, .data = stream, .captured = 11, .size = 11};

	(void)state;
	fill(stream, one, 1);
	for (segment.client_port = 0; segment.client_port <= DNS_STREAMS_LIMIT;
	     segment.client_port++)
		dns_streams_feed(streams, &segment, take, &taken);
	segment.begins = false;
	segment.sequence = 12;
	segment.data = stream + 11;
	segment.client_port = 1;
	dns_streams_feed(streams, &segment, take, &taken);
	assert_int_equal(taken.count, 1);
	segment.client_port = 0;
	dns_streams_feed(streams, &segment, take, &taken);
	assert_int_equal(taken.count, 1);
	dns_streams_free(streams);
}

/* Lengths that lie: random bytes, cut at random; what matters is that it ends and stays within. */
static void endures_anything(void **state)
{
	struct dns_streams *streams = dns_streams_new();
	uint8_t stream[1024];

	(void)state;
	srandom(7);
	for (int round = 0; round < 20000; round++) {
		struct taken taken = {.count = 0};
		size_t size = (size_t)random() % sizeof(stream);
		size_t captured = (size_t)random() % (size + 1);

		for (size_t i = 0; i < captured; i++)
			stream[i] = random() % 3 ? 0 : (uint8_t)random();
		memset(stream + 2, 'x', captured > 2 ? captured - 2 : 0);
		feed_part(streams, (uint32_t)random() % 5000, stream, captured, size, &taken);
	}
	dns_streams_free(streams);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_messages_out_of_any_segments),
		cmocka_unit_test(takes_what_is_sent_again_once),
		cmocka_unit_test(comes_into_step_with_a_whole_message),
		cmocka_unit_test(a_gap_costs_no_more_than_what_is_missing),
		cmocka_unit_test(does_without_what_was_not_captured),
		cmocka_unit_test(directions_and_connections_are_apart),
		cmocka_unit_test(the_oldest_makes_room),
		cmocka_unit_test(endures_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
