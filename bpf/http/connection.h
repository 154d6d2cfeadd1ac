/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * What is known of a connection, in its socket's storage. Its two directions run on different CPUs
 * as a rule, so it is laid out by cache lines of 64 bytes, before the first of which the kernel has
 * 8 of its own: the first line is what both directions need of each other, the second one is the
 * responses' alone, and the rest is seldom wanted.
 */
#ifndef SKEP_BPF_HTTP_CONNECTION_H
#define SKEP_BPF_HTTP_CONNECTION_H

#include <linux/bpf.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/http_head.h"

#define PIPELINE 16 /* requests that wait for their responses on one connection */

/* One direction of a connection. */
struct stream {
	struct http_head head;
	__u64 began_ns; /* the first byte of the message */
	__u32 next;	/* sequence number of the next byte */
	__u32 bytes;	/* of the message so far */
};

#define REQUEST_SAMPLED 0x1

/* A request that waits for its response. */
struct request {
	__u64 began_ns;
	__u32 bytes;
	__u8 method;
	__u8 marks; /* REQUEST_... */
	__u8 reserved[2];
};

/* Where exchanges of this kind are counted: the last kind that was asked for. */
struct answer {
	__u64 used_ns; /* last */
	__u64 label;   /* exchange_label() */
	__u32 index;   /* of its counters, and 1; 0: none */
	__u32 reserved;
};

/* A request that waits, in 12 bytes; nanoseconds of 18 years, and what else is known of it. */
#define WAITING_TIME_SHIFT 5
#define WAITING_SAMPLED	   0x10
#define WAITING_METHOD	   0x0f

_Static_assert(HTTP_METHODS <= WAITING_METHOD + 1, "each has a number of its own");

struct connection {
	__u32 settled; /* as of this version of what is asked, only counts are wanted of it */
	__u8 role;
	__u8 counted;	   /* in the target's connections or opaque */
	__u8 client_ended; /* the client sends no more */
	__u8 open_ended;   /* the response is over when the next request begins */
	/* Packets of the two directions may pass at the same time: each moves one of these. */
	__u32 asked;
	__u32 answered;
	struct stream request; /* the last one that began; it waits where `asked` is ahead */
	__u8 marks;	       /* of it: REQUEST_... */
	__u8 request_shape;    /* of the last one that was read; see glance.h */
	__u8 reserved[2];
	__u32 namespace; /* of the target */

	struct stream response;
	struct answer answer;
	__u32 set_aside; /* requests up to this one have been put into the queue */
	__u8 fin_waits;	 /* the server's FIN has overtaken bytes in front of it */
	__u8 response_shape;
	__u8 reserved2[2];

	__u64 last_ns;	  /* the last byte so far of a response whose end shows later */
	__u8 address[16]; /* the other end's; IPv4 as ::ffff:a.b.c.d */
	/* Of the segment with the FIN that waits: where its bytes begin, and end. */
	__u32 fin_begin;
	__u32 fin_end;
	__u32 target;
	__u16 port;
	__u8 fresh; /* nothing has passed that was not seen */
	__u8 early; /* its socket is not there yet; see early.h */
	__u16 request_misses;
	__u16 response_misses;
	__u32 reserved3;
	/* What was kept of a line that is not finished. */
	__u8 request_line[HTTP_LINE_KEPT];
	__u8 response_line[HTTP_LINE_KEPT];
	/* Requests before the last one, by number. */
	__u64 waiting[PIPELINE]; /* WAITING_... */
	__u32 waiting_bytes[PIPELINE];
};

/*
 * The kernel puts 72 bytes before it (struct bpf_local_storage_elem), up to 6.18 at least, and has
 * objects of 512 and 1024 bytes.
 */
_Static_assert(sizeof(struct connection) <= 512 - 72, "one object of 512 bytes");

_Static_assert(offsetof(struct connection, response) == 64 - 8, "the second cache line");
_Static_assert(offsetof(struct connection, last_ns) == 128 - 8, "the third cache line");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} http_connections SEC(".maps");

/* How many requests wait for the end of their responses. */
static __always_inline __u32 connection_waiting(const struct connection *connection)
{
	return connection->asked - connection->answered;
}

#endif
