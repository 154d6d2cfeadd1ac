/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* A connection as the first packet of it that is seen passes. */
#ifndef SKEP_BPF_HTTP_OPENING_H
#define SKEP_BPF_HTTP_OPENING_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/address.h"
#include "bpf/http/connection.h"
#include "bpf/http/early.h"
#include "bpf/http/packet.h"
#include "bpf/http/record.h"
#include "bpf/http/route.h"
#include "bpf/http/target.h"
#include "bpf/lib/likely.h"
#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/tcp_sock.h"
#include "bpf/lib/verifier.h"

/* What can be told of a connection from the first packet of it that is seen. */
struct opening {
	__u16 port; /* the server's */
	__u8 role;  /* enum http_role */
	bool fresh; /* nothing has passed that was not seen */
};

static __always_inline struct opening opening_of(const struct packet *packet,
						 const struct tcp_segment *segment,
						 const struct tcp_sock *tcp)
{
	struct opening opening;

	opening.fresh = tcp->bytes_received == 0 &&
			tcp->bytes_sent <= (packet->sent ? segment->payload : 0);
	/* The client speaks first; what was accepted has inherited its listener's backlog. */
	if (opening.fresh)
		opening.role = packet->sent ? HTTP_CLIENT : HTTP_SERVER;
	else
		opening.role =
			tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog ? HTTP_SERVER : HTTP_CLIENT;
	opening.port = opening.role == HTTP_SERVER ? packet->sk->src_port
						   : bpf_ntohs(packet->sk->dst_port);
	return opening;
}

/* Both streams go on from where they are as the first packet passes. */
static __always_inline void connection_begin(struct connection *connection,
					     const struct packet *packet,
					     const struct tcp_segment *segment,
					     const struct tcp_sock *tcp,
					     const struct opening *opening)
{
	__u32 sent = tcp->snd_nxt;

	verifier_forget(sent); /* no instruction may read from one of two kinds of pointers */
	if (packet->sent)
		sent = segment->sequence;
	connection->fresh = opening->fresh;
	connection->role = opening->role;
	connection->port = opening->port;
	connection->request.head.flags = HTTP_HEAD_REQUEST;
	connection->request.next = connection->role == HTTP_CLIENT ? sent : tcp->rcv_nxt;
	connection->response.next = connection->role == HTTP_CLIENT ? tcp->rcv_nxt : sent;
	address_of_socket(connection->address, tcp);
}

/*
 * What is known of a connection and of its requests: whoever looks at it again begins anew, and
 * counts its requests from one.
 */
static __always_inline void connection_drop(struct bpf_sock *sk)
{
	bpf_sk_storage_delete(&http_connections, sk);
	bpf_sk_storage_delete(&http_kept, sk);
	bpf_sk_storage_delete(&http_routed, sk);
}

/* Whether the connection may begin with this packet; a SYN may bring a request of its client. */
static __always_inline bool packet_may_open(const struct packet *packet,
					    const struct tcp_segment *segment)
{
	__u32 state = packet->sk->state;

	return segment->payload && (state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT ||
				    (packet->sent && state == BPF_TCP_SYN_SENT));
}

/* The first packet of a connection, as far as this target is concerned. */
static __always_inline struct connection *connection_open(struct packet *packet,
							  struct tcp_segment *segment,
							  const struct http_target *target)
{
	struct connection *connection;
	struct bpf_sock *sk = packet->sk;
	struct opening opening;
	struct tcp_sock *tcp;

	if (!packet_may_open(packet, segment))
		return NULL;
	if (segment->flags & SEGMENT_SYN)
		segment->sequence++;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return NULL;
	if (packet->connection) /* of a target that has gone */
		connection_drop(sk);
	opening = opening_of(packet, segment, tcp);
	if (!target_wants_port(target, opening.port))
		return NULL;
	connection = bpf_sk_storage_get(&http_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (connection)
		connection_begin(connection, packet, segment, tcp, &opening);
	return connection;
}

/* A connection that is there already; NULL where this target is not to look at it (any more). */
static __always_inline struct connection *connection_check(struct packet *packet,
							   const struct http_target *target)
{
	struct connection *connection = packet->connection;

	if (connection->target != target->target)
		return NULL;
	if (target_wants_port(target, connection->port))
		return connection;
	connection_drop(packet->sk);
	return NULL;
}

/*
 * Finds out what this target wants of a packet, and of its connection, if it has any. Returns NULL
 * where it is not to look at it. `sent` is the packet's: the verifier knows what a register holds.
 *
 * While a pod and a container of it are both targets, for a moment, the programs of both see each
 * packet. A connection that is settled for one of them is then followed by both, as a packet that
 * was seen before changes nothing; user space stops a target before it reads the last of what it
 * counted.
 */
static __noinline struct connection *connection_settle(struct packet *packet,
						       struct tcp_segment *segment, bool sent)
{
	const __u32 version = version_now();
	const struct http_target *target = target_find();
	struct connection *connection;

	if (!target->target)
		return NULL;
	if (packet->connection && packet->connection->target >= target->target)
		connection = connection_check(packet, target);
	else
		connection = connection_open(packet, segment, target);
	if (!connection && !sent)
		connection = early_ensure(packet, segment, target);
	if (!connection)
		return NULL;
	packet->wants = target->wants & ~HTTP_WANTS_PORTS;
	connection->target = target->target;
	connection->namespace = target->namespace;
	connection->settled = packet->wants ? 0 : version;
	return connection;
}

#endif
