/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Learns heads, and reads others by them, with bpf/lib/http_shape.h as the kernel half does. */
#ifndef SKEP_NODE_AGENT_PROBES_TESTS_HTTP_SHAPE_READER_H
#define SKEP_NODE_AGENT_PROBES_TESTS_HTTP_SHAPE_READER_H

#include "bpf/lib/http_shape.h"
#include "node-agent/probes/tests/http_reader.h"

/* Puts a head in sight; what is behind it must not matter. */
static inline struct http_sight *http_sight_new(const uint8_t *bytes, size_t size, uint8_t filler)
{
	struct http_sight *sight = malloc(sizeof(*sight));

	if (!sight)
		abort();
	memset(sight, filler, sizeof(*sight));
	sight->zero = 0;
	memcpy(sight->bytes, bytes, size < HTTP_SHAPE_SIZE ? size : HTTP_SHAPE_SIZE);
	return sight;
}

/* Learns the head that the bytes begin with; one that is none, or is too long, leaves no shape. */
static inline void http_learn(struct http_shape *shape, __u8 flags, const uint8_t *bytes,
			      size_t size)
{
	const struct http_reading read =
		http_read_from((struct http_head){.flags = flags}, bytes, size, SIZE_MAX, 'x');
	struct http_learning learning = {.shape = shape};

	shape->size = 0;
	if (read.end > HTTP_SHAPE_SIZE || read.head.state != HTTP_HEADERS)
		return;
	learning.sight = http_sight_new(bytes, read.end, ':');
	learning.size = (__u32)read.end;
	http_learn_begin(&learning, &read.head);
	while (!http_learn_byte(&learning))
		;
	http_learn_end(&learning);
	free(learning.sight);
}

/* Reads a head by a shape, in the form of http_read_from(). */
static inline struct http_reading http_read_by_shape(struct http_shape *shape, __u8 flags,
						     const uint8_t *bytes, size_t size,
						     uint8_t filler)
{
	struct http_sight *sight = http_sight_new(bytes, size, filler);
	struct http_reading reading = {.head.flags = flags, .end = HTTP_NOT_ENDED};
	__u32 seen = (__u32)(size < HTTP_SHAPE_SIZE ? size : HTTP_SHAPE_SIZE);
	size_t end = (size_t)http_glance(&reading.head, shape, sight, seen);

	if (end)
		reading.end = end;
	free(sight);
	return reading;
}

/* Renews a shape by a response of `size` bytes, which was read by it. */
static inline void http_renew_by(struct http_shape *shape, const uint8_t *bytes, size_t size,
				 uint8_t filler)
{
	struct http_sight *sight = http_sight_new(bytes, size, filler);

	http_renew(shape, sight, size - shape->size);
	free(sight);
}

#endif
