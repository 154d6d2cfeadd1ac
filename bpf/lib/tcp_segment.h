/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What a packet at a cgroup hook says of TCP: how much payload, which flags. */
#ifndef SKEP_BPF_LIB_TCP_SEGMENT_H
#define SKEP_BPF_LIB_TCP_SEGMENT_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/likely.h"

#define SEGMENT_FIN 0x01
#define SEGMENT_SYN 0x02
#define SEGMENT_RST 0x04

#define TCP_HEADER_SIZE	     20
#define IPV4_HEADER_SIZE     20
#define IPV6_HEADER_SIZE     40
#define IPV6_EXTENSION_LIMIT 6 /* headers between IPv6 and TCP that are walked over */

struct tcp_segment {
	__u32 payload;	/* bytes; of all segments where the kernel has joined several (GSO, GRO) */
	__u32 sequence; /* of the first byte of the payload, or of the SYN before it */
	__u8 flags;
};

/* Reads length and flags from a TCP header that has been found readable. */
static __always_inline void tcp_segment_read(const struct __sk_buff *skb, const __u8 *tcp,
					     __u32 offset, struct tcp_segment *ret_segment)
{
	__u32 headers = offset + (tcp[12] >> 4) * 4;

	ret_segment->payload = skb->len - headers;
	if (unlikely((__s32)ret_segment->payload < 0))
		ret_segment->payload = 0;
	ret_segment->sequence = bpf_ntohl(*(const __u32 *)(tcp + 4));
	ret_segment->flags = tcp[13];
}

/*
 * The offset of the TCP header behind IPv6 extension headers, 0 when there is none. Rare (jumbo
 * packets, routing headers), so it may take the slow way through copies.
 */
static __noinline __u32 tcp_segment_skip_extensions(struct __sk_buff *skb)
{
	__u32 offset = IPV6_HEADER_SIZE;
	__u8 next, header[2];
	int i;

	if (bpf_skb_load_bytes(skb, 6, &next, sizeof(next)))
		return 0;
	for (i = 0; i < IPV6_EXTENSION_LIMIT; i++) {
		if (next == IPPROTO_TCP)
			return offset;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			return 0;
		if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
			return 0;
		offset += next == IPPROTO_FRAGMENT ? 8 : (header[1] + 1) * 8;
		next = header[0];
	}
	return 0;
}

/* The slow way: a TCP header at any place. */
static __noinline bool tcp_segment_load(struct __sk_buff *skb, __u32 offset,
					struct tcp_segment *ret_segment)
{
	__u8 tcp[TCP_HEADER_SIZE];

	if (!offset || bpf_skb_load_bytes(skb, offset, tcp, sizeof(tcp)))
		return false;
	tcp_segment_read(skb, tcp, offset, ret_segment);
	return true;
}

/* What is not usual: other protocols, IPv6, IPv4 with options. */
static __noinline bool tcp_segment_parse_odd(struct __sk_buff *skb, struct tcp_segment *ret_segment)
{
	const __u8 *ip = (const __u8 *)(long)skb->data;
	const __u8 *end = (const __u8 *)(long)skb->data_end;

	if (ip + IPV4_HEADER_SIZE > end)
		return false;
	if (ip[0] >> 4 == 4)
		return ip[9] == IPPROTO_TCP &&
		       tcp_segment_load(skb, (ip[0] & 0xf) * 4, ret_segment);
	if (ip[6] == IPPROTO_UDP)
		return false;
	if (ip[6] != IPPROTO_TCP)
		return tcp_segment_load(skb, tcp_segment_skip_extensions(skb), ret_segment);
	if (ip + IPV6_HEADER_SIZE + TCP_HEADER_SIZE > end)
		return false;
	tcp_segment_read(skb, ip + IPV6_HEADER_SIZE, IPV6_HEADER_SIZE, ret_segment);
	return true;
}

#define IPV4_PLAIN 0x45 /* version 4, a header of 20 bytes */

/*
 * Reads the segment of a packet at a cgroup_skb hook, where the data begins with the IP header.
 * Returns false for what is not TCP. The kernel has the TCP header in the linear part of the
 * packet at both hooks (tcp_v4_rcv() pulls it before it filters).
 */
static __always_inline bool tcp_segment_parse(struct __sk_buff *skb,
					      struct tcp_segment *ret_segment)
{
	const __u8 *ip = (const __u8 *)(long)skb->data;
	const __u8 *end = (const __u8 *)(long)skb->data_end;

	if (unlikely(ip + IPV4_HEADER_SIZE + TCP_HEADER_SIZE > end || ip[0] != IPV4_PLAIN ||
		     ip[9] != IPPROTO_TCP))
		return tcp_segment_parse_odd(skb, ret_segment);
	tcp_segment_read(skb, ip + IPV4_HEADER_SIZE, IPV4_HEADER_SIZE, ret_segment);
	return true;
}

#endif
