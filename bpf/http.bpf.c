// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Counts HTTP/1 exchanges of the cgroups that the programs are attached to, from their packets.
 * Reads only: every program lets every packet pass.
 *
 * Of each connection it knows where the next message starts in either direction, by sequence
 * numbers, so that bodies are stepped over unread. Heads are read through a window (http_head.h); a
 * request waits in a short queue for its response, and the pair is counted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/lib/histogram.h"
#include "bpf/lib/http_head.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/tcp_segment.h"
#include "bpf/lib/tcp_sock.h"
#include "bpf/lib/verifier.h"

#define PASS 1

#define AF_INET 2

#define PIPELINE 16  /* requests that wait for their responses on one connection */
#define MESSAGES 256 /* pieces of messages told apart in one packet */
#define MISSES	 200 /* pieces that cannot be the start of a message before it is no HTTP */

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

/* A program may be interrupted on its CPU by one that needs a window too. */
#define WINDOWS 4

struct windows {
	__u32 depth;
	__u32 reserved;
	struct http_window windows[WINDOWS];
};

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct http_target);
} http_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} http_connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_KINDS_LIMIT);
	__type(key, struct http_kind);
	__type(value, struct http_counters);
} http_kinds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_OTHERS_LIMIT);
	__type(key, struct http_kind);
	__type(value, struct http_counters);
} http_others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct windows);
} http_windows SEC(".maps");

static const struct http_counters zero;

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/* What is counted. */

static __always_inline void observe(__u64 *slots, __u64 *sum, __u64 ns)
{
	__u64 us = ns / 1000;
	__u32 value = us < 0xffffffff ? us : 0xffffffff;
	__u32 slot = histogram_slot(value, HTTP_FIRST_BOUND, HTTP_SLOTS);

	verifier_forget(slot); /* it does not follow the arithmetic: bound the result itself */
	if (slot >= HTTP_SLOTS)
		return;
	count(&slots[slot], 1);
	count(sum, us);
}

static __always_inline struct http_counters *kind_ensure(const struct http_kind *kind,
							 struct http_target *target, __u64 now)
{
	struct http_kind others = {.target = kind->target, .role = kind->role};
	struct http_counters *counters = bpf_map_lookup_elem(&http_kinds, kind);

	if (counters)
		return counters;
	if (rate_limit_take(&target->kinds_full_at, now, HTTP_KIND_INTERVAL_NS, HTTP_KIND_BURST))
		bpf_map_update_elem(&http_kinds, kind, &zero, BPF_NOEXIST);
	counters = bpf_map_lookup_elem(&http_kinds, kind);
	return counters ? counters : bpf_map_lookup_elem(&http_others, &others);
}

enum end { END_COMPLETE, END_BY_CLIENT, END_BY_SERVER };

/* What is to be counted. */
struct exchange {
	struct http_kind kind;
	__u64 now;
	__u64 duration; /* ns */
	__u64 wait;
	__u32 request_bytes;
	__u32 response_bytes;
	__u32 end; /* enum end */
	__u32 reserved;
};

/* Not static, so that the verifier looks at it once, and not for each place that calls it. */
__noinline int exchange_count(struct exchange *exchange)
{
	struct http_target *target = bpf_get_local_storage(&http_targets, 0);
	struct http_counters *counters;

	if (!exchange)
		return 0;
	counters = kind_ensure(&exchange->kind, target, exchange->now);
	if (!counters)
		return 0;
	count(&counters->request_bytes, exchange->request_bytes);
	count(&counters->response_bytes, exchange->response_bytes);
	observe(counters->duration, &counters->duration_sum, exchange->duration);
	if (exchange->kind.status)
		observe(counters->wait, &counters->wait_sum, exchange->wait);
	if (exchange->end == END_BY_CLIENT)
		count(&counters->aborted_by_client, 1);
	else if (exchange->end == END_BY_SERVER)
		count(&counters->aborted_by_server, 1);
	return 0;
}

/* A packet on its way through a program. */
struct packet {
	struct __sk_buff *skb;
	struct bpf_sock *sk;
	struct connection *connection;
	struct http_target *target;
	__u64 now;    /* 0: not read yet */
	__u32 offset; /* of the payload that is still to be looked at */
	__u32 size;
	__u8 flags;
	bool sent;
};

static __always_inline __u64 packet_time(struct packet *packet)
{
	if (!packet->now)
		packet->now = bpf_ktime_get_ns();
	return packet->now;
}

/* How many requests wait for the end of their responses. */
static __always_inline __u32 connection_waiting(const struct connection *connection)
{
	return connection->asked - connection->answered;
}

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

/* Streams: what a piece of payload is. */

static __always_inline bool packet_is_request(const struct packet *packet)
{
	return packet->sent == (packet->connection->role == HTTP_CLIENT);
}

static __always_inline struct stream *packet_stream(struct packet *packet)
{
	return packet_is_request(packet) ? &packet->connection->request
					 : &packet->connection->response;
}

/* The payload up to here has been looked at. */
static __always_inline void packet_skip(struct packet *packet, struct stream *stream, __u32 size)
{
	struct connection *connection = packet->connection;

	packet->offset += size;
	packet->size -= size;
	stream->bytes += size;
	if (packet_is_request(packet) && connection_waiting(connection) &&
	    stream->head.state > HTTP_HEADERS)
		connection->queue[(connection->asked - 1) % PIPELINE].bytes += size;
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

/*
 * What does not begin like a message may be the middle of one, unless nothing has passed before it.
 */
static __always_inline void stream_miss(struct packet *packet, struct stream *stream)
{
	struct connection *connection = packet->connection;

	stream_restart(stream);
	if (connection->counted || (!connection->fresh && ++stream->misses < MISSES))
		return;
	connection->request.head.state = HTTP_OPAQUE;
	connection->response.head.state = HTTP_OPAQUE;
	connection->counted = true;
	count(&packet->target->opaque, 1);
}

static __always_inline void stream_load(struct packet *packet, struct http_head *head,
					struct http_window *window)
{
	__u32 kept = head->kept, size;

	if (kept >= HTTP_LINE_KEPT)
		kept = 0;
	__builtin_memcpy(window->bytes, head->line, HTTP_LINE_KEPT);
	size = packet->size;
	if (size > HTTP_WINDOW - HTTP_LINE_KEPT)
		size = HTTP_WINDOW - HTTP_LINE_KEPT;
	window->size = kept;
	verifier_forget(size);
	if (size == 0 || size > HTTP_WINDOW - HTTP_LINE_KEPT)
		return;
	if (!bpf_skb_load_bytes(packet->skb, packet->offset, window->bytes + kept, size))
		window->size = kept + size;
}

static __always_inline void message_end(struct packet *packet, struct stream *stream)
{
	stream->head.state = HTTP_START;
	if (!packet_is_request(packet))
		exchange_end(packet, END_COMPLETE, packet_time(packet));
}

/* The lines of a head, or before or behind a chunk, have ended. */
static __always_inline void stream_end_lines(struct packet *packet, struct stream *stream)
{
	if (stream->head.state == HTTP_TRAILERS)
		message_end(packet, stream);
	else if (stream->head.state != HTTP_HEADERS)
		return;
	else if (packet_is_request(packet))
		request_began(packet, stream);
	else
		response_began(packet, stream);
}

static __always_inline void stream_read_head(struct packet *packet, struct stream *stream,
					     struct http_window *window)
{
	__u32 kept = stream->head.kept, used;
	bool request = packet_is_request(packet);

	if (stream->head.state == HTTP_START && !kept) {
		if (request)
			end_by_next_request(packet);
		stream->began_ns = packet_time(packet);
		stream->bytes = 0;
	}
	if (request)
		stream->head.flags |= HTTP_HEAD_REQUEST;
	stream_load(packet, &stream->head, window);
	if (window->size <= kept) { /* cannot be read */
		packet->size = 0;
		return;
	}
	http_look(&stream->head, window);
	used = (window->done ? window->done : window->size) - kept;
	if (stream->head.state == HTTP_OPAQUE) {
		stream_miss(packet, stream);
		packet->size = 0;
		return;
	}
	packet_skip(packet, stream, used);
	if (window->done)
		stream_end_lines(packet, stream);
}

static __always_inline void stream_read(struct packet *packet, struct stream *stream)
{
	__u32 key = 0, depth;
	struct windows *windows = bpf_map_lookup_elem(&http_windows, &key);

	if (!windows)
		return;
	depth = windows->depth++;
	verifier_forget(depth);
	if (depth < WINDOWS)
		stream_read_head(packet, stream, &windows->windows[depth]);
	else
		packet->size = 0;
	windows->depth--;
}

static __always_inline void body_end(struct packet *packet, struct stream *stream)
{
	if (stream->head.state == HTTP_CHUNK)
		stream->head.state = HTTP_CHUNK_SIZE;
	else
		message_end(packet, stream);
}

static __always_inline void stream_skip_body(struct packet *packet, struct stream *stream)
{
	__u64 size = stream->head.body < packet->size ? stream->head.body : packet->size;

	stream->head.body -= size;
	packet_skip(packet, stream, size);
	if (!stream->head.body)
		body_end(packet, stream);
}

/* The last chunk is empty. Where chunks begin is not known: only the end of a packet is looked at.
 */
#define LAST_CHUNK_SIZE 5 /* "0\r\n\r\n" */

static __always_inline bool packet_ends_chunks(struct packet *packet)
{
	__u64 end = 0;

	if (packet->size < LAST_CHUNK_SIZE ||
	    bpf_skb_load_bytes(packet->skb, packet->offset + packet->size - LAST_CHUNK_SIZE, &end,
			       LAST_CHUNK_SIZE))
		return false;
	return end == HTTP_WORD('0', '\r', '\n', '\r', '\n', 0, 0, 0);
}

static __always_inline void stream_skip_chunks(struct packet *packet, struct stream *stream)
{
	bool end = packet_ends_chunks(packet);

	stream->last_ns = packet_time(packet);
	packet_skip(packet, stream, packet->size);
	if (end)
		message_end(packet, stream);
}

/* One piece of a packet: a head or a part of one, a body or a part of one. */
static long packet_step(__u32 step, void *context)
{
	struct packet *packet = context;
	struct stream *stream = packet_stream(packet);

	(void)step;
	if (!packet->size)
		return 1;
	switch (stream->head.state) {
	case HTTP_START:
	case HTTP_HEADERS:
	case HTTP_CHUNK_SIZE:
	case HTTP_TRAILERS:
		stream_read(packet, stream);
		return 0;
	case HTTP_BODY:
	case HTTP_CHUNK:
		stream_skip_body(packet, stream);
		return 0;
	case HTTP_CHUNKED:
	case HTTP_CLOSE:
		stream_skip_chunks(packet, stream);
		return 1;
	default:
		return 1;
	}
}

/* More pieces than are told apart in one packet. */
static __always_inline void packet_give_up(struct packet *packet, struct stream *stream)
{
	if (stream->head.state >= HTTP_CHUNKED)
		return;
	if (stream->head.state <= HTTP_HEADERS || stream->head.state == HTTP_BODY) {
		connection_lose(packet);
		return;
	}
	stream->head.state = HTTP_CHUNKED;
	stream->head.kept = 0;
	stream_skip_chunks(packet, stream);
}

/*
 * Will the bytes before the packet never come? The kernel sends in order; of what it receives, it
 * has what lies before rcv_nxt.
 */
static __always_inline bool packet_is_past_loss(const struct packet *packet,
						const struct stream *stream)
{
	const struct tcp_sock *tcp;

	if (packet->sent)
		return true;
	tcp = bpf_skc_to_tcp_sock(packet->sk);
	return tcp && (__s32)(tcp->rcv_nxt - stream->next) > 0;
}

/*
 * Bytes before the packet are missing: they come later, or never. Within a body that does not
 * matter; otherwise those that come later are waited for. True when the packet can be looked at.
 */
static __always_inline bool packet_jump(struct packet *packet, struct stream *stream, __u32 missing)
{
	__u8 state = stream->head.state;

	if (state >= HTTP_CHUNKED)
		return true;
	if ((state == HTTP_BODY || state == HTTP_CHUNK) && stream->head.body >= missing) {
		stream->head.body -= missing;
		stream->bytes += missing;
		if (!stream->head.body)
			body_end(packet, stream);
		return true;
	}
	if (state > HTTP_HEADERS && state != HTTP_BODY) {
		stream->head.state = HTTP_CHUNKED;
		stream->head.kept = 0;
		return true;
	}
	if (!packet_is_past_loss(packet, stream))
		return false;
	connection_lose(packet);
	return true;
}

/*
 * Leaves of the packet what has not been seen: false when that is nothing, as in a packet that is
 * sent again.
 */
static __always_inline bool packet_sync(struct packet *packet, struct stream *stream,
					__u32 sequence)
{
	__s32 ahead = sequence - stream->next;
	__u32 end = sequence + packet->size;

	if (ahead < 0) {
		if ((__u32)-ahead >= packet->size)
			return false;
		packet->offset += -ahead;
		packet->size -= -ahead;
	} else if (ahead > 0 && !packet_jump(packet, stream, ahead)) {
		return false;
	}
	stream->next = end;
	return true;
}

static long abort_step(__u32 step, void *context)
{
	struct packet *packet = context;
	bool by_client = packet_is_request(packet) || packet->connection->client_ended;

	(void)step;
	if (!connection_waiting(packet->connection))
		return 1;
	exchange_end(packet, by_client ? END_BY_CLIENT : END_BY_SERVER, packet_time(packet));
	return 0;
}

/* A client that has closed its socket reads no more; one that only sends no more still may. */
#define RCV_SHUTDOWN 1

static __always_inline bool packet_closes(const struct packet *packet)
{
	struct tcp_sock *tcp;

	if (packet->flags & SEGMENT_RST)
		return true;
	tcp = packet->sent ? bpf_skc_to_tcp_sock(packet->sk) : NULL;
	return tcp && tcp->inet_conn.icsk_inet.sk.sk_shutdown & RCV_SHUTDOWN;
}

/* A server's FIN ends a response that has no other end; any other request is given up. */
static __always_inline void packet_end(struct packet *packet)
{
	struct connection *connection = packet->connection;

	if (packet_is_request(packet)) {
		connection->client_ended = true;
		if (!packet_closes(packet))
			return;
	} else if (connection->response.head.state == HTTP_CLOSE &&
		   !(packet->flags & SEGMENT_RST)) {
		exchange_end(packet, END_COMPLETE, packet_time(packet));
		stream_restart(&connection->response);
	}
	bpf_loop(PIPELINE, abort_step, packet, 0);
}

static __always_inline void connection_set_address(struct connection *connection,
						   const struct tcp_sock *tcp)
{
	const struct sock_common *common = &tcp->inet_conn.icsk_inet.sk.__sk_common;
	__u32 *words = (__u32 *)connection->address;

	if (common->skc_family == AF_INET) {
		words[0] = 0;
		words[1] = 0;
		words[2] = bpf_htonl(0xffff);
		words[3] = common->skc_daddr;
	} else {
		words[0] = common->skc_v6_daddr.in6_u.u6_addr32[0];
		words[1] = common->skc_v6_daddr.in6_u.u6_addr32[1];
		words[2] = common->skc_v6_daddr.in6_u.u6_addr32[2];
		words[3] = common->skc_v6_daddr.in6_u.u6_addr32[3];
	}
}

/* Where both streams are as the first packet passes, and what can be told from that. */
static __always_inline void connection_begin(struct connection *connection,
					     const struct packet *packet,
					     const struct tcp_segment *segment,
					     const struct tcp_sock *tcp)
{
	__u32 sent = packet->sent ? segment->sequence : tcp->snd_nxt;

	connection->fresh = tcp->bytes_received == 0 &&
			    tcp->bytes_sent <= (packet->sent ? segment->payload : 0);
	/* The client speaks first; what was accepted has inherited its listener's backlog. */
	if (connection->fresh)
		connection->role = packet->sent ? HTTP_CLIENT : HTTP_SERVER;
	else
		connection->role =
			tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog ? HTTP_SERVER : HTTP_CLIENT;
	connection->request.next = connection->role == HTTP_CLIENT ? sent : tcp->rcv_nxt;
	connection->response.next = connection->role == HTTP_CLIENT ? tcp->rcv_nxt : sent;
}

static __always_inline struct connection *connection_ensure(struct packet *packet,
							    const struct tcp_segment *segment)
{
	struct connection *connection;
	struct bpf_sock *sk = packet->sk;
	struct tcp_sock *tcp;

	connection = bpf_sk_storage_get(&http_connections, sk, NULL, 0);
	if (connection && connection->target >= packet->target->target)
		return connection->target == packet->target->target ? connection : NULL;
	if (!segment->payload ||
	    (sk->state != BPF_TCP_ESTABLISHED && sk->state != BPF_TCP_CLOSE_WAIT))
		return NULL;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return NULL;
	if (connection) /* of a target that has gone */
		bpf_sk_storage_delete(&http_connections, sk);
	connection = bpf_sk_storage_get(&http_connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection)
		return NULL;
	connection_begin(connection, packet, segment, tcp);
	connection->port = connection->role == HTTP_SERVER ? sk->src_port : bpf_ntohs(sk->dst_port);
	connection_set_address(connection, tcp);
	connection->target = packet->target->target;
	return connection;
}

static __always_inline void packet_read(struct packet *packet, __u32 sequence)
{
	struct stream *stream = packet_stream(packet);

	if (stream->head.state == HTTP_OPAQUE || !packet_sync(packet, stream, sequence))
		return;
	if (stream->head.state == HTTP_BODY && stream->head.body > packet->size) {
		stream_skip_body(packet, stream);
		return;
	}
	bpf_loop(MESSAGES, packet_step, packet, 0);
	if (packet->size)
		packet_give_up(packet, stream);
}

static __noinline int packet_take(struct __sk_buff *skb, bool sent)
{
	struct http_target *target = bpf_get_local_storage(&http_targets, 0);
	struct packet packet = {.skb = skb, .target = target, .sent = sent, .sk = skb->sk};
	struct tcp_segment segment;

	if (!packet.sk || !target->target || !tcp_segment_parse(skb, &segment))
		return PASS;
	if (!segment.payload && !(segment.flags & (SEGMENT_FIN | SEGMENT_RST)))
		return PASS;
	packet.connection = connection_ensure(&packet, &segment);
	if (!packet.connection)
		return PASS;
	packet.flags = segment.flags;
	packet.offset = skb->len - segment.payload;
	packet.size = segment.payload;
	if (packet.size)
		packet_read(&packet, segment.sequence);
	if (segment.flags & (SEGMENT_FIN | SEGMENT_RST))
		packet_end(&packet);
	return PASS;
}

SEC("cgroup_skb/ingress")
int http_received(struct __sk_buff *skb)
{
	return packet_take(skb, false);
}

SEC("cgroup_skb/egress")
int http_sent(struct __sk_buff *skb)
{
	return packet_take(skb, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
