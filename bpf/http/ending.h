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

/* A server's FIN ends a response that has no other end; any other request is given up. */
static __always_inline void packet_end(struct packet *packet)
{
	struct connection *connection = packet->connection;

	if (packet->request) {
		connection->client_ended = true;
		if (!packet_closes(packet))
			return;
	} else if (connection->response.head.state == HTTP_CLOSE &&
		   !(packet->flags & SEGMENT_RST)) {
		packet_end_exchange(packet, HTTP_COMPLETE, packet_time(packet));
		stream_restart(&connection->response);
	}
	bpf_loop(PIPELINE, abort_step, packet, 0);
}

#endif
