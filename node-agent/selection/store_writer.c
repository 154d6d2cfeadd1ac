// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Writes the selection to its file some time after it has changed. */

#include "node-agent/selection/store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/base/log.h"

struct store_writer {
	uv_timer_t timer;
	const char *directory;
	const struct desired *desired;
	bool dirty;
};

static void write_now(struct store_writer *writer)
{
	struct error error;

	if (!writer->dirty)
		return;
	writer->dirty = false;
	if (store_save(writer->directory, writer->desired, &error) < 0)
		log_error("the selection is not kept for the next start: %s", error.message);
}

static void on_timer(uv_timer_t *timer)
{
	struct store_writer *writer = timer->data;

	if (!writer->dirty)
		uv_timer_stop(timer);
	write_now(writer);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int store_writer_new(uv_loop_t *loop, const char *directory, const struct desired *desired,
		     struct store_writer **ret_writer, struct error *error)
{
	struct store_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_set(error, ENOMEM, "out of memory");
	writer->directory = directory;
	writer->desired = desired;
	writer->timer.data = writer;
	uv_timer_init(loop, &writer->timer);
	*ret_writer = writer;
	return 0;
}

void store_writer_touch(struct store_writer *writer)
{
	writer->dirty = true;
	if (!uv_is_active((uv_handle_t *)&writer->timer))
		uv_timer_start(&writer->timer, on_timer, STORE_INTERVAL_MS, STORE_INTERVAL_MS);
}

struct store_writer *store_writer_free(struct store_writer *writer)
{
	if (!writer)
		return NULL;
	write_now(writer);
	uv_close((uv_handle_t *)&writer->timer, on_closed);
	return NULL;
}
