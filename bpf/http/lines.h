/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Lines of a message: its head, and what is before and behind a chunk. */
#ifndef SKEP_BPF_HTTP_LINES_H
#define SKEP_BPF_HTTP_LINES_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/exchange.h"
#include "bpf/http/learning.h"
#include "bpf/http/packet.h"
#include "bpf/http/record.h"
#include "bpf/http/route.h"
#include "bpf/lib/http_head.h"
#include "bpf/lib/verifier.h"

#define MISSES 200 /* pieces that cannot be the start of a message before it is no HTTP */

/*
 * A program may be interrupted on its CPU, or another thread take its turn, and the next one need a
 * window too.
 */
#define WINDOWS 4

struct window {
	__u32 taken;
	__u32 reserved[3];
	struct http_window view; /* its new bytes are aligned to a cache line */
};

struct windows {
	struct window windows[WINDOWS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct windows);
} http_windows SEC(".maps");

static __always_inline struct window *window_take(void)
{
	__u32 key = 0;
	struct windows *windows = bpf_map_lookup_elem(&http_windows, &key);

	if (!windows)
		return NULL;
	for (int i = 0; i < WINDOWS; i++)
		if (!__sync_val_compare_and_swap(&windows->windows[i].taken, 0, 1))
			return &windows->windows[i];
	return NULL;
}

static __always_inline void window_give_back(struct window *window)
{
	barrier();
	window->taken = 0;
}

/*
 * What does not begin like a message may be the middle of one, unless nothing has passed before it.
 */
static __always_inline void stream_miss(struct packet *packet)
{
	struct connection *connection = packet->connection;
	__u16 *misses =
		packet->request ? &connection->request_misses : &connection->response_misses;

	stream_restart(packet->stream);
	if (connection->counted || (!connection->fresh && ++*misses < MISSES))
		return;
	connection->request.head.state = HTTP_OPAQUE;
	connection->response.head.state = HTTP_OPAQUE;
	connection->counted = true;
	packet_count(packet, opaque);
}

/* How many bytes of the packet are in the window now. */
static __always_inline __u32 window_load(struct packet *packet, struct http_window *window)
{
	__u32 size = packet->size < HTTP_WINDOW ? packet->size : HTTP_WINDOW;

	if (!verifier_has_size(size, HTTP_WINDOW) ||
	    bpf_skb_load_bytes(packet->skb, packet->offset, window->bytes + HTTP_LINE_KEPT, size))
		return 0;
	return size;
}

static __always_inline void stream_end_head(struct packet *packet)
{
	if (packet->request)
		request_began(packet);
	else
		response_began(packet);
}

/* The lines of a head, or before or behind a chunk, have ended. */
static __always_inline void stream_end_lines(struct packet *packet)
{
	if (packet->stream->head.state == HTTP_TRAILERS) {
		message_end(packet);
	} else if (packet->stream->head.state == HTTP_HEADERS) {
		if (packet->head_at)
			head_learn(packet->skb, packet->connection, packet->head_at,
				   packet->offset - packet->head_at, packet->request);
		stream_end_head(packet);
	}
}

static __always_inline __u8 *stream_line(struct packet *packet)
{
	struct connection *connection = packet->connection;

	return packet->request ? connection->request_line : connection->response_line;
}

static __always_inline void line_keep(struct packet *packet, const struct http_window *window,
				      __u32 used)
{
	verifier_forget(used);
	if (used <= HTTP_WINDOW)
		__builtin_memcpy(stream_line(packet), window->bytes + used, HTTP_LINE_KEPT);
}

/* What else is wanted of a request than that it is counted. */
static __always_inline void request_read(struct packet *packet, __u32 size)
{
	if (packet->wants & HTTP_WANTS_RECORDS)
		request_keep(packet, size);
	if (packet->wants & HTTP_WANTS_ROUTES)
		request_route(packet, size);
}

/* True when the lines have ended. */
static __always_inline bool stream_look(struct packet *packet, struct http_window *window)
{
	struct http_head *head = &packet->stream->head;
	__u32 size, used;

	if (head->kept)
		__builtin_memcpy(window->bytes, stream_line(packet), HTTP_LINE_KEPT);
	size = window_load(packet, window);
	if (!size) { /* cannot be read */
		packet->size = 0;
		return false;
	}
	used = http_look(head, window, size);
	if (head->state == HTTP_OPAQUE) {
		stream_miss(packet);
		packet->size = 0;
		return false;
	}
	if (head->kept)
		line_keep(packet, window, used);
	if (packet->request && packet->wants)
		request_read(packet, used);
	packet_skip(packet, used);
	return head->flags & HTTP_HEAD_DONE;
}

/* Reads lines from where the packet is, as far as a window reaches. */
static __noinline int stream_read(struct packet *packet)
{
	const struct http_head *head = &packet->stream->head;
	struct window *window = window_take();
	bool ended;

	if (!window) {
		packet->size = 0;
		connection_lose(packet);
		return 0;
	}
	if (head->state == HTTP_START && !head->kept) {
		message_begin(packet);
		packet->head_at = packet->offset;
	}
	ended = stream_look(packet, &window->view);
	window_give_back(window);
	if (ended)
		stream_end_lines(packet);
	return 0;
}

#endif
