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
	struct stream *stream; /* the connection's, of this direction */
	__u64 now;	       /* 0: not read yet */
	__u32 wants;	       /* of the target; 0: its counts only */
	__u32 offset;	       /* of the payload that is still to be looked at */
	__u32 size;
	__u32 head_at; /* where the head begins that was read last; 0: in a packet before */
	__u8 flags;
	bool sent;
	bool request; /* of a client to its server */
};

/*
 * When the packet passes. TCP has written down when what it sends is to leave (tcp_output.c, on the
 * same clock), which saves reading the clock.
 */
static __always_inline __u64 packet_time(struct packet *packet)
{
	__u64 now = packet->now;

	if (now)
		return now;
	if (packet->sent)
		now = packet->skb->tstamp;
	if (!now)
		now = bpf_ktime_get_ns();
	packet->now = now;
	return now;
}

/* The payload up to here has been looked at. */
static __always_inline void packet_skip(struct packet *packet, __u32 size)
{
	packet->offset += size;
	packet->size -= size;
	packet->stream->bytes += size;
}

#endif
