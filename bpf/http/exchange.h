/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Requests and responses as they begin and end, and which belong together. */
#ifndef SKEP_BPF_HTTP_EXCHANGE_H
#define SKEP_BPF_HTTP_EXCHANGE_H

#include <stdbool.h>

#include "bpf/http/connection.h"
#include "bpf/http/counting.h"
#include "bpf/http/packet.h"
#include "bpf/http/target.h"

/* The oldest request that waits is over: its response is complete, or will never be. */
static __always_inline void exchange_end(struct packet *packet, enum end end, __u64 ended_ns)
{
	struct connection *connection = packet->connection;
	struct stream *response = &connection->response;
	struct request *request = &connection->queue[connection->answered % PIPELINE];
	struct exchange exchange = {
		.kind = {.target = connection->target,
			 .port = connection->port,
			 .role = connection->role,
			 .method = request->method,
			 .status = response->head.status},
		.now = packet_time(packet),
		.duration = ended_ns - request->began_ns,
		.wait = response->began_ns - request->began_ns,
		.request_bytes = request->bytes,
		.response_bytes = response->bytes,
		.end = end,
	};

	if (!connection_waiting(connection))
		return;
	__builtin_memcpy(exchange.kind.address, connection->address, sizeof(connection->address));
	connection->answered++;
	response->bytes = 0;
	response->head.status = 0;
	exchange_count(&exchange);
}

static __always_inline void stream_restart(struct stream *stream)
{
	stream->head.state = HTTP_START;
	stream->head.flags &= HTTP_HEAD_REQUEST;
	stream->head.kept = 0;
	stream->bytes = 0;
}

/* Bytes were missed where a message could have begun: begins anew with the next one that is seen.
 */
static __always_inline void connection_lose(struct packet *packet)
{
	stream_restart(&packet->connection->request);
	stream_restart(&packet->connection->response);
	packet->connection->answered = packet->connection->asked;
	packet->connection->fresh = false;
	count(&packet->target->lost, 1);
}

/* A response whose end no byte told of is over when the next request begins. */
static __always_inline void end_by_next_request(struct packet *packet)
{
	struct stream *response = &packet->connection->response;

	if (response->head.state != HTTP_CHUNKED && response->head.state != HTTP_CLOSE)
		return;
	exchange_end(packet, END_COMPLETE, response->last_ns);
	stream_restart(response);
}

static __always_inline void request_began(struct packet *packet, struct stream *stream)
{
	struct connection *connection = packet->connection;
	struct request *request;

	http_finish_request(&stream->head);
	stream->misses = 0;
	if (connection_waiting(connection) >= PIPELINE) {
		connection_lose(packet);
		return;
	}
	if (!connection->counted)
		count(&packet->target->connections, 1);
	connection->counted = true;
	request = &connection->queue[connection->asked % PIPELINE];
	request->began_ns = stream->began_ns;
	request->bytes = stream->bytes;
	request->method = stream->head.method;
	connection->asked++;
}

/* A tunnel may have begun; if it has not, requests go on. */
static __always_inline void end_negotiation(struct connection *connection, __u8 method)
{
	struct http_head *request = &connection->request.head;

	if (connection->response.head.state == HTTP_OPAQUE)
		request->state = HTTP_OPAQUE;
	else if (method == HTTP_METHOD_CONNECT && request->state == HTTP_OPAQUE)
		request->state = HTTP_START;
}

static __always_inline void response_began(struct packet *packet, struct stream *stream)
{
	struct connection *connection = packet->connection;
	__u8 method = connection->queue[connection->answered % PIPELINE].method;

	if (!connection_waiting(connection))
		method = HTTP_METHOD_OTHER;
	http_finish_response(&stream->head, method);
	stream->misses = 0;
	stream->last_ns = packet_time(packet);
	if (stream->head.status < 200 && stream->head.status != 101) {
		stream->head.status = 0; /* the response itself is still to come */
		return;
	}
	end_negotiation(connection, method);
	if (stream->head.state == HTTP_START || stream->head.state == HTTP_OPAQUE)
		exchange_end(packet, END_COMPLETE, packet_time(packet));
}

static __always_inline void message_end(struct packet *packet, struct stream *stream)
{
	stream->head.state = HTTP_START;
	if (!packet_is_request(packet))
		exchange_end(packet, END_COMPLETE, packet_time(packet));
}

#endif
