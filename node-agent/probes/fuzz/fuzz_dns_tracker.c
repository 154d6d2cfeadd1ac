// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes dns_streams_feed() and dns_tracker_*(): the input is a list of segments and of leaps in
 * time, each behind a head of four bytes. What the trackers know stays within its bounds, nothing
 * stays when they have gone, and no lookup is told that took longer than its timeout.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE \
 *	node-agent/probes/fuzz/fuzz_dns_tracker.c node-agent/probes/dns_message.c \
 *	node-agent/probes/dns_stream.c node-agent/probes/dns_search.c \
 *	node-agent/probes/dns_tracker.c -o build/fuzz_dns_tracker
 */

#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/dns_stream.h"
#include "node-agent/probes/dns_tracker.h"

#define MS	  1000000ULL
#define HEAD_SIZE 4

/* Of the first byte of a head. */
#define SENT   0x01
#define TCP    0x02
#define BEGINS 0x04
#define WAITS  0x08

struct run {
	struct dns_budget budget;
	struct dns_tracker *tracker;
	struct dns_streams *streams;
	uint64_t now;
	uint32_t sequences[2];
	uint8_t flags; /* of the segment at hand */
	uint8_t port;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(void *context, const struct dns_lookup *lookup)
{
	(void)context;
	if (strnlen(lookup->name, DNS_NAME_SIZE) >= DNS_NAME_SIZE ||
	    lookup->search >= strlen(lookup->name) || lookup->duration > DNS_TIMEOUT_NS ||
	    lookup->resent > lookup->retries)
		abort();
}

static void take(void *context, const uint8_t *data, size_t captured, size_t size)
{
	struct run *run = context;
	struct dns_message message;
	const struct dns_sighting sighting = {
		.time = run->now,
		.client_port = run->port,
		.tcp = run->flags & TCP,
		.message = &message,
	};

	if (captured > size || dns_message_parse(data, captured, size, &message) < 0)
		return;
	if (run->flags & SENT)
		dns_tracker_ask(run->tracker, &sighting);
	else
		(void)dns_tracker_answer(run->tracker, &sighting);
	if (run->budget.used > DNS_TARGET_LIMIT)
		abort();
}

static void feed(struct run *run, const uint8_t *data, size_t size)
{
	uint32_t *sequence = &run->sequences[run->flags & SENT];
	const struct dns_segment segment = {
		.client_port = run->port,
		.sent = run->flags & SENT,
		.begins = run->flags & BEGINS,
		.sequence = *sequence,
		.data = data,
		.captured = size,
		.size = size,
	};

	dns_streams_feed(run->streams, &segment, take, run);
	*sequence += (uint32_t)size + segment.begins;
}

/* A piece of the input: flags, port, milliseconds / 16, length. */
static void step(struct run *run, const uint8_t head[HEAD_SIZE], const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	run->flags = head[0];
	run->port = head[1] & 3;
	run->now += head[2] * 16 * MS;
	if (run->flags & WAITS)
		dns_tracker_advance(run->tracker, run->now);
	if (run->flags & TCP)
		feed(run, copy, size);
	else
		take(run, copy, size, size);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = {.now = 1000 * MS, .streams = dns_streams_new()};
	size_t at = 0, length;

	run.tracker = dns_tracker_new("shop", &run.budget, tell, &run);
	while (at + HEAD_SIZE <= size) {
		length = data[at + 3];
		if (length > size - at - HEAD_SIZE)
			length = size - at - HEAD_SIZE;
		step(&run, data + at, data + at + HEAD_SIZE, length);
		at += HEAD_SIZE + length;
	}
	dns_tracker_free(run.tracker);
	dns_streams_free(run.streams);
	if (run.budget.used != 0)
		abort();
	return 0;
}
