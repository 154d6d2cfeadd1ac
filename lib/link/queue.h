/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Messages that wait: a bounded queue that is taken off in pieces. Pure. */
#ifndef SKEP_LIB_LINK_QUEUE_H
#define SKEP_LIB_LINK_QUEUE_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/link/frames.h"

#define LINK_QUEUE_HEADROOM 32 /* writable bytes before each piece, for a frame's header */

struct link_parcel;

struct link_queue {
	struct link_parcel *parcels;
	size_t bytes; /* that wait, overhead included */
	size_t limit; /* of `bytes`; set by the owner */
	size_t sent;  /* of the first parcel */
};

/* Appends a copy. Returns 0, -ENOBUFS when it would be over the limit, or -ENOMEM. */
int link_queue_push(struct link_queue *queue, const char *data, size_t length);

/* Appends a message as text; takes `message`, also when it fails. As link_queue_push(). */
int link_queue_push_json(struct link_queue *queue, cJSON *message);

/*
 * The next piece of at most `limit` bytes of the first message, or false when nothing waits. The
 * piece may be written to, and so may LINK_QUEUE_HEADROOM bytes before it. `remaining` is what the
 * message has behind the piece.
 */
bool link_queue_next(const struct link_queue *queue, size_t limit, struct link_piece *ret_piece);

/* Takes the first `length` bytes off, as given by link_queue_next(). */
void link_queue_advance(struct link_queue *queue, size_t length);

void link_queue_free(struct link_queue *queue);

#endif
