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
#include "bpf/lib/likely.h"

/* A request begins while the one before it still waits. */
static __always_inline void request_set_aside(struct connection *connection)
{
	__u32 place = (connection->asked - 1) % PIPELINE;
	__u64 waiting = connection->request.began_ns << WAITING_TIME_SHIFT;

	if (connection->marks & REQUEST_SAMPLED)
		waiting |= WAITING_SAMPLED;
	connection->waiting[place] = waiting | connection->request.head.method;
	connection->waiting_bytes[place] = connection->request.bytes;
	barrier();
	connection->set_aside = connection->asked;
	barrier();
}

/* One that was set aside, by its number. */
static __always_inline struct request request_aside(const struct connection *connection,
						    __u32 number)
{
	__u64 waiting = connection->waiting[number % PIPELINE];

	return (struct request){
		.began_ns = waiting >> WAITING_TIME_SHIFT,
		.bytes = connection->waiting_bytes[number % PIPELINE],
		.method = waiting & WAITING_METHOD,
		.marks = waiting & WAITING_SAMPLED ? REQUEST_SAMPLED : 0,
	};
}

/*
 * The oldest request that waits. The next one may begin at the same time, on another CPU: what is
 * read of the last request holds if it has not been set aside afterwards.
 */
static __always_inline struct request request_oldest(const struct connection *connection)
{
	const struct stream *last = &connection->request;
	struct request request = {.began_ns = *(volatile __u64 *)&last->began_ns,
				  .bytes = *(volatile __u32 *)&last->bytes,
				  .method = *(volatile __u8 *)&last->head.method,
				  .marks = *(volatile __u8 *)&connection->marks};
	__u32 behind;

	barrier();
	behind = *(volatile __u32 *)&connection->set_aside - connection->answered - 1;
	return unlikely(behind < PIPELINE) ? request_aside(connection, connection->answered)
					   : request;
}

/* The same, of which only the method is wanted. */
static __always_inline __u8 request_oldest_method(const struct connection *connection)
{
	__u8 method = *(volatile __u8 *)&connection->request.head.method;
	__u32 behind;

	barrier();
	behind = *(volatile __u32 *)&connection->set_aside - connection->answered - 1;
	return unlikely(behind < PIPELINE) ? request_aside(connection, connection->answered).method
					   : method;
}

/*
 * The oldest request that waits is over: its response is complete, or will never be. Not static, so
 * that the verifier looks at it once, and not for each place that calls it.
 */
__noinline int exchange_end(struct __sk_buff *skb, struct connection *connection, __u32 wants,
			    __u32 end, __u64 ended_ns)
{
	struct exchange exchange = {.ended_ns = ended_ns, .end = end};
	struct stream *response;

	if (!connection)
		return 0;
	response = &connection->response;
	exchange.answered_ns = response->began_ns;
	exchange.response_bytes = response->bytes;
	exchange.status = response->head.status;
	response->bytes = 0;
	response->head.status = 0;
	if (unlikely(!connection_waiting(connection)))
		return 0; /* nobody has asked for it: the next one has another */
	exchange.request = request_oldest(connection);
	if (unlikely(wants & HTTP_WANTS_ROUTES))
		exchange.route = exchange_route(skb, connection);
	exchange.number = ++connection->answered;
	exchange_count(connection, &exchange);
	if (unlikely(wants & HTTP_WANTS_RECORDS))
		exchange_tell(skb, exchange);
	return 0;
}

/* The same, as a packet shows it. */
static __always_inline void packet_end_exchange(struct packet *packet, enum http_end end,
						__u64 ended_ns)
{
	exchange_end(packet->skb, packet->connection, packet->wants, end, ended_ns);
}

static __always_inline void stream_restart(struct stream *stream)
{
	stream->head.state = HTTP_START;
	stream->head.flags &= HTTP_HEAD_REQUEST;
	stream->head.kept = 0;
	stream->head.status = 0;
	stream->bytes = 0;
}

/* Adds one to a member of the target's counts; of an early connection, that is put off. */
#define packet_count(packet, member)                                                               \
	do {                                                                                       \
		if (!(packet)->connection->early)                                                  \
			target_count((packet)->connection->target, member);                        \
	} while (0)

/*
 * Bytes were missed where a message could have begun: begins anew with the next one that is seen.
 */
static __noinline void connection_lose(struct packet *packet)
{
	struct connection *connection = packet->connection;

	stream_restart(&connection->request);
	stream_restart(&connection->response);
	connection->answered = connection->asked;
	connection->fresh = false;
	packet_count(packet, lost);
}

/* A response whose end no byte told of is over when the next request begins. */
static __noinline void end_by_next_request(struct packet *packet)
{
	struct connection *connection = packet->connection;
	struct stream *response = &connection->response;

	connection->open_ended = false;
	if (response->head.state != HTTP_CHUNKED && response->head.state != HTTP_CLOSE)
		return;
	packet_end_exchange(packet, HTTP_COMPLETE, connection->last_ns);
	stream_restart(response);
}

/* The first byte of a message. */
static __always_inline void message_begin(struct packet *packet)
{
	struct connection *connection = packet->connection;
	struct stream *stream = packet->stream;

	if (unlikely(packet->request && connection->open_ended))
		end_by_next_request(packet);
	if (unlikely(packet->request && connection_waiting(connection) &&
		     connection->set_aside != connection->asked))
		request_set_aside(connection);
	stream->began_ns = packet_time(packet);
	stream->bytes = 0;
}

/* HTTP has been recognised. */
static __noinline void connection_recognise(struct packet *packet)
{
	struct connection *connection = packet->connection;

	if (packet->request) {
		connection->counted = true;
		packet_count(packet, connections);
	} else {
		connection->response_misses = 0;
	}
}

/* The head of a request is complete. */
static __always_inline void request_began(struct packet *packet)
{
	struct connection *connection = packet->connection;

	http_finish_request(&connection->request.head);
	if (unlikely(connection_waiting(connection) >= PIPELINE)) {
		connection_lose(packet);
		return;
	}
	if (unlikely(!connection->counted))
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
		method = request_oldest_method(connection);
	http_finish_response(head, method);
	if (unlikely(!connection->counted))
		connection_recognise(packet);
	if (unlikely(head->status < 200 && head->status != 101)) {
		head->status = 0; /* the response itself is still to come */
		return;
	}
	if (unlikely(head->state == HTTP_OPAQUE || method == HTTP_METHOD_CONNECT))
		end_negotiation(connection, method);
	if (head->state == HTTP_START || head->state == HTTP_OPAQUE)
		packet_end_exchange(packet, HTTP_COMPLETE, packet_time(packet));
	else if (head->state == HTTP_CLOSE)
		connection->last_ns = packet_time(packet);
}

static __always_inline void message_end(struct packet *packet)
{
	packet->stream->head.state = HTTP_START;
	if (!packet->request)
		packet_end_exchange(packet, HTTP_COMPLETE, packet_time(packet));
}

#endif
