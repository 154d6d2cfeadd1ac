/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What is known of a connection, in its socket's storage. */
#ifndef SKEP_BPF_HTTP_CONNECTION_H
#define SKEP_BPF_HTTP_CONNECTION_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/http_head.h"

#define PIPELINE 16 /* requests that wait for their responses on one connection */

struct request {
	__u64 began_ns;
	__u32 bytes;
	__u8 method;
	__u8 reserved[3];
};

/* One direction of a connection. */
struct stream {
	struct http_head head;
	__u32 next;  /* sequence number of the next byte */
	__u32 bytes; /* of the message so far */
	__u8 misses;
	__u8 reserved[7];
	__u64 began_ns; /* the first byte of the message */
	__u64 last_ns;	/* the last one so far, of a message whose end shows later */
};

struct connection {
	__u32 target;
	__u16 port;
	__u8 role;
	__u8 counted;	   /* in the target's connections or opaque */
	__u8 address[16];  /* the other end's; IPv4 as ::ffff:a.b.c.d */
	__u8 fresh;	   /* nothing has passed that was not seen */
	__u8 client_ended; /* the client sends no more */
	__u8 reserved[6];
	struct stream request;
	struct stream response;
	/* Packets of the two directions may pass at the same time: each moves one of these. */
	__u32 asked;
	__u32 answered;
	struct request queue[PIPELINE];
};

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
