// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_stream.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX_SIZE	   2
#define LEAST_MESSAGE_SIZE 12 /* the header */

/* One direction of a connection. */
struct stream {
	uint64_t used_at; /* counts segments; 0: never */
	uint16_t client_port;
	bool sent;
	bool in_step;  /* it is known where messages begin */
	uint32_t next; /* sequence number that is to come */
	uint8_t prefix[PREFIX_SIZE];
	size_t prefix_size;  /* that has come */
	size_t message_size; /* once the prefix is whole */
	size_t message_seen; /* that has passed */
	size_t message_kept;
	uint8_t message[DNS_STREAM_MESSAGE_SIZE];
};

struct dns_streams {
	uint64_t segments;
	struct stream streams[DNS_STREAMS_LIMIT];
};

/* What is left of a segment. */
struct rest {
	const uint8_t *data;
	size_t captured;
	size_t size;
};

struct dns_streams *dns_streams_new(void)
{
	return calloc(1, sizeof(struct dns_streams));
}

struct dns_streams *dns_streams_free(struct dns_streams *streams)
{
	free(streams);
	return NULL;
}

static void skip(struct rest *rest, size_t size)
{
	size_t captured = size < rest->captured ? size : rest->captured;

	rest->data += captured;
	rest->captured -= captured;
	rest->size -= size;
}

static void begin_message(struct stream *stream)
{
	stream->prefix_size = 0;
	stream->message_size = 0;
	stream->message_seen = 0;
	stream->message_kept = 0;
}

/* The stream of a segment; where it is new, it takes the place of the one unused for longest. */
static struct stream *find_stream(struct dns_streams *streams, const struct dns_segment *segment)
{
	struct stream *oldest = &streams->streams[0];

	for (size_t i = 0; i < DNS_STREAMS_LIMIT; i++) {
		struct stream *stream = &streams->streams[i];

		if (stream->used_at && stream->client_port == segment->client_port &&
		    stream->sent == segment->sent)
			return stream;
		if (stream->used_at < oldest->used_at)
			oldest = stream;
	}
	oldest->client_port = segment->client_port;
	oldest->sent = segment->sent;
	oldest->in_step = false;
	oldest->next = segment->sequence;
	begin_message(oldest);
	return oldest;
}

static bool begins_with_a_message(const struct rest *rest)
{
	size_t size;

	if (rest->captured < PREFIX_SIZE)
		return false;
	size = (size_t)rest->data[0] << 8 | rest->data[1];
	return size >= LEAST_MESSAGE_SIZE && size + PREFIX_SIZE <= rest->size;
}

/*
 * Leaves of the segment what has not come before, and puts the stream out of step where something
 * is missing.
 */
static void align(struct stream *stream, uint32_t sequence, struct rest *rest)
{
	int32_t ahead = (int32_t)(sequence - stream->next);

	if (ahead < 0) {
		size_t known = (size_t) - (int64_t)ahead;

		skip(rest, known < rest->size ? known : rest->size);
	} else if (ahead > 0) {
		stream->in_step = false;
		stream->next = sequence;
	}
	stream->next += (uint32_t)rest->size;
}

static void read_prefix(struct stream *stream, struct rest *rest)
{
	stream->prefix[stream->prefix_size++] = rest->data[0];
	skip(rest, 1);
	if (stream->prefix_size == PREFIX_SIZE)
		stream->message_size = (size_t)stream->prefix[0] << 8 | stream->prefix[1];
}

static void read_message(struct stream *stream, struct rest *rest)
{
	size_t wanted = stream->message_size - stream->message_seen;
	size_t step = wanted < rest->size ? wanted : rest->size;
	size_t kept = step < rest->captured ? step : rest->captured;
	size_t room = sizeof(stream->message) - stream->message_kept;

	if (stream->message_kept == stream->message_seen) { /* nothing is missing between */
		kept = kept < room ? kept : room;
		memcpy(stream->message + stream->message_kept, rest->data, kept);
		stream->message_kept += kept;
	}
	stream->message_seen += step;
	skip(rest, step);
}

static void read_rest(struct stream *stream, struct rest *rest, dns_stream_take *take,
		      void *context)
{
	while (rest->size > 0) {
		if (stream->prefix_size == PREFIX_SIZE) {
			read_message(stream, rest);
		} else if (rest->captured > 0) {
			read_prefix(stream, rest);
		} else {
			stream->in_step = false;
			return;
		}
		if (stream->prefix_size == PREFIX_SIZE &&
		    stream->message_seen == stream->message_size) {
			take(context, stream->message, stream->message_kept, stream->message_size);
			begin_message(stream);
		}
	}
}

void dns_streams_feed(struct dns_streams *streams, const struct dns_segment *segment,
		      dns_stream_take *take, void *context)
{
	struct stream *stream = find_stream(streams, segment);
	struct rest rest = {segment->data, segment->captured, segment->size};
	uint32_t sequence = segment->sequence;

	stream->used_at = ++streams->segments;
	if (segment->begins) {
		stream->next = ++sequence; /* SYN has a number of its own (RFC 9293, 3.4) */
		stream->in_step = true;
		begin_message(stream);
	}
	align(stream, sequence, &rest);
	if (!stream->in_step) {
		begin_message(stream);
		stream->in_step = begins_with_a_message(&rest);
	}
	if (stream->in_step)
		read_rest(stream, &rest, take, context);
}
