/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Where a packet stands in its stream: seen before, next, or behind a gap. */
#ifndef SKEP_BPF_HTTP_SEQUENCE_H
#define SKEP_BPF_HTTP_SEQUENCE_H

#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/body.h"
#include "bpf/http/exchange.h"
#include "bpf/http/packet.h"
#include "bpf/lib/likely.h"
#include "bpf/lib/tcp_sock.h"

/*
 * Will the bytes before the packet never come? The kernel sends in order; of what it receives, it
 * has what lies before rcv_nxt.
 */
static __always_inline bool packet_is_past_loss(const struct packet *packet)
{
	const struct stream *stream = packet->stream;
	const struct tcp_sock *tcp;

	if (packet->sent)
		return true;
	tcp = bpf_skc_to_tcp_sock(packet->sk);
	return tcp && (__s32)(tcp->rcv_nxt - stream->next) > 0;
}

/*
 * Bytes before the packet are missing: they come later, or never. Within a body that does not
 * matter; otherwise those that come later are waited for. True when the packet can be looked at.
 */
static __noinline bool packet_jump(struct packet *packet, __u32 missing)
{
	struct stream *stream = packet->stream;
	__u8 state = stream->head.state;

	if (state >= HTTP_CHUNKED)
		return true;
	if ((state == HTTP_BODY || state == HTTP_CHUNK) && stream->head.body >= missing) {
		stream->head.body -= missing;
		stream->bytes += missing;
		if (!stream->head.body)
			body_end(packet);
		return true;
	}
	if (state > HTTP_HEADERS && state != HTTP_BODY) {
		stream->head.state = HTTP_CHUNKED;
		stream->head.kept = 0;
		return true;
	}
	if (!packet_is_past_loss(packet))
		return false;
	connection_lose(packet);
	return true;
}

/*
 * Leaves of the packet what has not been seen: false when that is nothing, as in a packet that is
 * sent again.
 */
static __always_inline bool packet_sync(struct packet *packet, __u32 sequence)
{
	struct stream *stream = packet->stream;
	__s32 ahead = sequence - stream->next;
	__u32 end = sequence + packet->size;

	if (unlikely(ahead < 0)) {
		if ((__u32)-ahead >= packet->size)
			return false;
		packet->offset += -ahead;
		packet->size -= -ahead;
	} else if (unlikely(ahead > 0) && !packet_jump(packet, ahead)) {
		return false;
	}
	stream->next = end;
	return true;
}

#endif
