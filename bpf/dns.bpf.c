// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Hands on the DNS messages of the cgroups that the programs are attached to: what they send to
 * port 53 and what comes from there, over UDP and TCP. Reads only: every packet passes.
 *
 * Nearly all packets are none of these, and are let go by their ports, before anything else is
 * looked at.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/dns.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/verifier.h"

#define PASS 1

#define IPV4_SIZE	20 /* without options */
#define IPV6_SIZE	40
#define UDP_SIZE	8
#define TCP_SIZE	20 /* without options */
#define TCP_SYN		0x02
#define EXTENSION_LIMIT 6 /* headers between IPv6 and the transport's that are walked over */

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64); /* the cgroup alone: one storage for all programs (kernel 5.9) */
	__type(value, struct dns_target);
} dns_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DNS_RING_SIZE);
} dns_records SEC(".maps");

/* Some of a DNS message, and where it is in its packet. */
struct segment {
	__u32 payload; /* its offset */
	__u32 size;    /* of the payload */
	__u32 sequence;
	__u16 client_port;
	__u16 flags; /* as in struct dns_record */
};

/*
 * The headers of TCP and UDP begin alike: source port, destination port. Taken from one word, as
 * clang turns ports[sent] into arithmetic that the verifier forbids on pointers.
 */
static __always_inline __u16 server_port(__be32 ports, bool sent)
{
	return sent ? bpf_ntohl(ports) & 0xffff : bpf_ntohl(ports) >> 16;
}

static __always_inline __u16 client_port(__be32 ports, bool sent)
{
	return server_port(ports, !sent);
}

static __always_inline void read_server(struct __sk_buff *skb, bool sent, __u8 address[16])
{
	__u8 version = 0;

	bpf_skb_load_bytes(skb, 0, &version, sizeof(version));
	if (version >> 4 == 6) {
		bpf_skb_load_bytes(skb, sent ? 24 : 8, address, 16);
		return;
	}
	__builtin_memset(address, 0, 10);
	address[10] = address[11] = 0xff;
	bpf_skb_load_bytes(skb, sent ? 16 : 12, address + 12, 4);
}

static __always_inline bool read_udp(struct __sk_buff *skb, __u32 offset, bool sent,
				     struct segment *ret_segment)
{
	__be32 ports;

	if (bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)))
		return false;
	ret_segment->payload = offset + UDP_SIZE;
	ret_segment->sequence = 0;
	ret_segment->client_port = client_port(ports, sent);
	ret_segment->flags = sent ? DNS_SENT : 0;
	return true;
}

static __always_inline bool read_tcp(struct __sk_buff *skb, __u32 offset, bool sent,
				     struct segment *ret_segment)
{
	__be32 header[TCP_SIZE / 4];
	const __u8 *bytes = (const __u8 *)header;

	if (bpf_skb_load_bytes(skb, offset, header, TCP_SIZE))
		return false;
	ret_segment->payload = offset + (bytes[12] >> 4) * 4;
	ret_segment->sequence = bpf_ntohl(header[1]);
	ret_segment->client_port = client_port(header[0], sent);
	ret_segment->flags = DNS_TCP | (sent ? DNS_SENT : 0);
	if (bytes[13] & TCP_SYN)
		ret_segment->flags |= DNS_SYN;
	return true;
}

/* False for what carries nothing of a message and begins no connection. */
static __always_inline bool read_segment(struct __sk_buff *skb, __u32 offset, __u8 protocol,
					 bool sent, struct segment *ret_segment)
{
	if (protocol == IPPROTO_UDP) {
		if (!read_udp(skb, offset, sent, ret_segment))
			return false;
	} else if (protocol != IPPROTO_TCP || !read_tcp(skb, offset, sent, ret_segment)) {
		return false;
	}
	ret_segment->size = skb->len > ret_segment->payload ? skb->len - ret_segment->payload : 0;
	return ret_segment->size || ret_segment->flags & DNS_SYN;
}

/* Wakes the reader only when the ring is half full: a wake-up costs more than all the rest. */
static __always_inline __u64 wake_up(void)
{
	__u64 waiting = bpf_ringbuf_query(&dns_records, BPF_RB_AVAIL_DATA);

	return waiting > DNS_RING_SIZE / 2 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/*
 * Writes the record in its place: a program that sends may be interrupted on its CPU by another, so
 * there is nowhere else to put it together. `room` is a constant, as the ring asks for.
 */
static __always_inline bool submit(struct __sk_buff *skb, const struct dns_target *target,
				   const struct segment *segment, const __u32 room)
{
	struct dns_record *record;
	__u32 captured = segment->size;

	record = bpf_ringbuf_reserve(&dns_records, DNS_RECORD_HEADER_SIZE + room, 0);
	if (!record)
		return false;
	if (captured > room)
		captured = room;
	if (!verifier_has_size(captured, room) ||
	    bpf_skb_load_bytes(skb, segment->payload, record->data, captured))
		captured = 0;
	record->time = bpf_ktime_get_ns();
	record->target = target->cgroup;
	record->container = bpf_skb_ancestor_cgroup_id(skb, target->level + 1);
	record->lost = target->rate_limited + target->ring_full;
	read_server(skb, segment->flags & DNS_SENT, record->server);
	record->sequence = segment->sequence;
	record->size = segment->size;
	record->client_port = segment->client_port;
	record->captured = captured;
	record->flags = segment->flags;
	record->reserved = 0;
	bpf_ringbuf_submit(record, wake_up());
	return true;
}

static __always_inline bool submit_by_size(struct __sk_buff *skb, const struct dns_target *target,
					   const struct segment *segment)
{
	if (segment->size <= DNS_DATA_SMALL)
		return submit(skb, target, segment, DNS_DATA_SMALL);
	if (segment->size <= DNS_DATA_MEDIUM || !(segment->flags & DNS_TCP))
		return submit(skb, target, segment, DNS_DATA_MEDIUM);
	return submit(skb, target, segment, DNS_DATA_SIZE);
}

/* A packet from or to port 53, if `protocol` is one that has ports. */
static __noinline int hand_on(struct __sk_buff *skb, __u32 offset, __u8 protocol, bool sent)
{
	struct dns_target *target;
	struct segment segment;

	if (!read_segment(skb, offset, protocol, sent, &segment))
		return PASS;
	target = bpf_get_local_storage(&dns_targets, 0);
	if (!target->cgroup)
		return PASS;
	__sync_fetch_and_add(&target->messages, 1);
	if (!rate_limit_take(&target->bucket, bpf_ktime_get_ns(), DNS_RECORD_INTERVAL_NS,
			     DNS_RECORD_BURST))
		__sync_fetch_and_add(&target->rate_limited, 1);
	else if (!submit_by_size(skb, target, &segment))
		__sync_fetch_and_add(&target->ring_full, 1);
	return PASS;
}

/* The offset of the transport's header behind options of IPv4. */
static __always_inline __u32 skip_options(struct __sk_buff *skb, __u8 first, __u8 *ret_protocol)
{
	if (bpf_skb_load_bytes(skb, 9, ret_protocol, 1))
		return 0;
	return (first & 0xf) * 4;
}

/* The same behind extension headers of IPv6; 0 when they are too many. */
static __always_inline __u32 skip_extensions(struct __sk_buff *skb, __u8 *ret_protocol)
{
	__u32 offset = IPV6_SIZE;
	__u8 next, header[2];
	int i;

	if (bpf_skb_load_bytes(skb, 6, &next, sizeof(next)))
		return 0;
	for (i = 0; i < EXTENSION_LIMIT; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT) {
			*ret_protocol = next;
			return offset;
		}
		if (bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
			return 0;
		offset += next == IPPROTO_FRAGMENT ? 8 : (header[1] + 1) * 8;
		next = header[0];
	}
	return 0;
}

/* The slow way, by copies: a packet whose IP header is not the plain one. */
static __noinline int see_unusual(struct __sk_buff *skb, bool sent)
{
	__u8 first, protocol = 0;
	__be32 ports;
	__u32 offset;

	if (bpf_skb_load_bytes(skb, 0, &first, sizeof(first)))
		return PASS;
	offset = first >> 4 == 6 ? skip_extensions(skb, &protocol)
				 : skip_options(skb, first, &protocol);
	if (!offset || bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)) ||
	    server_port(ports, sent) != DNS_PORT)
		return PASS;
	return hand_on(skb, offset, protocol, sent);
}

/* The kernel has all headers in the linear part of the packet at both hooks. */
static __always_inline int see_packet(struct __sk_buff *skb, bool sent)
{
	const __u8 *ip = (const __u8 *)(long)skb->data;
	const __u8 *end = (const __u8 *)(long)skb->data_end;

	if (ip + IPV4_SIZE + UDP_SIZE > end)
		return PASS;
	if (ip[0] == 0x45) {
		if (server_port(*(const __be32 *)(ip + IPV4_SIZE), sent) != DNS_PORT)
			return PASS;
		return hand_on(skb, IPV4_SIZE, ip[9], sent);
	}
	if (ip[0] >> 4 != 6 || (ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP))
		return see_unusual(skb, sent);
	if (ip + IPV6_SIZE + UDP_SIZE > end ||
	    server_port(*(const __be32 *)(ip + IPV6_SIZE), sent) != DNS_PORT)
		return PASS;
	return hand_on(skb, IPV6_SIZE, ip[6], sent);
}

SEC("cgroup_skb/ingress")
int dns_received(struct __sk_buff *skb)
{
	return see_packet(skb, false);
}

SEC("cgroup_skb/egress")
int dns_sent(struct __sk_buff *skb)
{
	return see_packet(skb, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
