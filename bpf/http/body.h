/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Bodies and chunks, which are stepped over. */
#ifndef SKEP_BPF_HTTP_BODY_H
#define SKEP_BPF_HTTP_BODY_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/exchange.h"
#include "bpf/http/packet.h"

static __always_inline void body_end(struct packet *packet, struct stream *stream)
{
	if (stream->head.state == HTTP_CHUNK)
		stream->head.state = HTTP_CHUNK_SIZE;
	else
		message_end(packet, stream);
}

static __always_inline void stream_skip_body(struct packet *packet, struct stream *stream)
{
	__u64 size = stream->head.body < packet->size ? stream->head.body : packet->size;

	stream->head.body -= size;
	packet_skip(packet, stream, size);
	if (!stream->head.body)
		body_end(packet, stream);
}

/* The last chunk is empty. Where chunks begin is not known: only the end of a packet is looked at.
 */
#define LAST_CHUNK_SIZE 5 /* "0\r\n\r\n" */

static __always_inline bool packet_ends_chunks(struct packet *packet)
{
	__u64 end = 0;

	if (packet->size < LAST_CHUNK_SIZE ||
	    bpf_skb_load_bytes(packet->skb, packet->offset + packet->size - LAST_CHUNK_SIZE, &end,
			       LAST_CHUNK_SIZE))
		return false;
	return end == HTTP_WORD('0', '\r', '\n', '\r', '\n', 0, 0, 0);
}

static __always_inline void stream_skip_chunks(struct packet *packet, struct stream *stream)
{
	bool end = packet_ends_chunks(packet);

	stream->last_ns = packet_time(packet);
	packet_skip(packet, stream, packet->size);
	if (end)
		message_end(packet, stream);
}

#endif
