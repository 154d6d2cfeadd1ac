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
	__u32 route;	  /* see below */
	__u8 address[16]; /* the other end's; IPv4 as ::ffff:a.b.c.d */
};

_Static_assert(sizeof(struct http_kind) == 32, "shared with the kernel");

/*
 * Routes are numbers: of templates, user space gives them, from HTTP_ROUTE_FIRST on; of those that
 * were found, the kernel half. None is given twice.
 */
#define HTTP_ROUTE_UNASKED 0 /* nobody asked for routes */
#define HTTP_ROUTE_OTHER   1 /* of no template, and not found, or beyond the limits */
#define HTTP_ROUTE_FIRST   2
#define HTTP_ROUTE_FOUND   0x80000000U /* of those that were found: this bit is set */

/* Templates: from a node, with one segment of a path, to the next one; the root is node 0. */
#define HTTP_STEPS_LIMIT 65536 /* of a node */
#define HTTP_STEP_ANY	 0     /* a segment that no template names */

struct http_step_key {
	__u64 segment;	 /* its hash, or HTTP_STEP_ANY */
	__u32 templates; /* the set that the step belongs to */
	__u32 node;
};

/* What leads on from a node. */
#define HTTP_STEP_LITERALS 0x1
#define HTTP_STEP_WILDCARD 0x2

struct http_step {
	__u16 node;
	__u16 flags;
	__u32 route; /* of a path that ends here; 0: none */
};

/*
 * Routes that were found: paths of a target, with what differs from request to request left out. A
 * target may come to have this many at once, and one more each interval.
 */
#define HTTP_FOUND_LIMIT       8192 /* of a node; beyond, HTTP_ROUTE_OTHER */
#define HTTP_FOUND_BURST       100
#define HTTP_FOUND_INTERVAL_NS 60000000000ULL
#define HTTP_FOUND_PATH_SIZE   192 /* bytes; longer paths make no route */

struct http_found_key {
	__u64 path; /* its hash, by segments and their classes */
	__u32 target;
	__u32 reserved;
};

struct http_found {
	__u32 number;
	__u32 size;
	__u8 path[HTTP_FOUND_PATH_SIZE]; /* of the first request, as it was */
};

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
