/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * What both halves of the HTTP probe share: what is asked of a target, a kind of exchange and what
 * is counted of it, the record of a single request.
 */
#ifndef SKEP_BPF_HTTP_H
#define SKEP_BPF_HTTP_H

#include <linux/types.h>

#define HTTP_KINDS_LIMIT   8192 /* of a node; beyond, exchanges count as "others" of their target */
#define HTTP_TARGETS_LIMIT 8192 /* of a node */
#define HTTP_OTHERS_LIMIT  (2 * HTTP_TARGETS_LIMIT) /* for each role of a target */

/* What pods of one namespace may not have alone: see share.h. */
enum http_shared { HTTP_SHARED_KINDS, HTTP_SHARED_FOUND };

/* A target may come to know this many kinds at once, and one more each interval. */
#define HTTP_KIND_BURST	      512
#define HTTP_KIND_INTERVAL_NS 100000000

/*
 * A connection remembers the counters of its last exchange's kind for this long. User space takes
 * them away from the kind only after it has been idle for longer.
 */
#define HTTP_ANSWER_HOLDS_NS 30000000000ULL

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

/* Where a kind is counted. */
struct http_kind_place {
	__u32 index;	 /* of its counters */
	__u32 namespace; /* that it counts for */
};

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
	__u32 number;	 /* written last */
	__u32 namespace; /* that it counts for */
	__u32 size;
	__u8 path[HTTP_FOUND_PATH_SIZE]; /* of the first request, as it was */
};

/*
 * An atomic addition takes some 8 ns, so what most exchanges add takes two of them: bytes of small
 * messages and duration of quick ones are two numbers in a word each. Both go round, as histograms
 * and aborts do: what they have grown by since they were last read is what counts. That is right up
 * to 4 million exchanges of a kind between two reads, which are 10 s apart.
 */
#define HTTP_SMALL	    1024 /* less than so many bytes in a request, and in its response */
#define HTTP_SMALL_RESPONSE 32	 /* bits before the responses' bytes */
#define HTTP_QUICK_SLOTS    10
#define HTTP_QUICK_US	    (1U << (HTTP_FIRST_BOUND + HTTP_QUICK_SLOTS - 1)) /* up to 32 ms */
#define HTTP_QUICK_COUNT    40 /* bits before the number; below it is the sum of microseconds */

/* Laid out so that such an exchange, of up to 1 ms, touches one cache line of 64 bytes. */
struct http_counters {
	__u64 small_bytes;	       /* heads and bodies */
	__u64 quick[HTTP_QUICK_SLOTS]; /* responses that came in one packet: see `duration` */
	__u64 request_bytes;	       /* that are not in small_bytes */
	__u64 response_bytes;
	__u32 aborted_by_client; /* ended before the answer was complete */
	__u32 aborted_by_server;
	/*
	 * Microseconds from the first byte of a request to the last one of its response, and to the
	 * first one (the wait). Of responses that came in one packet, both are the same.
	 */
	__u64 duration_sum;
	__u64 wait_sum;
	__u32 duration[HTTP_SLOTS];
	__u32 wait[HTTP_SLOTS];
	__u64 reserved[3];
};

_Static_assert(sizeof(struct http_counters) == 5 * 64, "whole cache lines");

/* What is wanted of a target, beside its counts. */
#define HTTP_WANTS_SLOW	   0x1
#define HTTP_WANTS_STATUS  0x2
#define HTTP_WANTS_SAMPLES 0x4
#define HTTP_WANTS_RECORDS (HTTP_WANTS_SLOW | HTTP_WANTS_STATUS | HTTP_WANTS_SAMPLES)
#define HTTP_WANTS_HEADS   0x8	/* records hold the beginning of the request */
#define HTTP_WANTS_PORTS   0x10 /* only these are looked at */
#define HTTP_WANTS_ROUTES  0x20 /* kinds have routes */
#define HTTP_WANTS_FOUND   0x40 /* which may be found in paths */

#define HTTP_TARGET_PORTS    16
#define HTTP_TARGET_STATUSES 500 /* from 100 on */

/*
 * What is asked of a target, in its cgroup's storage. User space replaces all of it at once, so the
 * programs write nothing here.
 */
struct http_target {
	__u32 target;	 /* the number that user space gave to it; 0: nothing is counted */
	__u32 wants;	 /* HTTP_WANTS_... */
	__u32 level;	 /* depth of the cgroup */
	__u32 templates; /* the set of its routes; 0: none */
	__u32 root;	 /* which of them is "/"; 0: none */
	__u32 namespace; /* its number, which none had before it: see http_shape.h, share.h */
	__u64 slow_ns;
	__u64 sample_below;			     /* see http_sample_hash() */
	__u64 report[HTTP_TARGET_STATUSES / 64 + 1]; /* a bit for each status */
	__u16 ports[HTTP_TARGET_PORTS];		     /* 0: none */
};

_Static_assert(sizeof(struct http_target) == 40 + 64 + 32, "shared with the kernel");

/* What is counted of a target, by its number. records = told + rate_limited + ring_full. */
struct http_target_counts {
	__u64 kinds_full_at; /* bucket of the kinds that it may yet come to know */
	__u64 connections;   /* on which HTTP was recognised */
	__u64 opaque;	     /* on which something else was: encrypted, or unknown */
	__u64 lost;	     /* times that the thread was lost: packets missed or out of order */
	__u64 records;	     /* requests that were to be told */
	__u64 rate_limited;
	__u64 ring_full;
	__u64 records_full_at; /* bucket of the records; see rate_limit_take() */
	__u64 routes_full_at;  /* bucket of the routes that may yet be found */
	__u64 headless;	       /* records that should hold a head, and do not */
	__u64 beyond_share;    /* kinds and routes refused: the namespace has its share */
};

_Static_assert(sizeof(struct http_target_counts) == 88, "shared with the kernel");

/*
 * Scatters sequence numbers over 32 bits (the last steps of MurmurHash3). One request in N is
 * sampled: those whose first byte's is below 2^32 / N, which is the same at both ends.
 */
static inline __u32 http_sample_hash(__u32 sequence)
{
	sequence ^= sequence >> 16;
	sequence *= 0x85ebca6b;
	sequence ^= sequence >> 13;
	sequence *= 0xc2b2ae35;
	return sequence ^ sequence >> 16;
}

#define HTTP_RING_SIZE	      (256 * 1024)
#define HTTP_READ_INTERVAL_MS 100 /* between two looks of user space at the ring */
#define HTTP_HEAD_KEPT	      256 /* bytes of a request's head in its record */

/* Each target has a bucket of 200 records, refilled at 1,000 a second. */
#define HTTP_RECORD_INTERVAL_NS 1000000ULL
#define HTTP_RECORD_BURST	200ULL

/* Why a request is told. */
#define HTTP_TOLD_SLOW	  0x1
#define HTTP_TOLD_STATUS  0x2
#define HTTP_TOLD_SAMPLED 0x4

enum http_end { HTTP_COMPLETE, HTTP_ABORTED_BY_CLIENT, HTTP_ABORTED_BY_SERVER };

#define HTTP_RECORD_HAS_SEQUENCE 0x1
#define HTTP_RECORD_HAS_HEAD	 0x2

/* A request and its response, in the ring buffer. */
struct http_record {
	__u64 time;	 /* of the request's first byte: ns, CLOCK_MONOTONIC */
	__u64 duration;	 /* ns, from then to the response's last byte or the end */
	__u64 wait;	 /* ns, to the response's first byte; 0 without a response */
	__u64 container; /* the cgroup one level below the target, 0: the socket is the target's */
	__u32 target;
	__u32 sequence; /* of the request's first byte */
	__u32 request_bytes;
	__u32 response_bytes;
	__u8 address[16]; /* the other end's; IPv4 as ::ffff:a.b.c.d */
	__u16 port;	  /* the server's, host byte order */
	__u16 peer_port;  /* the other end's */
	__u16 status;	  /* 0: no answer came */
	__u16 head_size;
	__u8 role;   /* enum http_role, of the target */
	__u8 method; /* enum http_method */
	__u8 end;    /* enum http_end */
	__u8 told;   /* HTTP_TOLD_... */
	__u32 flags; /* HTTP_RECORD_... */
	__u32 route; /* as in its kind */
	__u32 reserved;
	__u8 head[HTTP_HEAD_KEPT]; /* as it passed */
};

#define HTTP_RECORD_HEADER_SIZE 88
_Static_assert(__builtin_offsetof(struct http_record, head) == HTTP_RECORD_HEADER_SIZE,
	       "shared with the kernel");

/* One target puts 300 records into the ring between two reads, at most. */
#define HTTP_RING_HEADER_SIZE 8
#define HTTP_RECORDS_BETWEEN_READS                                                                 \
	(HTTP_RECORD_BURST + HTTP_READ_INTERVAL_MS * 1000000ULL / HTTP_RECORD_INTERVAL_NS)
_Static_assert(HTTP_RECORDS_BETWEEN_READS *(sizeof(struct http_record) + HTTP_RING_HEADER_SIZE) <=
		       HTTP_RING_SIZE,
	       "one target cannot fill the ring");

#endif
