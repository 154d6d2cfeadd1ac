/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Reads one message with bpf/lib/http_head.h as the kernel half does, piece by piece. */
#ifndef SKEP_NODE_AGENT_PROBES_TESTS_HTTP_READER_H
#define SKEP_NODE_AGENT_PROBES_TESTS_HTTP_READER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/http_head.h"

#define HTTP_NOT_ENDED SIZE_MAX

struct http_reading {
	struct http_head head;	      /* as it is after the last piece, or where it ended */
	uint8_t line[HTTP_LINE_KEPT]; /* ends with what was kept of a line */
	size_t end;		      /* of the head, or HTTP_NOT_ENDED */
};

/*
 * Looks at one piece, in a window of its own memory. What is behind the window's bytes must not
 * matter: it is filled with `filler`. Returns how many bytes of the piece were taken.
 */
static inline size_t http_read_piece(struct http_reading *reading, const uint8_t *piece,
				     size_t size, uint8_t filler)
{
	struct http_window *window = malloc(sizeof(*window));
	size_t room = size < HTTP_WINDOW ? size : HTTP_WINDOW, taken;

	if (!window)
		abort();
	memset(window, filler, sizeof(*window));
	if (reading->head.kept)
		memcpy(window->bytes, reading->line, HTTP_LINE_KEPT);
	memcpy(window->bytes + HTTP_LINE_KEPT, piece, room);
	taken = (size_t)http_look(&reading->head, window, (__u32)room);
	if (taken > room || (!taken && size))
		abort();
	if (reading->head.kept)
		memcpy(reading->line, window->bytes + taken, HTTP_LINE_KEPT);
	free(window);
	return taken;
}

/* Goes on reading the lines that `reading` stands in, in pieces of up to `most` bytes. */
static inline struct http_reading http_read_on(struct http_reading reading, const uint8_t *bytes,
					       size_t size, size_t most, uint8_t filler)
{
	reading.end = HTTP_NOT_ENDED;
	for (size_t at = 0; at < size && reading.head.state != HTTP_OPAQUE;) {
		size_t piece = size - at < most ? size - at : most;

		at += http_read_piece(&reading, bytes + at, piece, filler);
		if (!(reading.head.flags & HTTP_HEAD_DONE))
			continue;
		reading.head.flags &= ~HTTP_HEAD_DONE;
		reading.end = at;
		break;
	}
	return reading;
}

/* The same from the start of a message, or of another place. */
static inline struct http_reading http_read_from(struct http_head head, const uint8_t *bytes,
						 size_t size, size_t most, uint8_t filler)
{
	return http_read_on((struct http_reading){.head = head}, bytes, size, most, filler);
}

/* Where a stream turned out to be no HTTP, nothing else is of interest. */
static inline bool http_reading_equal(const struct http_reading *a, const struct http_reading *b)
{
	if (a->head.state == HTTP_OPAQUE || b->head.state == HTTP_OPAQUE)
		return a->head.state == b->head.state;
	return a->end == b->end && a->head.state == b->head.state &&
	       a->head.flags == b->head.flags && a->head.method == b->head.method &&
	       a->head.status == b->head.status && a->head.body == b->head.body;
}

#endif
