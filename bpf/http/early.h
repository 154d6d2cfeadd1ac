/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Requests that come before their connection has a socket. The packet that ends a handshake passes
 * the hook while only the listener is there, and it may bring the first request: always where the
 * server defers accepting (TCP_DEFER_ACCEPT), where the packet before it is lost, and with the SYN
 * itself (TCP Fast Open). What it tells is put down on its CPU. The kernel goes on with the same
 * packet, on the same CPU, and tells of the socket that comes of it (early_accept()), which takes
 * over what was put down. Where none comes of it, nothing is counted, and the next such packet is
 * put down in its place.
 */
#ifndef SKEP_BPF_HTTP_EARLY_H
#define SKEP_BPF_HTTP_EARLY_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/address.h"
#include "bpf/http/connection.h"
#include "bpf/http/packet.h"
#include "bpf/http/record.h"
#include "bpf/http/route.h"
#include "bpf/http/target.h"
#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/tcp_sock.h"

struct early {
	struct connection connection;
	__u32 sequence; /* of its first byte */
	__u32 wants;	/* of the target: what else has been put down */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct early);
} http_early SEC(".maps");

static const struct early nothing_early;

/* Puts nothing down yet, of whatever is wanted of a target. */
static __always_inline void early_clear(const struct http_target *target)
{
	__u32 key = 0;

	bpf_map_update_elem(&http_early, &key, &nothing_early, BPF_ANY);
	if (target->wants & HTTP_WANTS_RECORDS)
		bpf_map_update_elem(&http_early_kept, &key, &nothing_kept, BPF_ANY);
	if (target->wants & HTTP_WANTS_ROUTES)
		bpf_map_update_elem(&http_early_routed, &key, &nothing_routed, BPF_ANY);
}

static __always_inline struct early *early_find(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&http_early, &key);
}

/*
 * What begins with the first bytes of a connection. NULL where the target is not to look at them:
 * of two targets that see them the newer one does; numbers grow.
 */
static __always_inline struct connection *early_begin(struct packet *packet,
						      struct tcp_segment *segment,
						      const struct http_target *target)
{
	struct early *early = early_find();

	if (segment->flags & SEGMENT_SYN)
		segment->sequence++;
	if (!early || segment->flags & SEGMENT_RST ||
	    !target_wants_port(target, packet->sk->src_port) ||
	    (early->sequence == segment->sequence && early->connection.target > target->target))
		return NULL;
	early_clear(target);
	early->sequence = segment->sequence;
	early->wants = target->wants;
	early->connection.target = target->target;
	early->connection.role = HTTP_SERVER;
	early->connection.fresh = true;
	early->connection.early = true;
	early->connection.request.head.flags = HTTP_HEAD_REQUEST;
	early->connection.request.next = segment->sequence;
	address_of_packet(early->connection.address, packet->skb);
	return &early->connection;
}

/* A packet of a socket that nothing is known of: one that a listener receives may begin more. */
static __always_inline struct connection *early_ensure(struct packet *packet,
						       struct tcp_segment *segment,
						       const struct http_target *target)
{
	if (packet->sk->state != BPF_TCP_LISTEN || !segment->payload)
		return NULL;
	return early_begin(packet, segment, target);
}

static __always_inline bool early_is_of(const struct early *early, const struct http_target *target,
					const struct tcp_sock *tcp)
{
	const __u64 *put_down = (const __u64 *)early->connection.address;
	__u64 address[2];

	if (early->sequence != tcp->rcv_nxt || early->connection.target != target->target)
		return false;
	address_of_socket((__u8 *)address, tcp);
	return put_down[0] == address[0] && put_down[1] == address[1];
}

/* Counts what would have been counted as the packet passed. */
static __always_inline void early_count(const struct connection *connection,
					const struct http_target *target)
{
	if (!connection->fresh)
		target_count(target->target, lost);
	if (!connection->counted)
		return;
	/* That of the request may be a CONNECT's. */
	if (connection->response.head.state == HTTP_OPAQUE)
		target_count(target->target, opaque);
	else
		target_count(target->target, connections);
}

/* The socket of a connection takes over what was put down; false where it has no room. */
static __always_inline bool early_move(struct bpf_sock *sk, struct early *early)
{
	__u32 key = 0;
	void *kept = bpf_map_lookup_elem(&http_early_kept, &key);
	void *routed = bpf_map_lookup_elem(&http_early_routed, &key);

	if (!bpf_sk_storage_get(&http_connections, sk, &early->connection,
				BPF_SK_STORAGE_GET_F_CREATE))
		return false;
	/* Without room, records have no head, and exchanges no route. */
	if (kept && early->wants & HTTP_WANTS_RECORDS)
		(void)bpf_sk_storage_get(&http_kept, sk, kept, BPF_SK_STORAGE_GET_F_CREATE);
	if (routed && early->wants & HTTP_WANTS_ROUTES)
		(void)bpf_sk_storage_get(&http_routed, sk, routed, BPF_SK_STORAGE_GET_F_CREATE);
	return true;
}

/* A handshake has ended; the packet that ended it may be the one that was put down. */
static __always_inline void early_accept(struct bpf_sock_ops *operation)
{
	const struct http_target *target = target_find();
	struct early *early = early_find();
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;
	struct tcp_sock *tcp;

	if (!early || !sk || !target->target)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp || !early_is_of(early, target, tcp))
		return;
	connection = &early->connection;
	connection->early = false;
	connection->port = operation->local_port;
	connection->response.next = tcp->snd_nxt;
	if (early_move(sk, early))
		early_count(connection, target);
	connection->target = 0;
}

/*
 * A client's handshake has ended. If its request went with the SYN, it is known only now where the
 * response begins.
 */
static __always_inline void early_connect(struct bpf_sock_ops *operation)
{
	const struct http_target *target = target_find();
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;
	struct tcp_sock *tcp;

	connection = sk ? bpf_sk_storage_get(&http_connections, sk, NULL, 0) : NULL;
	if (!connection || connection->target != target->target)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		connection->response.next = tcp->rcv_nxt;
}

#endif
