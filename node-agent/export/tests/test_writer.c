// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "node-agent/export/writer.h"

#define LINE_LENGTH 1000

struct fixture {
	uv_loop_t loop;
	struct line_writer *writer;
	int ends[2];
	char piece[LINE_LENGTH + 1]; /* of a line that has been read so far */
	size_t filled;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&fixture->loop);
	assert_int_equal(pipe2(fixture->ends, O_CLOEXEC), 0);
	assert_int_equal(line_writer_new(&fixture->loop, fixture->ends[1], &fixture->writer, NULL),
			 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	line_writer_free(fixture->writer);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	close(fixture->ends[0]);
	close(fixture->ends[1]);
	free(fixture);
	return 0;
}

static void add_lines(struct fixture *fixture, int count)
{
	char line[LINE_LENGTH];

	memset(line, 'x', sizeof(line));
	for (int i = 0; i < count; i++)
		line_writer_add(fixture->writer, line, sizeof(line));
}

/* Reads what there is, checks that it consists of whole lines, and returns how many. */
static int read_lines(struct fixture *fixture)
{
	char *piece = fixture->piece;
	ssize_t length;
	int lines = 0;

	fcntl(fixture->ends[0], F_SETFL, O_NONBLOCK);
	while ((length = read(fixture->ends[0], piece + fixture->filled,
			      sizeof(fixture->piece) - fixture->filled)) > 0) {
		fixture->filled += (size_t)length;
		if (fixture->filled < sizeof(fixture->piece))
			continue;
		assert_int_equal(piece[LINE_LENGTH], '\n');
		assert_null(memchr(piece, '\n', LINE_LENGTH));
		fixture->filled = 0;
		lines++;
	}
	return lines;
}

static void test_lines(void **state)
{
	struct fixture *fixture = *state;

	add_lines(fixture, 5);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(read_lines(fixture), 5);
	assert_int_equal(line_writer_stats(fixture->writer).lines, 5);
	assert_int_equal(line_writer_stats(fixture->writer).dropped, 0);
}

/* Nobody reads: the loop turns on, the buffer is bounded, and every line is accounted for. */
static void test_stuck_reader(void **state)
{
	const int count = 3 * WRITER_BUFFER_LIMIT / LINE_LENGTH;
	struct fixture *fixture = *state;
	struct line_writer_stats stats;
	int read = 0;

	add_lines(fixture, count / 2);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	add_lines(fixture, count - count / 2);
	uv_run(&fixture->loop, UV_RUN_NOWAIT);
	stats = line_writer_stats(fixture->writer);
	assert_int_equal(stats.lines + stats.dropped, count);
	assert_true(stats.dropped > (uint64_t)count / 4);
	while ((uint64_t)read < stats.lines) {
		uv_run(&fixture->loop, UV_RUN_ONCE);
		read += read_lines(fixture);
	}
	assert_int_equal(read, stats.lines);
	add_lines(fixture, 1);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(read_lines(fixture), 1);
}

static void test_reader_gone(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->ends[0]);
	fixture->ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	add_lines(fixture, 3);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	add_lines(fixture, 2);
	assert_int_equal(line_writer_stats(fixture->writer).dropped, 5);
}

int main(void)
{
#define writer_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		writer_test(test_lines),
		writer_test(test_stuck_reader),
		writer_test(test_reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
