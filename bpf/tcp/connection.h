/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What is known of a connection, in its socket's storage, and of the target that counts it. */
#ifndef SKEP_BPF_TCP_CONNECTION_H
#define SKEP_BPF_TCP_CONNECTION_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/tcp_sock.h"
#include "bpf/tcp.h"

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

/* Since the last look, in jiffies. */
static __always_inline __u32 age_of(const struct connection *connection)
{
	return (__u32)bpf_jiffies64() - connection->looked_at;
}

static __always_inline __u32 clock_us(void)
{
	return (__u32)(bpf_ktime_get_ns() / 1000);
}

/* Accepted by a target: it has asked for calls, and its listener's backlog is inherited. */
static __always_inline bool was_accepted(const struct tcp_sock *tcp)
{
	return tcp->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG &&
	       tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog;
}

#endif
