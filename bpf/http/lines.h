/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Lines of a message: its head, and what is before and behind a chunk. */
#ifndef SKEP_BPF_HTTP_LINES_H
#define SKEP_BPF_HTTP_LINES_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/exchange.h"
#include "bpf/http/packet.h"
#include "bpf/lib/http_head.h"
#include "bpf/lib/verifier.h"

#define MISSES 200 /* pieces that cannot be the start of a message before it is no HTTP */

/* A program may be interrupted on its CPU by one that needs a window too. */
#define WINDOWS 4

struct windows {
	__u32 depth;
	__u32 reserved;
	struct http_window windows[WINDOWS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct windows);
} http_windows SEC(".maps");

/*
 * What does not begin like a message may be the middle of one, unless nothing has passed before it.
 */
static __always_inline void stream_miss(struct packet *packet, struct stream *stream)
{
	struct connection *connection = packet->connection;

	stream_restart(stream);
	if (connection->counted || (!connection->fresh && ++stream->misses < MISSES))
		return;
	connection->request.head.state = HTTP_OPAQUE;
	connection->response.head.state = HTTP_OPAQUE;
	connection->counted = true;
	count(&packet->target->opaque, 1);
}

static __always_inline void stream_load(struct packet *packet, struct http_head *head,
					struct http_window *window)
{
	__u32 kept = head->kept, size;

	if (kept >= HTTP_LINE_KEPT)
		kept = 0;
	__builtin_memcpy(window->bytes, head->line, HTTP_LINE_KEPT);
	size = packet->size;
	if (size > HTTP_WINDOW - HTTP_LINE_KEPT)
		size = HTTP_WINDOW - HTTP_LINE_KEPT;
	window->size = kept;
	verifier_forget(size);
	if (size == 0 || size > HTTP_WINDOW - HTTP_LINE_KEPT)
		return;
	if (!bpf_skb_load_bytes(packet->skb, packet->offset, window->bytes + kept, size))
		window->size = kept + size;
}

/* The lines of a head, or before or behind a chunk, have ended. */
static __always_inline void stream_end_lines(struct packet *packet, struct stream *stream)
{
	if (stream->head.state == HTTP_TRAILERS)
		message_end(packet, stream);
	else if (stream->head.state != HTTP_HEADERS)
		return;
	else if (packet_is_request(packet))
		request_began(packet, stream);
	else
		response_began(packet, stream);
}

static __always_inline void stream_read_head(struct packet *packet, struct stream *stream,
					     struct http_window *window)
{
	__u32 kept = stream->head.kept, used;
	bool request = packet_is_request(packet);

	if (stream->head.state == HTTP_START && !kept) {
		if (request)
			end_by_next_request(packet);
		stream->began_ns = packet_time(packet);
		stream->bytes = 0;
	}
	if (request)
		stream->head.flags |= HTTP_HEAD_REQUEST;
	stream_load(packet, &stream->head, window);
	if (window->size <= kept) { /* cannot be read */
		packet->size = 0;
		return;
	}
	http_look(&stream->head, window);
	used = (window->done ? window->done : window->size) - kept;
	if (stream->head.state == HTTP_OPAQUE) {
		stream_miss(packet, stream);
		packet->size = 0;
		return;
	}
	packet_skip(packet, stream, used);
	if (window->done)
		stream_end_lines(packet, stream);
}

static __always_inline void stream_read(struct packet *packet, struct stream *stream)
{
	__u32 key = 0, depth;
	struct windows *windows = bpf_map_lookup_elem(&http_windows, &key);

	if (!windows)
		return;
	depth = windows->depth++;
	verifier_forget(depth);
	if (depth < WINDOWS)
		stream_read_head(packet, stream, &windows->windows[depth]);
	else
		packet->size = 0;
	windows->depth--;
}

#endif
