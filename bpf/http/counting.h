/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * What is counted of exchanges, by their kind: a kind has a place in an array of counters, and each
 * connection remembers the place of its last answer, so that most exchanges need no look at a hash.
 */
#ifndef SKEP_BPF_HTTP_COUNTING_H
#define SKEP_BPF_HTTP_COUNTING_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/connection.h"
#include "bpf/http/target.h"
#include "bpf/lib/histogram.h"
#include "bpf/lib/likely.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/verifier.h"

/* Which of the counters are a kind's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_KINDS_LIMIT);
	__type(key, struct http_kind);
	__type(value, struct http_kind_place);
} http_kinds SEC(".maps");

/* Nobody maps it into memory: it is that this makes the kernel align it to a page. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HTTP_KINDS_LIMIT);
	__type(key, __u32);
	__type(value, struct http_counters);
} http_counters SEC(".maps");

/* Counters that kinds have given back, by way of user space; all zero. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, HTTP_KINDS_LIMIT);
	__type(value, __u32);
} http_free SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_OTHERS_LIMIT);
	__type(key, struct http_kind);
	__type(value, struct http_counters);
} http_others SEC(".maps");

/* What is to be counted, and perhaps told. */
struct exchange {
	struct request request;
	__u64 answered_ns; /* the first byte of the response */
	__u64 ended_ns;
	__u32 response_bytes;
	__u32 route;
	__u32 number; /* of the request on its connection, from 1 */
	__u16 status;
	__u8 end;  /* enum http_end */
	__u8 told; /* HTTP_TOLD_... */
};

static __u32 counters_so_far; /* these have been given to a kind, once or more often */

static __always_inline bool counters_take(__u32 *ret_index)
{
	if (!bpf_map_pop_elem(&http_free, ret_index))
		return true;
	if (counters_so_far >= HTTP_KINDS_LIMIT)
		return false;
	*ret_index = __sync_fetch_and_add(&counters_so_far, 1);
	return *ret_index < HTTP_KINDS_LIMIT;
}

/* False where there are none left, or another CPU was faster. */
static __always_inline bool kind_place_take(const struct http_kind *kind, __u32 namespace)
{
	struct http_kind_place place = {.namespace = namespace};

	if (!counters_take(&place.index))
		return false;
	if (!bpf_map_update_elem(&http_kinds, kind, &place, BPF_NOEXIST))
		return true;
	bpf_map_push_elem(&http_free, &place.index, 0);
	return false;
}

/* Gives a kind counters of its own, unless too many are new, or the namespace has its share. */
static __always_inline void kind_add(const struct http_kind *kind, __u32 namespace,
				     struct http_target_counts *counts)
{
	if (rate_limit_take(&counts->kinds_full_at, bpf_ktime_get_ns(), HTTP_KIND_INTERVAL_NS,
			    HTTP_KIND_BURST) &&
	    target_take(counts, namespace, HTTP_SHARED_KINDS, HTTP_KINDS_LIMIT) &&
	    !kind_place_take(kind, namespace))
		share_leave(namespace, HTTP_SHARED_KINDS);
}

/* The place of the counters of a kind, and 1; 0 where it has none. */
static __always_inline __u32 kind_place(const struct http_kind *kind, __u32 namespace)
{
	const struct http_kind_place *place = bpf_map_lookup_elem(&http_kinds, kind);
	struct http_target_counts *counts;

	if (place)
		return place->index + 1;
	counts = target_counts(kind->target);
	if (!counts)
		return 0;
	kind_add(kind, namespace, counts);
	place = bpf_map_lookup_elem(&http_kinds, kind);
	return place ? place->index + 1 : 0;
}

/* The same of an exchange's kind. Not static, so that the verifier looks at it once. */
__noinline __u32 kind_find(const struct connection *connection, const struct exchange *exchange)
{
	struct http_kind kind;

	if (!connection || !exchange)
		return 0;
	kind = (struct http_kind){
		.target = connection->target,
		.port = connection->port,
		.role = connection->role,
		.method = exchange->request.method,
		.status = exchange->status,
		.route = exchange->route,
	};
	__builtin_memcpy(kind.address, connection->address, sizeof(kind.address));
	return kind_place(&kind, connection->namespace);
}

/* What tells the kinds of exchanges on one connection apart, in one number. */
static __always_inline __u64 exchange_label(const struct exchange *exchange)
{
	return exchange->route | (__u64)exchange->status << 32 |
	       (__u64)exchange->request.method << 48;
}

/* The compiler keeps an exchange in registers as long as nobody is told where it is. */
static __always_inline void answer_renew(struct answer *answer, const struct connection *connection,
					 const struct exchange *exchange)
{
	const struct exchange copy = *exchange;

	answer->index = kind_find(connection, &copy);
	answer->label = exchange_label(exchange);
}

static __always_inline __u32 answer_find(struct connection *connection,
					 const struct exchange *exchange)
{
	struct answer *answer = &connection->answer;

	if (unlikely(answer->label != exchange_label(exchange) ||
		     exchange->ended_ns - answer->used_ns > HTTP_ANSWER_HOLDS_NS))
		answer_renew(answer, connection, exchange);
	answer->used_ns = exchange->ended_ns;
	return answer->index;
}

static __noinline struct http_counters *others_find(const struct connection *connection)
{
	const struct http_kind others = {.target = connection->target, .role = connection->role};

	return bpf_map_lookup_elem(&http_others, &others);
}

static __always_inline struct http_counters *counters_find(struct connection *connection,
							   const struct exchange *exchange)
{
	__u32 index = answer_find(connection, exchange);

	if (unlikely(!index))
		return others_find(connection);
	index--;
	return bpf_map_lookup_elem(&http_counters, &index);
}

/* A division of 64 bits takes longer than all the rest of counting: (2^38 / 1000 + 1) >> 38. */
static __always_inline __u32 microseconds(__u64 ns)
{
	__u64 us = unlikely(ns >> 32) ? ns / 1000 : ns * 274877907 >> 38;

	return us < 0xffffffff ? us : 0xffffffff;
}

static __always_inline __u64 ns_between(__u64 from_ns, __u64 to_ns)
{
	__s64 ns = to_ns - from_ns;

	return likely(ns >= 0) ? ns : 0;
}

/* Not static: the verifier looks at its many ways once, and forgets them at each call. */
__noinline int slot_of(__u32 us)
{
	return histogram_slot(us, HTTP_FIRST_BOUND, HTTP_SLOTS);
}

static __always_inline void observe(__u32 *slots, __u64 *sum, __u32 us)
{
	__u32 slot = slot_of(us);

	verifier_forget(slot);
	if (slot >= HTTP_SLOTS)
		return;
	__sync_fetch_and_add(&slots[slot], 1);
	count(sum, us);
}

/* A response that came in one packet, after up to 32 ms. */
static __always_inline void observe_quick(struct http_counters *counters, __u32 us)
{
	__u32 slot = histogram_near_slot(us, HTTP_FIRST_BOUND);

	verifier_forget(slot);
	if (slot < HTTP_QUICK_SLOTS)
		count(&counters->quick[slot], 1ULL << HTTP_QUICK_COUNT | us);
}

static __always_inline void exchange_observe(struct http_counters *counters,
					     const struct exchange *exchange)
{
	__u64 began_ns = exchange->request.began_ns;
	__u32 duration = microseconds(ns_between(began_ns, exchange->ended_ns));

	if (likely(exchange->status && exchange->answered_ns == exchange->ended_ns &&
		   duration <= HTTP_QUICK_US)) {
		observe_quick(counters, duration);
		return;
	}
	observe(counters->duration, &counters->duration_sum, duration);
	if (exchange->status)
		observe(counters->wait, &counters->wait_sum,
			microseconds(ns_between(began_ns, exchange->answered_ns)));
}

static __always_inline void exchange_count_bytes(struct http_counters *counters,
						 const struct exchange *exchange)
{
	__u64 request = exchange->request.bytes, response = exchange->response_bytes;

	if ((request | response) < HTTP_SMALL) {
		count(&counters->small_bytes, request | response << HTTP_SMALL_RESPONSE);
		return;
	}
	count(&counters->request_bytes, request);
	count(&counters->response_bytes, response);
}

static __always_inline void exchange_count(struct connection *connection,
					   const struct exchange *exchange)
{
	struct http_counters *counters = counters_find(connection, exchange);

	if (unlikely(!counters))
		return;
	exchange_count_bytes(counters, exchange);
	exchange_observe(counters, exchange);
	if (unlikely(exchange->end == HTTP_ABORTED_BY_CLIENT))
		__sync_fetch_and_add(&counters->aborted_by_client, 1);
	else if (unlikely(exchange->end == HTTP_ABORTED_BY_SERVER))
		__sync_fetch_and_add(&counters->aborted_by_server, 1);
}

#endif
