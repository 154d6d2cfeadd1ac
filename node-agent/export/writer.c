// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/text.h"

/* How long to wait for a reader that does not read before looking again. */
#define WRITER_RETRY_MS 10

/* What the buffer may keep of its memory when it has been written. */
#define WRITER_IDLE_CAPACITY (64 << 10)

struct line_writer {
	uv_timer_t timer;
	int descriptor;
	struct text buffer;
	size_t written; /* bytes of the buffer that are out */
	bool broken;	/* nobody can read it any more; told once */
	struct line_writer_stats stats;
};

/* A pipe that is ready takes PIPE_BUF bytes without waiting (pipe(7)), so no more at a time. */
static bool write_piece(struct line_writer *writer)
{
	struct pollfd ready = {.fd = writer->descriptor, .events = POLLOUT};
	size_t length = writer->buffer.length - writer->written;
	ssize_t result;

	if (poll(&ready, 1, 0) <= 0)
		return false;
	if (length > PIPE_BUF)
		length = PIPE_BUF;
	result = write(writer->descriptor, writer->buffer.data + writer->written, length);
	if (result >= 0) {
		writer->written += (size_t)result;
		return true;
	}
	writer->broken = errno != EAGAIN && errno != EINTR;
	if (writer->broken)
		log_error("events cannot be written to standard output: %s", strerror(errno));
	return false;
}

/* Puts what is left to the front of the buffer. */
static void shift_buffer(struct line_writer *writer)
{
	size_t left = writer->buffer.length - writer->written;

	if (left)
		memmove(writer->buffer.data, writer->buffer.data + writer->written, left);
	else if (writer->buffer.capacity > WRITER_IDLE_CAPACITY)
		text_free(&writer->buffer);
	writer->buffer.length = left;
	writer->written = 0;
}

static void count_lost_lines(struct line_writer *writer)
{
	for (size_t i = writer->written; i < writer->buffer.length; i++)
		writer->stats.dropped += writer->buffer.data[i] == '\n';
	writer->written = writer->buffer.length;
}

/* Writes as much as the reader takes. */
static void flush(struct line_writer *writer)
{
	while (!writer->broken && writer->written < writer->buffer.length)
		if (!write_piece(writer))
			break;
	if (writer->broken)
		count_lost_lines(writer);
	shift_buffer(writer);
}

static void on_timer(uv_timer_t *timer)
{
	struct line_writer *writer = timer->data;

	flush(writer);
	if (writer->buffer.length)
		uv_timer_start(timer, on_timer, WRITER_RETRY_MS, 0);
}

static void on_closed(uv_handle_t *handle)
{
	struct line_writer *writer = handle->data;

	text_free(&writer->buffer);
	free(writer);
}

int line_writer_new(uv_loop_t *loop, int descriptor, struct line_writer **ret_writer,
		    struct error *error)
{
	struct line_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_set(error, ENOMEM, "out of memory");
	writer->descriptor = descriptor;
	writer->timer.data = writer;
	uv_timer_init(loop, &writer->timer);
	*ret_writer = writer;
	return 0;
}

static bool append_line(struct text *buffer, const char *line, size_t length)
{
	size_t before = buffer->length;

	text_append(buffer, line, length);
	text_append(buffer, "\n", 1);
	if (!buffer->failed)
		return true;
	buffer->failed = false;
	buffer->length = before;
	return false;
}

void line_writer_add(struct line_writer *writer, const char *line, size_t length)
{
	if (writer->broken || writer->buffer.length + length + 1 > WRITER_BUFFER_LIMIT ||
	    !append_line(&writer->buffer, line, length)) {
		writer->stats.dropped++;
		return;
	}
	writer->stats.lines++;
	if (!uv_is_active((uv_handle_t *)&writer->timer))
		uv_timer_start(&writer->timer, on_timer, 0, 0);
}

struct line_writer_stats line_writer_stats(const struct line_writer *writer)
{
	return writer->stats;
}

struct line_writer *line_writer_free(struct line_writer *writer)
{
	if (!writer)
		return NULL;
	flush(writer);
	uv_close((uv_handle_t *)&writer->timer, on_closed);
	return NULL;
}
