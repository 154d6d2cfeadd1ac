/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Requests that somebody asked to see one by one: which ones, and what is told of them. */
#ifndef SKEP_BPF_HTTP_RECORD_H
#define SKEP_BPF_HTTP_RECORD_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/connection.h"
#include "bpf/http/counting.h"
#include "bpf/http/packet.h"
#include "bpf/http/target.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/verifier.h"

/* Of so many requests that wait on one connection, the heads' beginnings are kept. */
#define HEADS 4

struct kept_request {
	__u32 number; /* on its connection, from 1 */
	__u32 sequence;
};

struct kept_head {
	__u32 number;
	__u32 size;
};

/* What is kept of requests until they are told, in the socket's storage. */
struct kept {
	struct kept_request requests[PIPELINE];
	struct kept_head heads[HEADS];
	/* Room for one more behind: the verifier adds the largest place and the largest size. */
	__u8 bytes[(HEADS + 1) * HTTP_HEAD_KEPT];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kept);
} http_kept SEC(".maps");

/* The same of an early connection (early.h), which has no socket yet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} http_early_kept SEC(".maps");

static const struct kept nothing_kept;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, HTTP_RING_SIZE);
} http_records SEC(".maps");

/* A piece of a request's head. */
struct kept_piece {
	__u32 number;
	__u32 sequence; /* of the request's first byte; of the first piece only */
	__u32 at;	/* in the head */
	__u32 offset;	/* in the packet */
	__u32 size;	/* 0: nothing is to be kept */
};

static __always_inline void kept_begin(struct kept *kept, const struct kept_piece *piece)
{
	struct kept_request *request = &kept->requests[piece->number % PIPELINE];

	request->number = piece->number;
	barrier(); /* see kept_is() */
	request->sequence = piece->sequence;
}

/* Appends a piece to the bytes of its head, as far as there is room. */
static __always_inline void kept_append(struct kept *kept, struct __sk_buff *skb,
					const struct kept_piece *piece)
{
	__u32 place = piece->number % HEADS, at = piece->at, size = piece->size;
	struct kept_head *head = &kept->heads[place];

	if (!at) {
		head->number = piece->number;
		barrier(); /* see kept_is() */
		head->size = 0;
	}
	verifier_forget(at);
	if (at >= HTTP_HEAD_KEPT || at != head->size || head->number != piece->number)
		return;
	if (size > HTTP_HEAD_KEPT - at)
		size = HTTP_HEAD_KEPT - at;
	if (!verifier_has_size(size, HTTP_HEAD_KEPT))
		return;
	if (!bpf_skb_load_bytes(skb, piece->offset, kept->bytes + place * HTTP_HEAD_KEPT + at,
				size))
		head->size = at + size;
}

static __always_inline struct kept *kept_ensure(struct bpf_sock *sk)
{
	__u32 key = 0;

	if (sk->state == BPF_TCP_LISTEN)
		return bpf_map_lookup_elem(&http_early_kept, &key);
	return bpf_sk_storage_get(&http_kept, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Not static, so that the verifier looks at it once, and not for each place that calls it. */
__noinline int piece_keep(struct __sk_buff *skb, struct kept_piece *piece)
{
	struct bpf_sock *sk = skb->sk;
	struct kept *kept;

	if (!piece || !sk)
		return 0;
	kept = kept_ensure(sk);
	if (!kept)
		return 0;
	if (!piece->at)
		kept_begin(kept, piece);
	if (piece->size)
		kept_append(kept, skb, piece);
	return 0;
}

/*
 * The next `size` bytes of the packet belong to the head of a request. How it will end is not known
 * yet, so all are kept, unless only samples are wanted.
 */
static __always_inline void request_keep(struct packet *packet, __u32 size)
{
	const struct stream *stream = packet->stream;
	const struct http_target *target = target_find();
	struct connection *connection = packet->connection;
	struct kept_piece piece = {
		.number = connection->asked + 1,
		.sequence = stream->next - packet->size,
		.at = stream->bytes,
		.offset = packet->offset,
		.size = size,
	};

	if (stream->head.state > HTTP_HEADERS)
		return;
	if (!piece.at)
		connection->marks = http_sample_hash(piece.sequence) < target->sample_below
					    ? REQUEST_SAMPLED
					    : 0;
	if (!(target->wants & (HTTP_WANTS_SLOW | HTTP_WANTS_STATUS)) && !connection->marks)
		return;
	if (!(target->wants & HTTP_WANTS_HEADS) || connection_waiting(connection) >= HEADS)
		piece.size = 0;
	piece_keep(packet->skb, &piece);
}

static __always_inline bool target_reports(const struct http_target *target, __u16 status)
{
	__u32 bit = status - 100;

	return bit < HTTP_TARGET_STATUSES && target->report[bit / 64] >> (bit % 64) & 1;
}

static __always_inline __u32 reasons_of(const struct http_target *target,
					const struct exchange *exchange)
{
	__u32 reasons = 0;

	if (target->wants & HTTP_WANTS_SLOW &&
	    ns_between(exchange->request.began_ns, exchange->ended_ns) >= target->slow_ns)
		reasons |= HTTP_TOLD_SLOW;
	if (target->wants & HTTP_WANTS_STATUS && target_reports(target, exchange->status))
		reasons |= HTTP_TOLD_STATUS;
	if (target->wants & HTTP_WANTS_SAMPLES && exchange->request.marks & REQUEST_SAMPLED)
		reasons |= HTTP_TOLD_SAMPLED;
	return reasons;
}

/*
 * Whether a place is the request's, of which `number` says whose it is. Another request may take it
 * on another CPU meanwhile: what was read of it holds if it is so before and afterwards.
 */
static __always_inline bool kept_is(const __u32 *number, __u32 wanted)
{
	bool is;

	barrier();
	is = *(const volatile __u32 *)number == wanted;
	barrier();
	return is;
}

static __always_inline void record_add_sequence(struct http_record *record,
						const struct kept_request *request, __u32 number)
{
	if (!kept_is(&request->number, number))
		return;
	record->sequence = request->sequence;
	if (kept_is(&request->number, number))
		record->flags |= HTTP_RECORD_HAS_SEQUENCE;
}

static __always_inline void record_add_head(struct http_record *record, const struct kept *kept,
					    __u32 number)
{
	const struct kept_head *head = &kept->heads[number % HEADS];
	__u32 size;

	if (!kept_is(&head->number, number))
		return;
	size = head->size;
	__builtin_memcpy(record->head, kept->bytes + number % HEADS * HTTP_HEAD_KEPT,
			 HTTP_HEAD_KEPT);
	if (!kept_is(&head->number, number) || size > HTTP_HEAD_KEPT)
		return;
	record->head_size = size;
	record->flags |= HTTP_RECORD_HAS_HEAD;
}

static __always_inline void record_fill(struct http_record *record,
					const struct connection *connection,
					const struct exchange *exchange)
{
	__u64 began_ns = exchange->request.began_ns;

	record->time = began_ns;
	record->duration = ns_between(began_ns, exchange->ended_ns);
	record->wait = exchange->status ? ns_between(began_ns, exchange->answered_ns) : 0;
	record->target = connection->target;
	record->sequence = 0;
	record->request_bytes = exchange->request.bytes;
	record->response_bytes = exchange->response_bytes;
	__builtin_memcpy(record->address, connection->address, sizeof(record->address));
	record->port = connection->port;
	record->status = exchange->status;
	record->head_size = 0;
	record->role = connection->role;
	record->method = exchange->request.method;
	record->end = exchange->end;
	record->told = exchange->told;
	record->flags = 0;
	record->route = exchange->route;
	record->reserved = 0;
}

/* Wakes the reader only when the ring is half full: a wake-up costs more than all the rest. */
static __always_inline __u64 record_wake_up(void)
{
	__u64 waiting = bpf_ringbuf_query(&http_records, BPF_RB_AVAIL_DATA);

	return waiting > HTTP_RING_SIZE / 2 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline bool record_submit(struct __sk_buff *skb, struct bpf_sock *sk,
					  const struct http_target *target,
					  struct http_target_counts *counts,
					  const struct exchange *exchange)
{
	const struct connection *connection = bpf_sk_storage_get(&http_connections, sk, NULL, 0);
	const struct kept *kept = bpf_sk_storage_get(&http_kept, sk, NULL, 0);
	struct http_record *record;

	if (!connection)
		return false;

	record = bpf_ringbuf_reserve(&http_records, sizeof(*record), 0);
	if (!record)
		return false;
	record_fill(record, connection, exchange);
	record->container = bpf_skb_ancestor_cgroup_id(skb, target->level + 1);
	record->peer_port = bpf_ntohs(sk->dst_port);
	if (kept) {
		record_add_sequence(record, &kept->requests[exchange->number % PIPELINE],
				    exchange->number);
		record_add_head(record, kept, exchange->number);
	}
	if (target->wants & HTTP_WANTS_HEADS && !(record->flags & HTTP_RECORD_HAS_HEAD))
		count(&counts->headless, 1);
	bpf_ringbuf_submit(record, record_wake_up());
	return true;
}

__noinline int exchange_hand_on(struct __sk_buff *skb, struct exchange *exchange)
{
	const struct http_target *target = target_find();
	struct http_target_counts *counts = target_counts(target->target);
	struct bpf_sock *sk = skb->sk;

	if (!exchange || !counts || !sk)
		return 0;
	count(&counts->records, 1);
	if (!rate_limit_take(&counts->records_full_at, bpf_ktime_get_ns(), HTTP_RECORD_INTERVAL_NS,
			     HTTP_RECORD_BURST))
		count(&counts->rate_limited, 1);
	else if (!record_submit(skb, sk, target, counts, exchange))
		count(&counts->ring_full, 1);
	return 0;
}

/* Tells of an exchange that has ended, if that is wanted. */
static __always_inline void exchange_tell(struct __sk_buff *skb, struct exchange exchange)
{
	exchange.told = reasons_of(target_find(), &exchange);
	if (exchange.told)
		exchange_hand_on(skb, &exchange);
}

#endif
