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
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/lib/histogram.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/tcp_sock.h"
#include "bpf/lib/verifier.h"
#include "bpf/tcp.h"

#define PASS 1

#define AF_INET	 2
#define AF_INET6 10

/* What a connection is. */
#define CONNECTION_ADOPTED 0x1 /* older than the attachment: nothing may tell of its end */
#define CONNECTION_CLOSED  0x2
#define CONNECTION_STALLED 0x4 /* the peer's window was closed at the last look */

/*
 * One connection, as far as it has been counted. Of two targets that see it (a pod and its
 * container, while one takes over from the other) the newer one counts: numbers grow.
 */
struct connection {
	__u32 target; /* as in struct tcp_edge_key, like port and role */
	__u16 port;   /* 0: counted with the others, from its beginning to its end */
	__u8 role;
	__u8 flags;
	__u32 looked_at; /* jiffies, the lower half */
	__u32 began_us;	 /* connect(), the lower half of the clock; 0: not seen */
	struct tcp_figures seen;
};

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64); /* the cgroup alone: one storage for all programs (kernel 5.9) */
	__type(value, struct tcp_target);
} tcp_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} tcp_connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TCP_EDGES_LIMIT);
	__type(key, struct tcp_edge_key);
	__type(value, struct tcp_counters);
} tcp_edges SEC(".maps");

/* What is beyond the limits, two for each target; apart, so that edges cannot take their room. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TCP_OTHERS_LIMIT);
	__type(key, struct tcp_edge_key);
	__type(value, struct tcp_counters);
} tcp_others SEC(".maps");

/* A new edge: too large for the stack. */
static const struct tcp_counters zero;

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/* Since the last look, in jiffies. */
static __always_inline __u32 age_of(const struct connection *connection)
{
	return (__u32)bpf_jiffies64() - connection->looked_at;
}

static __always_inline __u32 clock_us(void)
{
	return (__u32)(bpf_ktime_get_ns() / 1000);
}

/* Edges. */

/* Where there is no such edge, the key becomes that of the others. */
static __always_inline struct tcp_counters *edge_find(struct tcp_edge_key *key)
{
	struct tcp_counters *edge = bpf_map_lookup_elem(&tcp_edges, key);

	if (edge)
		return edge;
	*key = (struct tcp_edge_key){.target = key->target, .role = key->role};
	return bpf_map_lookup_elem(&tcp_others, key);
}

/*
 * Makes the edge if it is new and the target may know another one; otherwise as edge_find(). A
 * connection of the others stays with them: their key stands for rows of tcp_others alone.
 */
static __always_inline struct tcp_counters *edge_ensure(struct tcp_edge_key *key,
							struct tcp_target *target)
{
	struct tcp_counters *edge = bpf_map_lookup_elem(&tcp_edges, key);

	if (edge)
		return edge;
	if (key->port && rate_limit_take(&target->edges_full_at, bpf_ktime_get_ns(),
					 TCP_EDGE_INTERVAL_NS, TCP_EDGE_BURST))
		bpf_map_update_elem(&tcp_edges, key, &zero, BPF_NOEXIST);
	return edge_find(key);
}

static __always_inline void key_set_ipv4(struct tcp_edge_key *key, __u32 address)
{
	__u32 *words = (__u32 *)key->address;

	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

static __always_inline void key_of_connection(struct tcp_edge_key *key,
					      const struct connection *connection)
{
	*key = (struct tcp_edge_key){
		.target = connection->target,
		.port = connection->port,
		.role = connection->role,
	};
}

/* Takes a socket in whichever form a program has it. The others have no address. */
#define key_set_address(key, family, ip4, ip6)                                                     \
	do {                                                                                       \
		__u32 *words = (__u32 *)(key)->address;                                            \
                                                                                                   \
		if (!(key)->port)                                                                  \
			break;                                                                     \
		if ((family) == AF_INET6) {                                                        \
			words[0] = (ip6)[0];                                                       \
			words[1] = (ip6)[1];                                                       \
			words[2] = (ip6)[2];                                                       \
			words[3] = (ip6)[3];                                                       \
		} else {                                                                           \
			key_set_ipv4(key, ip4);                                                    \
		}                                                                                  \
	} while (0)

/* Looks: by how much a connection's figures have grown. */

/* Several CPUs may look at once: each growth is counted by the one that notes it. */
#define count_growth(counter, seen, now)                                                           \
	do {                                                                                       \
		__typeof__(seen) before = *(volatile __typeof__(seen) *)&(seen);                   \
                                                                                                   \
		if ((now) > before && __sync_val_compare_and_swap(&(seen), before, now) == before) \
			count(&(counter), (now)-before);                                           \
	} while (0)

static __always_inline void count_figures(struct connection *connection, struct tcp_counters *edge,
					  const struct tcp_figures *now)
{
	struct tcp_figures *seen = &connection->seen;

	count_growth(edge->sent_bytes, seen->sent_bytes, now->sent_bytes);
	count_growth(edge->received_bytes, seen->received_bytes, now->received_bytes);
	count_growth(edge->sent_packets, seen->sent_packets, now->sent_packets);
	count_growth(edge->received_packets, seen->received_packets, now->received_packets);
	count_growth(edge->retransmitted, seen->retransmitted, now->retransmitted);
	count_growth(edge->out_of_order, seen->out_of_order, now->out_of_order);
	count_growth(edge->duplicates, seen->duplicates, now->duplicates);
}

/* The growth of what has never been looked at is all there is. */
static __always_inline void count_all(struct tcp_counters *edge, const struct tcp_figures *now)
{
	count(&edge->sent_bytes, now->sent_bytes);
	count(&edge->received_bytes, now->received_bytes);
	count(&edge->sent_packets, now->sent_packets);
	count(&edge->received_packets, now->received_packets);
	if (now->retransmitted)
		count(&edge->retransmitted, now->retransmitted);
	if (now->out_of_order)
		count(&edge->out_of_order, now->out_of_order);
	if (now->duplicates)
		count(&edge->duplicates, now->duplicates);
}

static __always_inline void observe(__u64 *slots, __u64 *sum, __u32 us)
{
	__u32 slot = histogram_slot(us, TCP_FIRST_BOUND, TCP_SLOTS);

	verifier_forget(slot); /* it does not follow the arithmetic: bound the result itself */
	if (slot >= TCP_SLOTS)
		return;
	count(&slots[slot], 1);
	count(sum, us);
}

static __always_inline void observe_rtt(struct tcp_counters *edge, const struct tcp_sock *tcp)
{
	__u32 srtt = tcp->srtt_us >> 3, lowest = tcp->rtt_min.s[0].v, before = edge->min_rtt;

	if (!srtt)
		return;
	observe(edge->srtt, &edge->srtt_sum, srtt);
	count(&edge->rttvar_sum, tcp->mdev_us >> 2);
	count(&edge->rttvar_count, 1);
	if (lowest && lowest != ~0U && (!before || lowest < before))
		__sync_val_compare_and_swap(&edge->min_rtt, before, lowest);
}

static __always_inline void observe_window(struct connection *connection, struct tcp_counters *edge,
					   const struct tcp_sock *tcp)
{
	bool stalled = !tcp->snd_wnd && tcp->srtt_us; /* before its first answer there is none */

	if (stalled == !!(connection->flags & CONNECTION_STALLED))
		return;
	connection->flags ^= CONNECTION_STALLED;
	if (stalled)
		count(&edge->zero_windows, 1);
}

static __always_inline void count_now(struct connection *connection, struct tcp_counters *edge,
				      const struct tcp_sock *tcp)
{
	struct tcp_figures now;

	tcp_sock_figures(tcp, &now);
	count_figures(connection, edge, &now);
	observe_window(connection, edge, tcp);
}

/* Packets. */

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

/* Accepted by a target: it has asked for calls, and its listener's backlog is inherited. */
static __always_inline bool was_accepted(const struct tcp_sock *tcp)
{
	return tcp->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG &&
	       tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog;
}

/* Of the connections that this target has accepted on the edge, one is still open. */
static __always_inline bool edge_has_accepted(const struct tcp_counters *edge)
{
	return edge->accepted > edge->closed;
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
		return PASS;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return PASS;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	if (!connection && adoptable(sk) &&
	    !(was_accepted(tcp) && tcp->segs_out < TCP_YOUNG_SEGMENTS))
		connection =
			bpf_sk_storage_get(&tcp_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection || connection->target > target->target)
		return PASS;
	if ((connection->target == target->target && !(connection->flags & CONNECTION_CLOSED)) ||
	    remember(sk, tcp, connection, target))
		look(sk, tcp, connection);
	else if (adoptable(sk))
		adopt(skb, sk, tcp, connection, target);
	connection->looked_at = (__u32)bpf_jiffies64();
	return PASS;
}

/* An adopted connection is looked at with each packet as it ends, since no call tells of it. */
static __always_inline bool is_due(const struct connection *connection, const struct bpf_sock *sk)
{
	if (age_of(connection) >= TCP_SAMPLE_INTERVAL)
		return true;
	return connection->flags & CONNECTION_ADOPTED && sk->state != BPF_TCP_ESTABLISHED;
}

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

/* Operations: a connection begins, fails, ends. */

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

/* Looks at every connection; user space runs it before it reads the edges. */

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	struct connection *value;
} __attribute__((preserve_access_index));

static __always_inline void key_of_socket(struct tcp_edge_key *key, const struct sock *sk,
					  const struct connection *connection)
{
	const struct sock_common *common = &sk->__sk_common;
	__u32 ip6[4] = {
		common->skc_v6_daddr.in6_u.u6_addr32[0], common->skc_v6_daddr.in6_u.u6_addr32[1],
		common->skc_v6_daddr.in6_u.u6_addr32[2], common->skc_v6_daddr.in6_u.u6_addr32[3]};

	key_of_connection(key, connection);
	key_set_address(key, common->skc_family, common->skc_daddr, ip6);
}

/* Its target has gone: another one that is there takes it over with the next packet. */
static __always_inline void connection_release(struct connection *connection)
{
	if (age_of(connection) < TCP_SAMPLE_INTERVAL)
		connection->looked_at = (__u32)bpf_jiffies64() - TCP_SAMPLE_INTERVAL;
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
