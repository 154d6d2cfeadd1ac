/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* A packet on its way through a program, and how much of it has been looked at. */
#ifndef SKEP_BPF_HTTP_PACKET_H
#define SKEP_BPF_HTTP_PACKET_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/connection.h"

struct packet {
	struct __sk_buff *skb;
	struct bpf_sock *sk;
	struct connection *connection;
	struct http_target *target;
	__u64 now;    /* 0: not read yet */
	__u32 offset; /* of the payload that is still to be looked at */
	__u32 size;
	__u8 flags;
	bool sent;
};

static __always_inline __u64 packet_time(struct packet *packet)
{
	if (!packet->now)
		packet->now = bpf_ktime_get_ns();
	return packet->now;
}

static __always_inline bool packet_is_request(const struct packet *packet)
{
	return packet->sent == (packet->connection->role == HTTP_CLIENT);
}

static __always_inline struct stream *packet_stream(struct packet *packet)
{
	return packet_is_request(packet) ? &packet->connection->request
					 : &packet->connection->response;
}

/* The payload up to here has been looked at. */
static __always_inline void packet_skip(struct packet *packet, struct stream *stream, __u32 size)
{
	struct connection *connection = packet->connection;

	packet->offset += size;
	packet->size -= size;
	stream->bytes += size;
	if (packet_is_request(packet) && connection_waiting(connection) &&
	    stream->head.state > HTTP_HEADERS)
		connection->queue[(connection->asked - 1) % PIPELINE].bytes += size;
}

#endif
