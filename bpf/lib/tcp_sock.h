/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * The fields of the kernel's TCP socket that are read here (include/linux/tcp.h,
 * include/net/sock.h). Where they lie is set as the program is loaded, from the kernel's type
 * information.
 */
#ifndef SKEP_BPF_LIB_TCP_SOCK_H
#define SKEP_BPF_LIB_TCP_SOCK_H

#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr___words {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__u32 skc_daddr;
	struct in6_addr___words skc_v6_daddr;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	__u32 sk_max_ack_backlog;
	__u8 sk_shutdown;
};

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_sent; /* payload, retransmissions included */
	__u64 bytes_retrans;
	__u64 bytes_received; /* in order, and one for the FIN */
	__u32 segs_in;
	__u32 segs_out;
	__u32 total_retrans;
	__u32 rcv_ooopack;
	__u32 dsack_dups;
	__u32 srtt_us; /* eighths of a microsecond */
	__u32 mdev_us; /* quarters of a microsecond */
	__u32 snd_wnd;
	__u32 snd_nxt; /* sequence numbers of the next bytes */
	__u32 rcv_nxt;
	struct minmax rtt_min;
	__u8 bpf_sock_ops_cb_flags;
};

enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE,
};

#pragma clang attribute pop

/* What a connection has done since it began. */
struct tcp_figures {
	__u64 sent_bytes; /* each byte once */
	__u64 received_bytes;
	__u32 sent_packets;
	__u32 received_packets;
	__u32 retransmitted;
	__u32 out_of_order;
	__u32 duplicates;
};

/* The peer's FIN has come: tcp_fin() says so by this flag. */
static __always_inline bool tcp_sock_has_fin(const struct tcp_sock *tcp)
{
	return tcp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >>
		       bpf_core_enum_value(enum sock_flags, SOCK_DONE) &
	       1;
}

static __always_inline void tcp_sock_figures(const struct tcp_sock *tcp,
					     struct tcp_figures *ret_figures)
{
	ret_figures->sent_bytes = tcp->bytes_sent - tcp->bytes_retrans;
	ret_figures->received_bytes = tcp->bytes_received - tcp_sock_has_fin(tcp);
	ret_figures->sent_packets = tcp->segs_out;
	ret_figures->received_packets = tcp->segs_in;
	ret_figures->retransmitted = tcp->total_retrans;
	ret_figures->out_of_order = tcp->rcv_ooopack;
	ret_figures->duplicates = tcp->dsack_dups;
}

#endif
