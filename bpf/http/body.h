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

static __always_inline void body_end(struct packet *packet)
{
	struct http_head *head = &packet->stream->head;

	if (head->state == HTTP_CHUNK)
		head->state = HTTP_CHUNK_SIZE;
	else
		message_end(packet);
}

static __always_inline void stream_skip_body(struct packet *packet)
{
	struct http_head *head = &packet->stream->head;
	__u64 size = head->body < packet->size ? head->body : packet->size;

	head->body -= size;
	packet_skip(packet, size);
	if (!head->body)
		body_end(packet);
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

static __always_inline void stream_skip_chunks(struct packet *packet)
{
	struct connection *connection = packet->connection;
	bool end = packet_ends_chunks(packet);

	if (!packet->request) {
		connection->last_ns = packet_time(packet);
		connection->open_ended = true;
	}
	packet_skip(packet, packet->size);
	if (end)
		message_end(packet);
}

#endif
