/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What both halves of the HTTP probe share: a kind of exchange, and what is counted of it. */
#ifndef SKEP_BPF_HTTP_H
#define SKEP_BPF_HTTP_H

#include <linux/types.h>

#define HTTP_KINDS_LIMIT  8192	/* of a node; beyond, exchanges count as "others" of their target */
#define HTTP_OTHERS_LIMIT 16384 /* of a node: for each role of a target */

/* A target may come to know this many kinds at once, and one more each interval. */
#define HTTP_KIND_BURST	      512
#define HTTP_KIND_INTERVAL_NS 100000000

/*
 * A histogram of microseconds in powers of two: slot 0 holds what is up to 2^HTTP_FIRST_BOUND, slot
 * n what is up to twice the bound of slot n - 1, the last one all the rest.
 */
#define HTTP_FIRST_BOUND 6  /* 64 us */
#define HTTP_BOUNDS	 20 /* up to 34 s */
#define HTTP_SLOTS	 (HTTP_BOUNDS + 1)

enum http_role { HTTP_CLIENT, HTTP_SERVER };

/*
 * Who a target exchanges messages with, and how they were answered. All zero but target and role:
 * others, beyond the limits.
 */
struct http_kind {
	__u32 target;
	__u16 port;   /* the server's, host byte order */
	__u8 role;    /* enum http_role, of the target */
	__u8 method;  /* enum http_method */
	__u16 status; /* 0: no answer came */
	__u16 reserved;
	__u32 reserved2;
	__u8 address[16]; /* the other end's; IPv4 as ::ffff:a.b.c.d */
};

_Static_assert(sizeof(struct http_kind) == 32, "shared with the kernel");

struct http_counters {
	__u64 aborted_by_client; /* ended before the answer was complete */
	__u64 aborted_by_server;
	__u64 request_bytes; /* heads and bodies */
	__u64 response_bytes;
	__u64 duration_sum; /* microseconds, first byte of the request to last one of the response
			     */
	__u64 wait_sum;	    /* to its first one */
	__u64 duration[HTTP_SLOTS];
	__u64 wait[HTTP_SLOTS];
};

_Static_assert(sizeof(struct http_counters) == 6 * 8 + 2 * 8 * HTTP_SLOTS, "shared");

/* What the programs know of a target, and what it cannot see, in its cgroup's storage. */
struct http_target {
	__u32 target; /* the number that user space gave to it; 0: nothing is counted */
	__u32 reserved;
	__u64 kinds_full_at; /* bucket of the kinds that it may yet come to know */
	__u64 connections;   /* on which HTTP was recognised */
	__u64 opaque;	     /* on which something else was: encrypted, or unknown */
	__u64 lost;	     /* times that the thread was lost: packets missed or out of order */
};

#endif
