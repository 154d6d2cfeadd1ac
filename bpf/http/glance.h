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
static __always_inline __u32 sight_load(struct packet *packet, struct http_sight *sight,
					const struct http_shape *shape)
{
	__u32 size = shape->reach < packet->size ? shape->reach : packet->size;

	if (!verifier_has_size(size, HTTP_SHAPE_SIZE) ||
	    bpf_skb_load_bytes(packet->skb, packet->offset, sight->bytes, size))
		return 0;
	return size;
}

/* Is it a shape that nobody changes, of this namespace? On big-endian machines, none is. */
static __always_inline bool shape_is_of(const struct http_shape *shape, __u32 namespace)
{
	return *(const volatile __u64 *)&shape->owner == namespace;
}

/* Returns the size of the head that begins here, which has been read; 0 where it is to be read. */
static __always_inline __u32 head_glance(struct packet *packet)
{
	const struct connection *connection = packet->connection;
	__u32 place = packet->request ? connection->request_shape : connection->response_shape;
	struct glancing *glancing = likely(place) ? glancing_find() : NULL;
	struct http_shape *shape;
	__u32 size;

	if (unlikely(!glancing || place >= SHAPES))
		return 0;
	shape = &glancing->shapes[place];
	glance_begin(glancing, packet->skb);
	if (unlikely(!shape_is_of(shape, connection->namespace)))
		return 0;
	size = sight_load(packet, &glancing->sight, shape);
	size = http_glance(&packet->stream->head, shape, &glancing->sight, size);
	if (unlikely(!size))
		return 0;
	if (unlikely(!glance_was_alone(glancing, packet->skb))) {
		packet->stream->head.state = HTTP_START;
		packet->stream->head.status = 0;
		return 0;
	}
	shape->hits++;
	if (unlikely(shape->stale && !packet->request && shape->hits % HTTP_SHAPE_RENEWS == 0))
		shape_renew(shape, glancing, size);
	return size;
}

/*
 * A message begins in the packet: its head is read, if it is like one before. message_begin() comes
 * first, since it puts aside what is known of a request that waits, where the head is then kept. A
 * head that is to be read by line begins once more, to no harm.
 */
static __always_inline void stream_glance(struct packet *packet)
{
	__u32 size;

	message_begin(packet);
	size = head_glance(packet);
	if (unlikely(!size))
		return;
	if (unlikely(packet->request && packet->wants))
		request_read(packet, size);
	packet_skip(packet, size);
	stream_end_head(packet);
}

#endif
