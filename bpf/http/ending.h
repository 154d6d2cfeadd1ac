/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What the end of a connection does to exchanges that are under way. */
#ifndef SKEP_BPF_HTTP_ENDING_H
#define SKEP_BPF_HTTP_ENDING_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/exchange.h"
#include "bpf/http/packet.h"
#include "bpf/http/sequence.h"
#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/tcp_sock.h"

static long abort_step(__u32 step, void *context)
{
	struct packet *packet = context;
	bool by_client = packet->request || packet->connection->client_ended;

	(void)step;
	if (!connection_waiting(packet->connection))
		return 1;
	packet_end_exchange(packet, by_client ? HTTP_ABORTED_BY_CLIENT : HTTP_ABORTED_BY_SERVER,
			    packet_time(packet));
	return 0;
}

/* A client that has closed its socket reads no more; one that only sends no more still may. */
#define RCV_SHUTDOWN 1

static __always_inline bool packet_closes(const struct packet *packet)
{
	struct tcp_sock *tcp;

	if (packet->flags & SEGMENT_RST)
		return true;
	tcp = packet->sent ? bpf_skc_to_tcp_sock(packet->sk) : NULL;
	return tcp && tcp->inet_conn.icsk_inet.sk.sk_shutdown & RCV_SHUTDOWN;
}

/* A FIN that comes before bytes in front of it ends nothing until they are there. */
static __always_inline bool fin_is_early(struct packet *packet, __u32 begin, __u32 end)
{
	struct connection *connection = packet->connection;

	if (!(packet->flags & SEGMENT_FIN) || (__s32)(end - packet->stream->next) <= 0 ||
	    packet_is_past_loss(packet))
		return false;
	connection->fin_begin = begin;
	connection->fin_end = end;
	connection->fin_waits = true;
	return true;
}

/*
 * True when all is there that is in front of a FIN that waits. Its own bytes may have passed while
 * it was not known yet what they are; then the last chunk was among them, if any. Where a head was,
 * nobody knows how the server has answered.
 */
static __always_inline bool fin_is_due(struct packet *packet)
{
	struct connection *connection = packet->connection;
	struct stream *stream = packet->stream;
	__s32 missing = connection->fin_end - stream->next;

	if ((__s32)(connection->fin_begin - stream->next) > 0)
		return false;
	connection->fin_waits = false;
	if (missing <= 0)
		return true;
	if (!packet_jump(packet, missing))
		connection_lose(packet);
	if (stream->head.state == HTTP_CHUNKED)
		stream->head.state = HTTP_CLOSE;
	if (stream->head.state == HTTP_CLOSE)
		stream->bytes += missing;
	return true;
}

/* True when the server has ended its side, and what it sent has been looked at. */
static __always_inline bool response_ends(struct packet *packet, __u32 begin, __u32 end)
{
	if (packet->flags & SEGMENT_RST)
		return true;
	if (fin_is_early(packet, begin, end))
		return false;
	return !packet->connection->fin_waits || fin_is_due(packet);
}

/*
 * A server's FIN ends a response that has no other end, or whose end was not seen; any other
 * request is given up.
 */
static __always_inline void response_end(struct packet *packet)
{
	struct stream *response = &packet->connection->response;

	if (packet->flags & SEGMENT_RST || response->head.state != HTTP_CLOSE)
		return;
	packet_end_exchange(packet, HTTP_COMPLETE, packet_time(packet));
	stream_restart(response);
}

/* The packet, whose bytes went from `begin` to `end`, ends the connection, or brings its end. */
static __noinline void packet_end(struct packet *packet, __u32 begin, __u32 end)
{
	if (packet->request) {
		packet->connection->client_ended = true;
		if (!packet_closes(packet))
			return;
	} else {
		if (!response_ends(packet, begin, end))
			return;
		response_end(packet);
	}
	bpf_loop(PIPELINE, abort_step, packet, 0);
}

static __always_inline bool packet_may_end(const struct packet *packet)
{
	return packet->flags & (SEGMENT_FIN | SEGMENT_RST) ||
	       (!packet->request && packet->connection->fin_waits);
}

#endif
