/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Operations on a connection that the kernel tells of: it begins, fails, ends. */
#ifndef SKEP_BPF_TCP_OPERATION_H
#define SKEP_BPF_TCP_OPERATION_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/tcp_sock.h"
#include "bpf/tcp/connection.h"
#include "bpf/tcp/counting.h"
#include "bpf/tcp/edge.h"

static __always_inline void key_of_operation(struct tcp_edge_key *key,
					     struct bpf_sock_ops *operation,
					     const struct connection *connection)
{
	__u32 ip6[4] = {operation->remote_ip6[0], operation->remote_ip6[1],
			operation->remote_ip6[2], operation->remote_ip6[3]};

	key_of_connection(key, connection);
	key_set_address(key, operation->family, operation->remote_ip4, ip6);
}

static __always_inline struct connection *connection_begin(struct bpf_sock_ops *operation,
							   struct tcp_target *target)
{
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;

	if (!sk)
		return NULL;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection || connection->target > target->target)
		return NULL;
	*connection = (struct connection){
		.target = target->target,
		.role = TCP_CLIENT,
		.port = bpf_ntohl(operation->remote_port),
		.looked_at = (__u32)bpf_jiffies64(),
	};
	return connection;
}

/* The edge of a connection that was accepted. */
static __always_inline void key_of_accepted(struct tcp_edge_key *key,
					    struct bpf_sock_ops *operation,
					    const struct tcp_target *target)
{
	const struct connection accepted = {
		.target = target->target, .role = TCP_SERVER, .port = operation->local_port};

	key_of_operation(key, operation, &accepted);
}

static __always_inline struct connection *connection_of_operation(struct bpf_sock_ops *operation,
								  const struct tcp_target *target)
{
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;

	if (!sk)
		return NULL;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	return connection && connection->target == target->target ? connection : NULL;
}

/* The edge is there before anything is sent on it. */
static __always_inline void on_connect(struct bpf_sock_ops *operation, struct tcp_target *target)
{
	struct connection *connection = connection_begin(operation, target);
	struct tcp_edge_key key;

	if (!connection)
		return;
	connection->began_us = clock_us();
	key_of_operation(&key, operation, connection);
	edge_ensure(&key, target);
	connection->port = key.port;
}

/* A connect() that is older than the attachment has no beginning. */
static __always_inline void on_opened(struct bpf_sock_ops *operation, struct tcp_target *target)
{
	struct connection *connection = connection_of_operation(operation, target);
	struct tcp_counters *edge;
	struct tcp_edge_key key;

	if (!connection)
		connection = connection_begin(operation, target);
	if (!connection)
		return;
	key_of_operation(&key, operation, connection);
	edge = edge_ensure(&key, target);
	if (!edge)
		return;
	connection->port = key.port;
	count(&edge->opened, 1);
	if (connection->began_us)
		observe(edge->connect, &edge->connect_sum, clock_us() - connection->began_us);
	if (operation->total_retrans)
		count(&edge->syn_retransmitted, operation->total_retrans);
}

/*
 * Kept in mind at once: when it ends, its peer may have an edge of its own, which knows nothing of
 * it.
 */
static __always_inline void remember_among_others(struct bpf_sock_ops *operation,
						  struct tcp_target *target)
{
	struct connection *connection = connection_begin(operation, target);

	if (!connection)
		return;
	connection->role = TCP_SERVER;
	connection->port = 0;
}

static __always_inline void on_accepted(struct bpf_sock_ops *operation, struct tcp_target *target)
{
	struct tcp_counters *edge;
	struct tcp_edge_key key;

	key_of_accepted(&key, operation, target);
	edge = edge_ensure(&key, target);
	if (!edge)
		return;
	if (!key.port)
		remember_among_others(operation, target);
	count(&edge->accepted, 1);
	if (operation->total_retrans)
		count(&edge->syn_retransmitted, operation->total_retrans);
}

static __always_inline void count_failure(struct bpf_sock_ops *operation, struct tcp_counters *edge,
					  int error)
{
	if (operation->total_retrans)
		count(&edge->syn_retransmitted, operation->total_retrans);
	if (error == ECONNREFUSED)
		count(&edge->refused, 1);
	else if (error == ETIMEDOUT)
		count(&edge->unheard, 1);
	else
		count(&edge->failed, 1);
}

/*
 * The state that a connection was in when it ended, and the error that the kernel has noted on the
 * socket before the call, tell why: tcp_reset() notes ECONNRESET or EPIPE, tcp_write_err()
 * ETIMEDOUT; who ends it by a RST of its own leaves the state of a living connection behind.
 */
static __always_inline void count_end(struct tcp_counters *edge, __u32 state, int error)
{
	if (error == ECONNRESET || error == EPIPE)
		count(&edge->reset_by_peer, 1);
	else if (error == ETIMEDOUT)
		count(&edge->given_up, 1);
	else if (state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT)
		count(&edge->reset_by_target, 1);
}

static __always_inline void on_closed(struct bpf_sock_ops *operation, struct tcp_target *target,
				      struct connection *connection)
{
	__u32 state = operation->args[0];
	struct tcp_counters *edge;
	struct tcp_edge_key key;
	struct tcp_sock *tcp;

	if (connection->flags & CONNECTION_CLOSED)
		return;
	connection->flags |= CONNECTION_CLOSED;
	tcp = operation->sk ? bpf_skc_to_tcp_sock(operation->sk) : NULL;
	key_of_operation(&key, operation, connection);
	edge = state == BPF_TCP_SYN_SENT ? edge_ensure(&key, target) : edge_find(&key);
	if (!tcp || !edge)
		return;
	count_now(connection, edge, tcp);
	if (state == BPF_TCP_SYN_SENT) {
		count_failure(operation, edge, tcp->inet_conn.icsk_inet.sk.sk_err);
		return;
	}
	if (!(connection->flags & CONNECTION_ADOPTED))
		count(&edge->closed, 1);
	observe_rtt(edge, tcp);
	count_end(edge, state, tcp->inet_conn.icsk_inet.sk.sk_err);
}

/*
 * An accepted connection ends that was never kept in mind: nobody else counts it. One that has sent
 * a lot is older than the programs and has slept since: another load of them asked for its calls.
 */
static __always_inline void on_young_closed(struct bpf_sock_ops *operation,
					    struct tcp_target *target)
{
	struct tcp_sock *tcp = operation->sk ? bpf_skc_to_tcp_sock(operation->sk) : NULL;
	struct tcp_figures now;
	struct tcp_counters *edge;
	struct tcp_edge_key key;

	if (!tcp || !was_accepted(tcp) || tcp->segs_out >= TCP_OLD_SEGMENTS)
		return;
	key_of_accepted(&key, operation, target);
	edge = edge_find(&key);
	if (!edge || !edge_has_accepted(edge))
		return;
	tcp_sock_figures(tcp, &now);
	count_all(edge, &now);
	count(&edge->closed, 1);
	observe_rtt(edge, tcp);
	count_end(edge, operation->args[0], tcp->inet_conn.icsk_inet.sk.sk_err);
}

static __always_inline void on_end(struct bpf_sock_ops *operation, struct tcp_target *target)
{
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;

	if (!sk)
		return;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	if (!connection)
		on_young_closed(operation, target);
	else if (connection->target == target->target)
		on_closed(operation, target, connection);
}

static __always_inline void on_timeout(struct bpf_sock_ops *operation, struct tcp_target *target)
{
	struct connection *connection = connection_of_operation(operation, target);
	struct tcp_sock *tcp = operation->sk ? bpf_skc_to_tcp_sock(operation->sk) : NULL;
	struct tcp_counters *edge;
	struct tcp_edge_key key;

	if (connection)
		key_of_operation(&key, operation, connection);
	else if (tcp && was_accepted(tcp))
		key_of_accepted(&key, operation, target);
	else
		return;
	edge = edge_find(&key);
	if (edge)
		count(&edge->timeouts, 1);
}

static __always_inline void ask_for_calls(struct bpf_sock_ops *operation)
{
	bpf_sock_ops_cb_flags_set(operation, operation->bpf_sock_ops_cb_flags |
						     BPF_SOCK_OPS_STATE_CB_FLAG |
						     BPF_SOCK_OPS_RTO_CB_FLAG);
}

#endif
