/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Heads that have been read are remembered by their shapes (http_shape.h), on each CPU. Shapes have
 * places by their namespace and size, so that connections whose heads are alike share one; where
 * two namespaces have the same place, the shape is for one of them. A connection remembers the
 * places of its last heads.
 */
#ifndef SKEP_BPF_HTTP_LEARNING_H
#define SKEP_BPF_HTTP_LEARNING_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/connection.h"
#include "bpf/http/target.h"
#include "bpf/lib/http_shape.h"
#include "bpf/lib/verifier.h"

#define SHAPES 16 /* the first is nobody's */

/*
 * Of a CPU. A program may be interrupted, or another thread take its turn: who looks puts its name
 * here before, and has seen nothing if it finds another one afterwards.
 */
struct glancing {
	__u64 reader;
	struct http_sight sight;
	struct http_shape shapes[SHAPES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct glancing);
} http_glances SEC(".maps");

/* Packets are named by where they are: two programs of one CPU are at different ones. */
static __always_inline void glance_begin(struct glancing *glancing, struct __sk_buff *skb)
{
	*(volatile __u64 *)&glancing->reader = (__u64)skb;
	barrier();
}

static __always_inline bool glance_was_alone(const struct glancing *glancing, struct __sk_buff *skb)
{
	barrier();
	return *(const volatile __u64 *)&glancing->reader == (__u64)skb;
}

static __always_inline struct glancing *glancing_find(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&http_glances, &key);
}

static long learn_step(__u32 step, void *context)
{
	(void)step;
	return http_learn_byte(context);
}

static __always_inline void shape_learn(struct http_shape *shape, struct glancing *glancing,
					const struct http_head *head, __u32 size)
{
	struct http_learning learning = {.shape = shape, .sight = &glancing->sight, .size = size};

	http_learn_begin(&learning, head);
	bpf_loop(HTTP_SHAPE_SIZE, learn_step, &learning, 0);
	http_learn_end(&learning);
}

/* What was seen of a response of `size` bytes goes into its shape. */
static __noinline int shape_renew(struct http_shape *shape, struct glancing *glancing, __u32 size)
{
	if (__sync_val_compare_and_swap(&shape->taken, 0, 1))
		return 0;
	http_renew(shape, &glancing->sight, size - shape->size);
	barrier();
	shape->taken = 0;
	return 0;
}

/* The place of a head's shape, which is not 0. */
static __always_inline __u32 shape_place(__u32 namespace, __u32 size, bool request)
{
	__u32 key = namespace << 1 | request;

	return 1 + (key * 31 + size) % (SHAPES - 1);
}

/* Remembers the head of `size` bytes at `offset` of a packet, which has just been read. */
__noinline int head_learn(struct __sk_buff *skb, struct connection *connection, __u32 offset,
			  __u32 size, bool request)
{
	struct glancing *glancing = glancing_find();
	struct http_shape *shape;
	__u32 place;

	verifier_forget(size);
	if (!connection || !glancing || size == 0 || size > HTTP_SHAPE_SIZE)
		return 0;
	place = shape_place(connection->namespace, size, request);
	*(request ? &connection->request_shape : &connection->response_shape) = place;
	verifier_forget(place);
	if (place >= SHAPES)
		return 0;
	shape = &glancing->shapes[place];
	if (!http_shape_is_due(shape) || __sync_val_compare_and_swap(&shape->taken, 0, 1))
		return 0;
	glance_begin(glancing, skb);
	shape->size = 0;
	shape->namespace = connection->namespace;
	if (!bpf_skb_load_bytes(skb, offset, glancing->sight.bytes, size))
		shape_learn(shape, glancing,
			    request ? &connection->request.head : &connection->response.head, size);
	if (!glance_was_alone(glancing, skb))
		shape->size = 0;
	barrier();
	shape->taken = 0;
	return 0;
}

#endif
