/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* The other end's address; IPv4 as ::ffff:a.b.c.d. */
#ifndef SKEP_BPF_HTTP_ADDRESS_H
#define SKEP_BPF_HTTP_ADDRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/tcp_sock.h"

#define AF_INET 2

#define IPV4_SOURCE 12 /* where it is in an IP header */
#define IPV6_SOURCE 8

static __always_inline void address_of_socket(__u8 address[16], const struct tcp_sock *tcp)
{
	const struct sock_common *common = &tcp->inet_conn.icsk_inet.sk.__sk_common;
	__u32 *words = (__u32 *)address;

	if (common->skc_family == AF_INET) {
		words[0] = 0;
		words[1] = 0;
		words[2] = bpf_htonl(0xffff);
		words[3] = common->skc_daddr;
	} else {
		words[0] = common->skc_v6_daddr.in6_u.u6_addr32[0];
		words[1] = common->skc_v6_daddr.in6_u.u6_addr32[1];
		words[2] = common->skc_v6_daddr.in6_u.u6_addr32[2];
		words[3] = common->skc_v6_daddr.in6_u.u6_addr32[3];
	}
}

/* Of a packet that is received. */
static __always_inline void address_of_packet(__u8 address[16], struct __sk_buff *skb)
{
	__u32 *words = (__u32 *)address;
	__u8 version = 0;

	bpf_skb_load_bytes(skb, 0, &version, sizeof(version));
	if (version >> 4 == 6) {
		bpf_skb_load_bytes(skb, IPV6_SOURCE, address, 16);
		return;
	}
	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	bpf_skb_load_bytes(skb, IPV4_SOURCE, &words[3], 4);
}

#endif
