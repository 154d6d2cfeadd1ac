/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Reads request lines with bpf/lib/http_route.h as the kernel half does, piece by piece. */
#ifndef SKEP_NODE_AGENT_PROBES_TESTS_HTTP_ROUTE_READER_H
#define SKEP_NODE_AGENT_PROBES_TESTS_HTTP_ROUTE_READER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/http_route.h"
#include "node-agent/probes/http_templates.h"

/* What has come of a line so far. */
struct http_route_reading {
	struct http_route_look look; /* the first member: how on_segment() comes by the rest */
	struct http_route route;
	const struct http_templates *templates; /* NULL: none */
	size_t taken;				/* bytes of the line */
};

static inline const struct http_step *http_route_find_step(const struct http_route_reading *reading,
							   uint64_t segment)
{
	const struct http_templates *templates = reading->templates;

	for (size_t i = 0; i < templates->count; i++)
		if (templates->steps[i].from == reading->route.node &&
		    templates->steps[i].segment == segment)
			return &templates->steps[i].step;
	return NULL;
}

static __always_inline void http_route_on_segment(struct http_route_look *look, __u64 hash,
						  __u8 class)
{
	const struct http_route_reading *reading = (const struct http_route_reading *)look;

	(void)class;
	if (reading->templates)
		http_route_follow(look->route,
				  look->route->flags & HTTP_STEP_LITERALS
					  ? http_route_find_step(reading, hash)
					  : NULL,
				  look->route->flags & HTTP_STEP_WILDCARD
					  ? http_route_find_step(reading, HTTP_STEP_ANY)
					  : NULL);
}

static inline struct http_route_reading http_route_reading_begin(
	const struct http_templates *templates)
{
	struct http_route_reading reading = {.templates = templates};

	http_route_begin(&reading.route, 1, templates ? templates->root : 0);
	return reading;
}

/* Looks at one more piece, in memory of its own: what is behind it is not to be read. */
static inline void http_route_read(struct http_route_reading *reading, const char *bytes,
				   size_t size)
{
	__u8 *piece = malloc(size + 1);

	if (!piece)
		abort();
	memcpy(piece, bytes, size);
	reading->look = (struct http_route_look){
		.route = &reading->route,
		.bytes = piece,
		.size = (__u32)size,
		.line = (__u32)-reading->taken, /* where it begins, seen from the piece */
	};
	while (reading->route.phase < HTTP_ROUTE_END && reading->look.at < size)
		(void)http_route_step(0, &reading->look);
	reading->taken += size;
	free(piece);
}

#endif
