// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Loss, made on purpose: a tc program that drops every n-th packet with payload that comes in by an
 * interface, or a number of SYNs, or of packets that only acknowledge. Where the sender hands over
 * several segments at once (GSO), they go together, as one packet.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/tcp_segment.h"

/* Set by the test, also while packets come. */
__u32 drop_every = 0; /* of packets with payload; 0: none */
__u32 drop_syns = 0;  /* how many SYNs still, those of an answer (SYN-ACK) too */
__u32 drop_acks = 0;  /* how many packets still that only acknowledge */
__u32 drop_all = 0;

/* For the test to read. */
__u32 dropped = 0;
__u32 seen = 0; /* packets with payload */

/* The offset of the TCP header, 0 for what is not TCP. */
static __always_inline __u32 find_tcp(struct __sk_buff *skb)
{
	__u8 first = 0, next = 0;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		bpf_skb_load_bytes(skb, ETH_HLEN, &first, 1);
		bpf_skb_load_bytes(skb, ETH_HLEN + 9, &next, 1);
		return next == IPPROTO_TCP ? ETH_HLEN + (first & 0xf) * 4 : 0;
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		bpf_skb_load_bytes(skb, ETH_HLEN + 6, &next, 1);
		return next == IPPROTO_TCP ? ETH_HLEN + IPV6_HEADER_SIZE : 0;
	}
	return 0;
}

static __always_inline bool take_syn(void)
{
	if (!drop_syns)
		return false;
	drop_syns--;
	return true;
}

static __always_inline bool take_ack(const struct tcp_segment *segment)
{
	if (!drop_acks || segment->payload ||
	    segment->flags & (SEGMENT_SYN | SEGMENT_FIN | SEGMENT_RST))
		return false;
	drop_acks--;
	return true;
}

static __always_inline bool take_payload(void)
{
	seen++;
	return drop_every && seen % drop_every == 0;
}

SEC("tc")
int packet_drop(struct __sk_buff *skb)
{
	struct tcp_segment segment;
	__u32 offset = find_tcp(skb);

	if (!offset || !tcp_segment_load(skb, offset, &segment))
		return TC_ACT_OK;
	if (drop_all || (segment.flags & SEGMENT_SYN && take_syn()) || take_ack(&segment) ||
	    (segment.payload && take_payload())) {
		dropped++;
		return TC_ACT_SHOT;
	}
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
