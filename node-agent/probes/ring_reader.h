/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Reads the ring buffer of a probe on a timer, and when the kernel says that it fills up: a wake-up
 * per record would cost the watched more than the record.
 */
#ifndef SKEP_NODE_AGENT_PROBES_RING_READER_H
#define SKEP_NODE_AGENT_PROBES_RING_READER_H

#include <stddef.h>

#include <uv.h>

#include "lib/base/error.h"

struct ring_reader;

/* Whose the ring is. */
struct ring_reader_user {
	const char *probe; /* its name, for messages */
	unsigned int interval_ms;
	/* Takes a record; it is gone when the function returns. */
	void (*take)(void *context, const void *record, size_t size);
	/* Called after each look, when all that was there has been taken; may be NULL. */
	void (*done)(void *context);
	void *context;
};

/*
 * Makes a reader of the map `records`, whose timer stands still as yet. Copies `user`. Returns 0
 * with *ret_reader, or a negative errno.
 */
int ring_reader_new(uv_loop_t *loop, int records, const struct ring_reader_user *user,
		    struct ring_reader **ret_reader, struct error *error);

/* Takes nothing any more; the memory goes with the loop's next turn. Returns NULL. */
struct ring_reader *ring_reader_free(struct ring_reader *reader);

/* Starts the timer, if it stands still, and stops it. */
void ring_reader_start(struct ring_reader *reader);
void ring_reader_stop(struct ring_reader *reader);

/* Takes all records that are there now. */
void ring_reader_read(struct ring_reader *reader);

#endif
