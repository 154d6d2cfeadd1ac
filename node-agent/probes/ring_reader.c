// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/ring_reader.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/libbpf.h>

struct ring_reader {
	struct ring_reader_user user;
	struct ring_buffer *ring;
	uv_timer_t timer;
	uv_poll_t poll;
	int handles; /* of the two above, that the loop still holds */
};

static int take_record(void *context, void *data, size_t size)
{
	struct ring_reader *reader = context;

	reader->user.take(reader->user.context, data, size);
	return 0;
}

void ring_reader_read(struct ring_reader *reader)
{
	(void)ring_buffer__consume(reader->ring); /* fails only where take_record() does: never */
	if (reader->user.done)
		reader->user.done(reader->user.context);
}

static void on_timer(uv_timer_t *timer)
{
	ring_reader_read(timer->data);
}

static void on_wake_up(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	ring_reader_read(poll->data);
}

void ring_reader_start(struct ring_reader *reader)
{
	if (!uv_is_active((uv_handle_t *)&reader->timer))
		uv_timer_start(&reader->timer, on_timer, reader->user.interval_ms,
			       reader->user.interval_ms);
}

void ring_reader_stop(struct ring_reader *reader)
{
	uv_timer_stop(&reader->timer);
}

static void free_memory(struct ring_reader *reader)
{
	ring_buffer__free(reader->ring);
	free(reader);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct ring_reader *reader = handle->data;

	if (--reader->handles == 0)
		free_memory(reader);
}

struct ring_reader *ring_reader_free(struct ring_reader *reader)
{
	if (!reader)
		return NULL;
	if (reader->handles == 0) {
		free_memory(reader);
		return NULL;
	}
	uv_close((uv_handle_t *)&reader->timer, on_handle_closed);
	if (reader->handles == 2)
		uv_close((uv_handle_t *)&reader->poll, on_handle_closed);
	return NULL;
}

static int open_ring(struct ring_reader *reader, int records, struct error *error)
{
	reader->ring = ring_buffer__new(records, take_record, reader, NULL);
	if (!reader->ring)
		return error_set_errno(error, errno, "map the ring buffer of %s",
				       reader->user.probe);
	return 0;
}

static int open_handles(struct ring_reader *reader, uv_loop_t *loop, struct error *error)
{
	int result;

	uv_timer_init(loop, &reader->timer);
	reader->timer.data = reader;
	reader->handles = 1;
	result = uv_poll_init(loop, &reader->poll, ring_buffer__epoll_fd(reader->ring));
	if (result < 0)
		return error_set_errno(error, -result, "poll the ring buffer of %s",
				       reader->user.probe);
	reader->poll.data = reader;
	reader->handles = 2;
	result = uv_poll_start(&reader->poll, UV_READABLE, on_wake_up);
	if (result < 0)
		return error_set_errno(error, -result, "poll the ring buffer of %s",
				       reader->user.probe);
	return 0;
}

int ring_reader_new(uv_loop_t *loop, int records, const struct ring_reader_user *user,
		    struct ring_reader **ret_reader, struct error *error)
{
	struct ring_reader *reader = calloc(1, sizeof(*reader));
	int result;

	if (!reader)
		return error_set(error, ENOMEM, "read the ring buffer of %s: no memory",
				 user->probe);
	reader->user = *user;
	result = open_ring(reader, records, error);
	if (!result)
		result = open_handles(reader, loop, error);
	if (result < 0) {
		ring_reader_free(reader);
		return result;
	}
	*ret_reader = reader;
	return 0;
}
