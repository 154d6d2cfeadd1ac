// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Counts the TCP connections of the cgroups that the programs are attached to, per edge: who is at
 * the other end, and at which port. Reads only: every program lets every packet and every operation
 * pass.
 *
 * The kernel counts each connection itself; what is counted here is by how much its figures have
 * grown since they were last looked at. So a packet costs a lookup and no more. A connection is
 * looked at when it begins and ends (tcp_operation), now and then as it sends (tcp_sent), and when
 * somebody reads the counters (tcp_look). What is known of it lies in the storage of its socket and
 * goes with it. To make that costs a server more than all the rest, so an accepted connection gets
 * it only once it has lived a little: one that ends before is told by the kernel's figures alone.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/tcp/connection.h"
#include "bpf/tcp/counting.h"
#include "bpf/tcp/edge.h"
#include "bpf/tcp/operation.h"
#include "bpf/tcp/packet.h"
#include "bpf/tcp/reading.h"

#define PASS 1

/* Does not ask for its target: one that is new finds its connections when they are due. */
SEC("cgroup_skb/egress")
int tcp_sent(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct connection *connection;

	if (!sk)
		return PASS;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	if (connection ? is_due(connection, sk) : adoptable(sk))
		look_at_sender(skb);
	return PASS;
}

/* Most calls do not: they ask for settings, or tell of states in between. */
static __always_inline bool concerns(const struct bpf_sock_ops *operation)
{
	switch (operation->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_RTO_CB:
		return true;
	case BPF_SOCK_OPS_STATE_CB:
		return operation->args[1] == BPF_TCP_CLOSE;
	default:
		return false;
	}
}

/* Leaves `reply` alone: what the kernel or another program decides holds. */
SEC("sockops")
int tcp_operation(struct bpf_sock_ops *operation)
{
	struct tcp_target *target;

	if (!concerns(operation))
		return PASS;
	target = bpf_get_local_storage(&tcp_targets, 0);
	if (!target->target)
		return PASS;
	switch (operation->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		ask_for_calls(operation);
		on_connect(operation, target);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		ask_for_calls(operation);
		on_opened(operation, target);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		ask_for_calls(operation);
		on_accepted(operation, target);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		on_end(operation, target);
		break;
	case BPF_SOCK_OPS_RTO_CB:
		on_timeout(operation, target);
		break;
	default:
		break;
	}
	return PASS;
}

/* Writes the edge of each connection that nothing else counts as open. */
SEC("iter/bpf_sk_storage_map")
int tcp_look(struct bpf_iter__bpf_sk_storage_map *context)
{
	struct connection *connection = context->value;
	struct sock *sk = context->sk;
	struct tcp_counters *edge;
	struct tcp_edge_key key;
	struct tcp_sock *tcp;
	__u8 state;

	if (!connection || !sk || connection->flags & CONNECTION_CLOSED)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	key_of_socket(&key, sk, connection);
	edge = edge_find(&key);
	if (!edge) {
		connection_release(connection);
		return 0;
	}
	count_now(connection, edge, tcp);
	state = sk->__sk_common.skc_state;
	if (connection->flags & CONNECTION_ADOPTED &&
	    (state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT))
		bpf_seq_write(context->meta->seq, &key, sizeof(key));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
