// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/link/queue.h"

static void assert_next(struct link_queue *queue, size_t limit, const char *data, bool first,
			bool final)
{
	struct link_piece piece;

	assert_true(link_queue_next(queue, limit, &piece));
	assert_int_equal(piece.length, strlen(data));
	assert_memory_equal(piece.data, data, piece.length);
	assert_int_equal(piece.first, first);
	assert_int_equal(piece.final, final);
	memset((char *)piece.data - LINK_QUEUE_HEADROOM, 'h', LINK_QUEUE_HEADROOM);
	link_queue_advance(queue, piece.length);
}

static void test_gives_pieces_in_order(void **state)
{
	struct link_queue queue = {.limit = 1024};
	struct link_piece piece;

	(void)state;
	assert_false(link_queue_next(&queue, 4, &piece));
	assert_int_equal(link_queue_push(&queue, "0123456789", 10), 0);
	assert_int_equal(link_queue_push(&queue, "abcd", 4), 0);
	assert_int_equal(link_queue_push(&queue, "", 0), 0);
	assert_next(&queue, 4, "0123", true, false);
	assert_next(&queue, 4, "4567", false, false);
	assert_next(&queue, 4, "89", false, true);
	assert_next(&queue, 4, "abcd", true, true);
	assert_next(&queue, 4, "", true, true);
	assert_false(link_queue_next(&queue, 4, &piece));
	assert_int_equal(queue.bytes, 0);
}

static void test_is_bounded(void **state)
{
	struct link_queue queue = {.limit = 512};
	char data[300] = {0};

	(void)state;
	assert_int_equal(link_queue_push(&queue, data, sizeof(data)), 0);
	assert_int_equal(link_queue_push(&queue, data, sizeof(data)), -ENOBUFS);
	link_queue_advance(&queue, sizeof(data));
	assert_int_equal(link_queue_push(&queue, data, sizeof(data)), 0);
	assert_int_equal(link_queue_push(&queue, data, SIZE_MAX / 2), -ENOBUFS);
	link_queue_free(&queue);
	assert_int_equal(queue.bytes, 0);
}

static void test_counts_what_empty_messages_cost(void **state)
{
	struct link_queue queue = {.limit = 4096};
	int count = 0;

	(void)state;
	while (count < 1000 && link_queue_push(&queue, "", 0) == 0)
		count++;
	assert_in_range(count, 10, 100);
	link_queue_free(&queue);
}

static void test_takes_json(void **state)
{
	struct link_queue queue = {.limit = 100};
	cJSON *message = cJSON_CreateObject();

	(void)state;
	cJSON_AddStringToObject(message, "a", "b");
	assert_int_equal(link_queue_push_json(&queue, message), 0);
	assert_int_equal(link_queue_push_json(&queue, cJSON_CreateObject()), -ENOBUFS);
	assert_next(&queue, 100, "{\"a\":\"b\"}", true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_pieces_in_order),
		cmocka_unit_test(test_is_bounded),
		cmocka_unit_test(test_counts_what_empty_messages_cost),
		cmocka_unit_test(test_takes_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
