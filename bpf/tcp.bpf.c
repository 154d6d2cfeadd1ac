// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Counts the TCP connections of the cgroups that the programs are attached to. Reads only: every
 * program lets every packet and every operation pass.
 *
 * A target's counters lie in the storage of its cgroup, which the kernel hands to the program
 * without a lookup. What is known of a connection lies in the storage of its socket and goes with
 * it. Packets are counted from their headers; the kernel's own figures (srtt, retransmissions) are
 * read now and then and at the end, since that costs more than the rest.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/histogram.h"
#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/verifier.h"
#include "bpf/tcp.h"

#define PASS 1

/* What has been counted of a connection already, and what it is. */
#define WATCH_RESET   0x1
#define WATCH_CLOSED  0x2
#define WATCH_ADOPTED 0x4 /* older than the attachment: its end shows in packets only */

/* One connection in the eyes of one target. */
struct watch {
	__u32 target; /* as in struct tcp_counters */
	__u32 flags;
	__u32 retransmitted; /* segments that have been counted */
	__u32 reserved;
	__u64 sampled_at; /* jiffies */
};

/*
 * A socket is seen by two targets at most: a pod and its container, while one takes over from the
 * other. Numbers of targets grow and are not given twice, so the lower one is the older one.
 */
struct connection {
	struct watch watches[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64); /* the cgroup alone: one storage for all programs (kernel 5.9) */
	__type(value, struct tcp_counters);
} tcp_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} tcp_connections SEC(".maps");

/* A program may be interrupted on its CPU by one that counts in the same place. */
static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/* Sets a flag; true for the first who does. */
static __always_inline bool watch_mark(struct watch *watch, __u32 flag)
{
	return !(__sync_fetch_and_or(&watch->flags, flag) & flag);
}

static __always_inline struct watch *watch_find(struct connection *connection, __u32 target)
{
	if (connection->watches[0].target == target)
		return &connection->watches[0];
	if (connection->watches[1].target == target)
		return &connection->watches[1];
	return NULL;
}

/* Takes the older watch of the connection for `target`; NULL when another CPU has just done so. */
static __always_inline struct watch *watch_claim(struct connection *connection, __u32 target)
{
	__u32 first = connection->watches[0].target, second = connection->watches[1].target;
	struct watch *watch = &connection->watches[first <= second ? 0 : 1];
	__u32 older = first <= second ? first : second;

	if (__sync_val_compare_and_swap(&watch->target, older, target) != older)
		return NULL;
	return watch;
}

static __always_inline void watch_start(struct watch *watch, __u32 flags, __u32 retransmitted,
					__u64 sampled_at)
{
	watch->flags = flags;
	watch->retransmitted = retransmitted;
	watch->sampled_at = sampled_at;
}

/* Counts the kernel's figures. `srtt` is in eighths of a microsecond, as the kernel keeps it. */
static __always_inline void watch_sample(struct watch *watch, struct tcp_counters *counters,
					 __u32 srtt, __u32 retransmitted)
{
	__u32 seen = watch->retransmitted, slot;

	if (retransmitted > seen &&
	    __sync_val_compare_and_swap(&watch->retransmitted, seen, retransmitted) == seen)
		count(&counters->retransmitted_segments, retransmitted - seen);
	srtt >>= 3;
	if (!srtt)
		return;
	slot = histogram_slot(srtt);
	verifier_forget(slot); /* it does not follow the arithmetic: bound the result itself */
	if (slot >= HISTOGRAM_SLOTS)
		return;
	count(&counters->srtt_sum, srtt);
	count(&counters->srtt[slot], 1);
}

static __always_inline void watch_close(struct watch *watch, struct tcp_counters *counters)
{
	if (watch_mark(watch, WATCH_CLOSED))
		count(&counters->closed, 1);
}

/* A connection that has not sent its FIN, or one that has just been aborted and says so. */
static __always_inline bool adoptable(__u32 state, __u8 segment_flags)
{
	if (state == BPF_TCP_CLOSE)
		return segment_flags & SEGMENT_RST;
	return state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT;
}

/* Takes in a connection that is older than the target's attachment. */
static __noinline struct watch *adopt(struct __sk_buff *skb, struct tcp_counters *counters,
				      __u8 segment_flags)
{
	struct bpf_sock *sk = skb->sk;
	struct connection *connection;
	struct bpf_tcp_sock *tcp;
	struct watch *watch;

	if (!sk || !counters || !adoptable(sk->state, segment_flags))
		return NULL;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return NULL;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection)
		return NULL;
	watch = watch_claim(connection, counters->target);
	if (!watch)
		return NULL;
	watch_start(watch, WATCH_ADOPTED, tcp->total_retrans, 0);
	count(&counters->adopted, 1);
	return watch;
}

static __always_inline struct watch *watch_of_packet(struct __sk_buff *skb, struct bpf_sock *sk,
						     struct tcp_counters *counters, __u8 flags)
{
	struct connection *connection;
	struct watch *watch = NULL;

	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	if (connection)
		watch = watch_find(connection, counters->target);
	return watch ? watch : adopt(skb, counters, flags);
}

/*
 * An adopted connection ends with its own FIN: behind that, the kernel puts a socket in its place
 * that no program sees (TIME_WAIT, and FIN_WAIT2 where the owner has let go), so the peer's FIN may
 * pass unseen.
 */
static __always_inline void end_by_packet(struct watch *watch, struct tcp_counters *counters,
					  __u8 segment_flags, bool sent)
{
	__u8 ends = sent ? SEGMENT_FIN | SEGMENT_RST : SEGMENT_RST;

	if (segment_flags & SEGMENT_RST && watch_mark(watch, WATCH_RESET))
		count(&counters->reset, 1);
	if (watch->flags & WATCH_ADOPTED && segment_flags & ends)
		watch_close(watch, counters);
}

static __always_inline void sample_by_packet(struct bpf_sock *sk, struct watch *watch,
					     struct tcp_counters *counters)
{
	__u64 now = bpf_jiffies64();
	struct bpf_tcp_sock *tcp;

	if (now - watch->sampled_at < TCP_SAMPLE_INTERVAL)
		return;
	watch->sampled_at = now;
	tcp = bpf_tcp_sock(sk);
	if (tcp)
		watch_sample(watch, counters, tcp->srtt_us, tcp->total_retrans);
}

/*
 * Connections that began under the probe's eyes are closed by tcp_operation(), exactly; this one
 * also ends those that it has adopted, for which the kernel makes no such call.
 */
static __always_inline int see_packet(struct __sk_buff *skb, bool sent)
{
	struct tcp_counters *counters;
	struct tcp_segment segment;
	struct bpf_sock *sk;
	struct watch *watch;

	sk = skb->sk;
	if (!sk || !tcp_segment_parse(skb, &segment))
		return PASS;
	counters = bpf_get_local_storage(&tcp_targets, 0);
	if (!counters->target)
		return PASS;
	watch = watch_of_packet(skb, sk, counters, segment.flags);
	if (!watch)
		return PASS;
	if (segment.payload)
		count(sent ? &counters->sent_bytes : &counters->received_bytes, segment.payload);
	if (segment.flags & (SEGMENT_FIN | SEGMENT_RST))
		end_by_packet(watch, counters, segment.flags, sent);
	sample_by_packet(sk, watch, counters);
	return PASS;
}

SEC("cgroup_skb/ingress")
int tcp_received(struct __sk_buff *skb)
{
	return see_packet(skb, false);
}

SEC("cgroup_skb/egress")
int tcp_sent(struct __sk_buff *skb)
{
	return see_packet(skb, true);
}

/* The payload of the segment that completed the handshake: no cgroup_skb program saw it with its
 * connection. */
static __always_inline void count_first_payload(struct bpf_sock_ops *operation,
						struct tcp_counters *counters)
{
	const __u8 *tcp = operation->skb_data;
	__u32 size;

	if (tcp + TCP_HEADER_SIZE > (const __u8 *)operation->skb_data_end)
		return;
	size = (tcp[12] >> 4) * 4;
	if (operation->skb_len > size)
		count(&counters->received_bytes, operation->skb_len - size);
}

static __always_inline void begin(struct bpf_sock_ops *operation, struct tcp_counters *counters,
				  __u64 *counter)
{
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;
	struct watch *watch;

	if (!sk)
		return;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection)
		return;
	watch = watch_find(connection, counters->target);
	if (watch && !(watch->flags & WATCH_CLOSED))
		return; /* adopted a moment ago */
	if (!watch)	/* otherwise the socket is used a second time */
		watch = watch_claim(connection, counters->target);
	if (!watch)
		return;
	watch_start(watch, 0, operation->total_retrans, bpf_jiffies64());
	count(counter, 1);
	count_first_payload(operation, counters);
}

static __always_inline void end(struct bpf_sock_ops *operation, struct tcp_counters *counters)
{
	struct bpf_sock *sk = operation->sk;
	struct connection *connection;
	struct watch *watch;

	if (operation->args[0] == BPF_TCP_SYN_SENT) {
		count(&counters->failed, 1);
		return;
	}
	if (!sk)
		return;
	connection = bpf_sk_storage_get(&tcp_connections, sk, NULL, 0);
	if (!connection)
		return;
	watch = watch_find(connection, counters->target);
	if (!watch || watch->flags & WATCH_CLOSED)
		return;
	watch_sample(watch, counters, operation->srtt_us, operation->total_retrans);
	watch_close(watch, counters);
}

static __always_inline void ask_for_states(struct bpf_sock_ops *operation)
{
	bpf_sock_ops_cb_flags_set(operation,
				  operation->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* Leaves `reply` alone: what the kernel or another program decides holds. */
SEC("sockops")
int tcp_operation(struct bpf_sock_ops *operation)
{
	struct tcp_counters *counters = bpf_get_local_storage(&tcp_targets, 0);
	__u32 op = operation->op;

	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB || op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB ||
	    op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		ask_for_states(operation);
	if (!counters->target)
		return PASS;
	if (op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		begin(operation, counters, &counters->opened);
	else if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		begin(operation, counters, &counters->accepted);
	else if (op == BPF_SOCK_OPS_STATE_CB && operation->args[1] == BPF_TCP_CLOSE)
		end(operation, counters);
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
