/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * What the two halves of the DNS probe share: what is kept of a target, and the record of one
 * message on its way.
 */
#ifndef SKEP_BPF_DNS_H
#define SKEP_BPF_DNS_H

#include <linux/types.h>

#define DNS_PORT	     53
#define DNS_RING_SIZE	     (256 * 1024)
#define DNS_READ_INTERVAL_MS 100 /* between two looks of user space at the ring */

/*
 * Each target has a bucket of 300 messages, refilled at 2,000 a second. With what comes between two
 * reads that is 500 records: all of them fit into the ring with 448 bytes of data each; where they
 * are longer, the reader is woken when the ring is half full.
 */
#define DNS_RECORD_INTERVAL_NS 500000ULL
#define DNS_RECORD_BURST       300ULL

/* In the storage of the target's cgroup; messages = records + rate_limited + ring_full. */
struct dns_target {
	__u64 cgroup; /* 0: nothing is recorded */
	__u32 level;  /* its depth */
	__u32 reserved;
	__u64 messages; /* pieces of them, packet by packet */
	__u64 rate_limited;
	__u64 ring_full;
	__u64 bucket; /* see rate_limit_take() */
};

_Static_assert(sizeof(struct dns_target) == 48, "shared with the kernel");

#define DNS_SENT 0x01 /* by the target: a query; otherwise an answer to it */
#define DNS_TCP	 0x02 /* otherwise UDP */
#define DNS_SYN	 0x04 /* of the TCP header: the payload, if any, is the connection's first */

/* How much of a packet is copied, in three sizes: the ring has no others for each record. */
#define DNS_DATA_SMALL	128
#define DNS_DATA_MEDIUM 512
#define DNS_DATA_SIZE	1024

struct dns_record {
	__u64 time; /* ns, CLOCK_MONOTONIC */
	__u64 target;
	__u64 container; /* the cgroup one level below the target, 0: the socket is the target's */
	__u64 lost;	 /* messages of the target that found no way into the ring until now */
	__u8 server[16]; /* address, IPv4 as ::ffff:a.b.c.d */
	__u32 sequence;	 /* of the first byte, with DNS_TCP */
	__u32 size;	 /* of the payload */
	__u16 client_port; /* host byte order */
	__u16 captured;	   /* of the payload, in `data` */
	__u16 flags;
	__u16 reserved;
	__u8 data[DNS_DATA_SIZE];
};

#define DNS_RECORD_HEADER_SIZE 64
_Static_assert(__builtin_offsetof(struct dns_record, data) == DNS_RECORD_HEADER_SIZE,
	       "shared with the kernel");

#define DNS_RING_HEADER_SIZE 8
#define DNS_RECORDS_BETWEEN_READS                                                                  \
	(DNS_RECORD_BURST + DNS_READ_INTERVAL_MS * 1000000ULL / DNS_RECORD_INTERVAL_NS)
_Static_assert(DNS_RECORDS_BETWEEN_READS *(DNS_RING_HEADER_SIZE + DNS_RECORD_HEADER_SIZE + 448) <=
		       DNS_RING_SIZE,
	       "one target cannot fill the ring");

#endif
