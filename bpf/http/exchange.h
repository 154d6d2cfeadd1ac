/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Requests and responses as they begin and end, and which belong together. */
#ifndef SKEP_BPF_HTTP_EXCHANGE_H
#define SKEP_BPF_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/connection.h"
#include "bpf/http/counting.h"
#include "bpf/http/packet.h"
#include "bpf/http/record.h"
#include "bpf/http/route.h"
#include "bpf/http/target.h"

/* Of a request that waits, by its number. */
static __always_inline struct request *request_aside(struct connection *connection, __u32 number)
{
	return &connection->queue[number % PIPELINE];
}

/* A request begins while the one before it still waits. */
static __always_inline void request_set_aside(struct connection *connection)
{
	struct request *aside = request_aside(connection, connection->asked - 1);

	aside->began_ns = connection->request.began_ns;
	aside->bytes = connection->request.bytes;
	aside->method = connection->request.head.method;
	aside->marks = connection->marks;
	barrier();
	connection->set_aside = connection->asked;
	barrier();
}

/*
 * The oldest request that waits. The next one may begin at the same time, on another CPU: what is
 * read of the last request holds if it has not been set aside afterwards.
 */
static __always_inline struct request request_oldest(struct connection *connection)
{
	const struct stream *last = &connection->request;
	struct request request = {.began_ns = *(volatile __u64 *)&last->began_ns,
				  .bytes = *(volatile __u32 *)&last->bytes,
				  .method = *(volatile __u8 *)&last->head.method,
				  .marks = *(volatile __u8 *)&connection->marks};
	__u32 behind;

	barrier();
	behind = *(volatile __u32 *)&connection->set_aside - connection->answered - 1;
	return behind < PIPELINE ? *request_aside(connection, connection->answered) : request;
}

/* The oldest request that waits is over: its response is complete, or will never be. */
static __noinline int exchange_end(struct packet *packet, enum http_end end, __u64 ended_ns)
{
	struct connection *connection = packet->connection;
	struct stream *response = &connection->response;
	struct exchange exchange = {
		.answered_ns = response->began_ns,
		.ended_ns = ended_ns,
		.response_bytes = response->bytes,
		.status = response->head.status,
		.end = end,
	};

	if (!connection_waiting(
		    connection)) { /* nobody has asked for it: the next one has another */
		response->bytes = 0;
		response->head.status = 0;
		return 0;
	}
	exchange.request = request_oldest(connection);
	if (packet->target->wants & HTTP_WANTS_ROUTES)
		exchange.route = exchange_route(packet);
	exchange.number = ++connection->answered;
	response->bytes = 0;
	response->head.status = 0;
	exchange_count(connection, packet->target, &exchange);
	if (packet->target->wants & HTTP_WANTS_RECORDS)
		exchange_tell(packet, &exchange);
	return 0;
}

static __always_inline void stream_restart(struct stream *stream)
{
	stream->head.state = HTTP_START;
	stream->head.flags &= HTTP_HEAD_REQUEST;
	stream->head.kept = 0;
	stream->head.status = 0;
	stream->bytes = 0;
}

/*
 * Bytes were missed where a message could have begun: begins anew with the next one that is seen.
 */
static __always_inline void connection_lose(struct packet *packet)
{
	struct connection *connection = packet->connection;

	stream_restart(&connection->request);
	stream_restart(&connection->response);
	connection->answered = connection->asked;
	connection->fresh = false;
	target_count(packet->target, lost);
}

/* A response whose end no byte told of is over when the next request begins. */
static __always_inline void end_by_next_request(struct packet *packet)
{
	struct connection *connection = packet->connection;
	struct stream *response = &connection->response;

	connection->open_ended = false;
	if (response->head.state != HTTP_CHUNKED && response->head.state != HTTP_CLOSE)
		return;
	exchange_end(packet, HTTP_COMPLETE, connection->last_ns);
	stream_restart(response);
}

/* The first byte of a message. */
static __always_inline void message_begin(struct packet *packet)
{
	struct connection *connection = packet->connection;
	struct stream *stream = packet->stream;

	if (packet->request && connection->open_ended)
		end_by_next_request(packet);
	if (packet->request && connection_waiting(connection) &&
	    connection->set_aside != connection->asked)
		request_set_aside(connection);
	stream->began_ns = packet_time(packet);
	stream->bytes = 0;
}

/* HTTP has been recognised. */
static __always_inline void connection_recognise(struct packet *packet)
{
	struct connection *connection = packet->connection;

	if (packet->request) {
		connection->counted = true;
		target_count(packet->target, connections);
	} else {
		connection->response_misses = 0;
	}
}

/* The head of a request is complete. */
static __always_inline void request_began(struct packet *packet)
{
	struct connection *connection = packet->connection;

	http_finish_request(&connection->request.head);
	if (connection_waiting(connection) >= PIPELINE) {
		connection_lose(packet);
		return;
	}
	if (!connection->counted)
		connection_recognise(packet);
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

/* The head of a response is complete. */
static __always_inline void response_began(struct packet *packet)
{
	struct connection *connection = packet->connection;
	struct http_head *head = &connection->response.head;
	__u8 method = HTTP_METHOD_OTHER;

	if (connection_waiting(connection))
		method = request_oldest(connection).method;
	http_finish_response(head, method);
	if (!connection->counted)
		connection_recognise(packet);
	if (head->status < 200 && head->status != 101) {
		head->status = 0; /* the response itself is still to come */
		return;
	}
	if (head->state == HTTP_OPAQUE || method == HTTP_METHOD_CONNECT)
		end_negotiation(connection, method);
	if (head->state == HTTP_START || head->state == HTTP_OPAQUE)
		exchange_end(packet, HTTP_COMPLETE, packet_time(packet));
	else if (head->state == HTTP_CLOSE)
		connection->last_ns = packet_time(packet);
}

static __always_inline void message_end(struct packet *packet)
{
	packet->stream->head.state = HTTP_START;
	if (!packet->request)
		exchange_end(packet, HTTP_COMPLETE, packet_time(packet));
}

#endif
