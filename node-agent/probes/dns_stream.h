/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Cuts the messages out of DNS over TCP (RFC 1035, 4.2.2: each behind its length in two bytes),
 * from the segments of one target's connections as they pass: several in one segment, one over
 * several. Where segments are missing, it is in step again with the next that begins with a whole
 * message. Of a message, the first bytes are kept. Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_STREAM_H
#define SKEP_NODE_AGENT_PROBES_DNS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_STREAMS_LIMIT	32  /* of one target: two for each connection; the oldest goes */
#define DNS_STREAM_MESSAGE_SIZE 512 /* bytes of a message that are kept */

struct dns_streams;

struct dns_segment {
	uint16_t client_port;
	bool sent;   /* by the client */
	bool begins; /* it bears SYN */
	uint32_t sequence;
	const uint8_t *data; /* the first `captured` of `size` bytes */
	size_t captured;
	size_t size;
};

/* Takes the first `captured` bytes of a message of `size`; gone when the function returns. */
typedef void dns_stream_take(void *context, const uint8_t *data, size_t captured, size_t size);

/* NULL: no memory. */
struct dns_streams *dns_streams_new(void);

/* Returns NULL. */
struct dns_streams *dns_streams_free(struct dns_streams *streams);

/* Takes a segment in, and hands on each message that ends in it. */
void dns_streams_feed(struct dns_streams *streams, const struct dns_segment *segment,
		      dns_stream_take *take, void *context);

#endif
