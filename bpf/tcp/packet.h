/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Packets that a target sends: most cost a lookup and no more; now and then one has its connection
 * looked at, remembered or adopted.
 */
#ifndef SKEP_BPF_TCP_PACKET_H
#define SKEP_BPF_TCP_PACKET_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/tcp_sock.h"
#include "bpf/tcp/connection.h"
#include "bpf/tcp/counting.h"
#include "bpf/tcp/edge.h"

static __always_inline void key_of_packet(struct tcp_edge_key *key, struct bpf_sock *sk,
					  const struct connection *connection)
{
	__u32 ip6[4] = {sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]};

	key_of_connection(key, connection);
	key_set_address(key, sk->family, sk->dst_ip4, ip6);
}

/*
 * The end of a connection that is older than the attachment: what was accepted has inherited its
 * listener's backlog.
 */
static __always_inline void connection_guess_role(struct connection *connection,
						  struct bpf_sock *sk, const struct tcp_sock *tcp)
{
	if (tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog) {
		connection->role = TCP_SERVER;
		connection->port = sk->src_port;
	} else {
		connection->role = TCP_CLIENT;
		connection->port = bpf_ntohs(sk->dst_port);
	}
}

/* Counts from this packet on: the kernel's figures hold it already. */
static __always_inline void connection_start_before(struct connection *connection,
						    struct __sk_buff *skb,
						    const struct tcp_sock *tcp)
{
	struct tcp_segment segment = {0};

	tcp_sock_figures(tcp, &connection->seen);
	if (!tcp_segment_parse(skb, &segment))
		return;
	connection->seen.sent_bytes -= segment.payload;
	connection->seen.sent_packets -= skb->gso_segs ? skb->gso_segs : 1;
}

static __always_inline void look(struct bpf_sock *sk, const struct tcp_sock *tcp,
				 struct connection *connection)
{
	struct tcp_counters *edge;
	struct tcp_edge_key key;

	key_of_packet(&key, sk, connection);
	edge = edge_find(&key);
	if (!edge)
		return;
	count_now(connection, edge, tcp);
	observe_rtt(edge, tcp);
	if (sk->state != BPF_TCP_CLOSE)
		return;
	/* No packet but a RST is sent from there, and that of others is seen by on_closed(). */
	connection->flags |= CONNECTION_CLOSED;
	count(&edge->reset_by_target, 1);
}

/*
 * Takes in a connection that another target counted, or none: it is older than the attachment. The
 * first packet that it sends brings it here. From a target that counted it until just now, it takes
 * over where that one stopped.
 */
static __always_inline void adopt(struct __sk_buff *skb, struct bpf_sock *sk,
				  const struct tcp_sock *tcp, struct connection *connection,
				  struct tcp_target *target)
{
	bool counted = connection->target && age_of(connection) < TCP_HANDOVER;
	struct tcp_edge_key key;

	if (counted)
		look(sk, tcp, connection);
	else
		connection_start_before(connection, skb, tcp);
	connection_guess_role(connection, sk, tcp);
	connection->flags = CONNECTION_ADOPTED;
	connection->target = target->target;
	key_of_packet(&key, sk, connection);
	edge_ensure(&key, target);
	connection->port = key.port;
}

static __always_inline bool adoptable(const struct bpf_sock *sk)
{
	return sk->state == BPF_TCP_ESTABLISHED || sk->state == BPF_TCP_CLOSE_WAIT;
}

/* Begins to keep a connection in mind that the target has accepted: all that it did is news. */
static __always_inline bool remember(struct bpf_sock *sk, const struct tcp_sock *tcp,
				     struct connection *connection, struct tcp_target *target)
{
	const struct connection accepted = {
		.target = target->target, .role = TCP_SERVER, .port = sk->src_port};
	struct tcp_counters *edge;
	struct tcp_edge_key key;

	if (connection->target || !was_accepted(tcp))
		return false;
	key_of_packet(&key, sk, &accepted);
	edge = edge_find(&key);
	if (!edge || !edge_has_accepted(edge))
		return false;
	*connection = accepted;
	connection->port = key.port;
	return true;
}

/* What a packet rarely has to do, apart, so that all others find little code in their way. */
static __noinline int look_at_sender(struct __sk_buff *skb)
{
	struct tcp_target *target = bpf_get_local_storage(&tcp_targets, 0);
	struct bpf_sock *sk = skb->sk;
	struct connection *connection;
	struct tcp_sock *tcp;

	if (!sk || !target->target)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	if (!connection && adoptable(sk) &&
	    !(was_accepted(tcp) && tcp->segs_out < TCP_YOUNG_SEGMENTS))
		connection =
			bpf_sk_storage_get(&tcp_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection || connection->target > target->target)
		return 0;
	if ((connection->target == target->target && !(connection->flags & CONNECTION_CLOSED)) ||
	    remember(sk, tcp, connection, target))
		look(sk, tcp, connection);
	else if (adoptable(sk))
		adopt(skb, sk, tcp, connection, target);
	connection->looked_at = (__u32)bpf_jiffies64();
	return 0;
}

/* An adopted connection is looked at with each packet as it ends, since no call tells of it. */
static __always_inline bool is_due(const struct connection *connection, const struct bpf_sock *sk)
{
	if (age_of(connection) >= TCP_SAMPLE_INTERVAL)
		return true;
	return connection->flags & CONNECTION_ADOPTED && sk->state != BPF_TCP_ESTABLISHED;
}

#endif
