/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* A head that is like one before is read by its shape, which takes a third of the time. */
#ifndef SKEP_BPF_HTTP_GLANCE_H
#define SKEP_BPF_HTTP_GLANCE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/connection.h"
#include "bpf/http/exchange.h"
#include "bpf/http/learning.h"
#include "bpf/http/lines.h"
#include "bpf/http/packet.h"
#include "bpf/lib/http_shape.h"
#include "bpf/lib/likely.h"
#include "bpf/lib/verifier.h"

/* Puts as much of the packet in sight as the shape reaches. Returns how much. */
static __always_inline __u32 sight_load(struct packet *packet, struct glancing *glancing,
					const struct http_shape *shape)
{
	__u32 size = shape->size + (packet->request ? HTTP_SHAPE_LINE : HTTP_SHAPE_DIGITS);

	if (size > HTTP_SHAPE_SIZE)
		size = HTTP_SHAPE_SIZE;
	if (size > packet->size)
		size = packet->size;
	verifier_forget(size);
	if (size == 0 || size > HTTP_SHAPE_SIZE ||
	    bpf_skb_load_bytes(packet->skb, packet->offset, glancing->sight.bytes, size))
		return 0;
	return size;
}

/* Returns the size of the head that begins here, and what it tells; 0 where it is to be read. */
static __always_inline __u32 head_glance(struct packet *packet, struct http_head *head)
{
	const struct connection *connection = packet->connection;
	__u32 place = packet->request ? connection->request_shape : connection->response_shape;
	struct glancing *glancing = place ? glancing_find() : NULL;
	struct http_shape *shape;
	__u32 size;

	if (unlikely(!glancing || place >= SHAPES))
		return 0;
	shape = &glancing->shapes[place];
	glance_begin(glancing, packet->skb);
	if (unlikely(*(volatile __u32 *)&shape->taken || shape->namespace != connection->namespace))
		return 0;
	size = sight_load(packet, glancing, shape);
	head->flags = packet->stream->head.flags & HTTP_HEAD_REQUEST;
	size = http_glance(head, shape, &glancing->sight, size);
	if (unlikely(!size || !glance_was_alone(glancing, packet->skb)))
		return 0;
	shape->hits++;
	return size;
}

/* A message begins in the packet: its head is read, if it is like one before. */
static __always_inline void stream_glance(struct packet *packet)
{
	struct http_head head = {0};
	__u32 size = head_glance(packet, &head);

	if (unlikely(!size))
		return;
	message_begin(packet);
	packet->stream->head = head;
	if (unlikely(packet->request && packet->wants))
		request_read(packet, size);
	packet_skip(packet, size);
	stream_end_head(packet);
}

#endif
