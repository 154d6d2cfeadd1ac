/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* A packet piece by piece: heads, bodies, and parts of them. */
#ifndef SKEP_BPF_HTTP_PIECES_H
#define SKEP_BPF_HTTP_PIECES_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/body.h"
#include "bpf/http/glance.h"
#include "bpf/http/lines.h"
#include "bpf/http/packet.h"
#include "bpf/http/sequence.h"
#include "bpf/lib/likely.h"

#define MESSAGES 256 /* pieces of messages told apart in one packet */

/* One piece of a packet: a head or a part of one, a body or a part of one. */
static long packet_step(__u32 step, void *context)
{
	struct packet *packet = context;

	(void)step;
	if (!packet->size)
		return 1;
	switch (packet->stream->head.state) {
	case HTTP_START:
	case HTTP_HEADERS:
	case HTTP_CHUNK_SIZE:
	case HTTP_TRAILERS:
		stream_read(packet);
		return 0;
	case HTTP_BODY:
	case HTTP_CHUNK:
		stream_skip_body(packet);
		return 0;
	case HTTP_CHUNKED:
	case HTTP_CLOSE:
		stream_skip_chunks(packet);
		return 1;
	default:
		return 1;
	}
}

/* More pieces than are told apart in one packet. */
static __noinline void packet_give_up(struct packet *packet)
{
	struct http_head *head = &packet->stream->head;

	if (head->state >= HTTP_CHUNKED)
		return;
	if (head->state <= HTTP_HEADERS || head->state == HTTP_BODY) {
		connection_lose(packet);
		return;
	}
	head->state = HTTP_CHUNKED;
	head->kept = 0;
	stream_skip_chunks(packet);
}

static __always_inline void packet_read(struct packet *packet, __u32 sequence)
{
	struct http_head *head = &packet->stream->head;

	if (unlikely(head->state == HTTP_OPAQUE || !packet_sync(packet, sequence)))
		return;
	if (likely(head->state == HTTP_START && !head->kept))
		stream_glance(packet);
	if (head->state == HTTP_BODY)
		stream_skip_body(packet);
	if (unlikely(packet->size))
		bpf_loop(MESSAGES, packet_step, packet, 0);
	if (unlikely(packet->size))
		packet_give_up(packet);
}

#endif
