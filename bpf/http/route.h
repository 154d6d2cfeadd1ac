/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* The routes of requests, where somebody asked for them: of templates, and those that are found. */
#ifndef SKEP_BPF_HTTP_ROUTE_H
#define SKEP_BPF_HTTP_ROUTE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/connection.h"
#include "bpf/http/packet.h"
#include "bpf/http/target.h"
#include "bpf/lib/http_route.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/verifier.h"

#define ROUTE_PIECES 8 /* at most, of a window */

/* What is known of the requests' routes on a connection, in its socket's storage. */
struct routed {
	struct http_route route;      /* of the line that is being read */
	__u32 numbers[PIPELINE];      /* of the requests that wait, by their number, */
	__u32 first, last;	      /* from this one to that one: others were not routed */
	__u8 piece[HTTP_ROUTE_PIECE]; /* that is looked at */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct routed);
} http_routed SEC(".maps");

/* The same of an early connection (early.h), which has no socket yet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct routed);
} http_early_routed SEC(".maps");

static const struct routed nothing_routed;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_STEPS_LIMIT);
	__type(key, struct http_step_key);
	__type(value, struct http_step);
} http_steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_FOUND_LIMIT);
	__type(key, struct http_found_key);
	__type(value, struct http_found);
} http_found SEC(".maps");

static const struct http_found nothing_found;
static __u32 found_so_far;

static __always_inline const struct http_step *step_find(const struct http_route *route,
							 __u64 segment)
{
	const struct http_step_key key = {
		.segment = segment, .templates = route->templates, .node = route->node};

	return bpf_map_lookup_elem(&http_steps, &key);
}

static __always_inline void http_route_on_segment(struct http_route_look *look, __u64 hash,
						  __u8 class)
{
	struct http_route *route = look->route;
	const struct http_step *literal = NULL, *wildcard = NULL;

	if (!route->templates)
		return;
	if (route->flags & HTTP_STEP_LITERALS)
		literal = step_find(route, hash);
	if (!literal && route->flags & HTTP_STEP_WILDCARD)
		wildcard = step_find(route, HTTP_STEP_ANY);
	http_route_follow(route, literal, wildcard);
}

/* Bytes of a packet that belong to the head of a request. */
struct route_piece {
	__u32 number; /* of the request on its connection */
	__u32 at;     /* in the head */
	__u32 offset; /* in the packet */
	__u32 size;
	__u32 judged; /* the request line is one */
};

struct route_reading {
	struct __sk_buff *skb;
	struct routed *routed;
	const struct route_piece *piece;
	__u32 done; /* bytes of the piece */
	__u32 reserved;
};

/* As many bytes as are looked at in one go. Returns 1 at the end of the path or of the piece. */
static long route_read_step(__u32 step, void *context)
{
	struct route_reading *reading = context;
	struct routed *routed = reading->routed;
	const struct route_piece *piece = reading->piece;
	struct http_route_look look = {.route = &routed->route,
				       .bytes = routed->piece,
				       .line = -(piece->at + reading->done)};
	__u32 size = piece->size - reading->done;

	(void)step;
	if (size > HTTP_ROUTE_PIECE)
		size = HTTP_ROUTE_PIECE;
	if (!verifier_has_size(size, HTTP_ROUTE_PIECE) ||
	    bpf_skb_load_bytes(reading->skb, piece->offset + reading->done, routed->piece, size))
		return 1;
	look.size = size;
	bpf_loop(HTTP_ROUTE_PIECE, http_route_step, &look, 0);
	reading->done += size;
	return routed->route.phase >= HTTP_ROUTE_END;
}

/*
 * Makes a route of the path, which is in the packet from `offset` on and gives it its name. False
 * where there is no room, or another CPU was faster.
 */
static __always_inline bool found_make(struct __sk_buff *skb, const struct http_found_key *key,
				       __u32 namespace, __u32 offset, __u32 size)
{
	struct http_found *found;

	if (bpf_map_update_elem(&http_found, key, &nothing_found, BPF_NOEXIST))
		return false;
	found = bpf_map_lookup_elem(&http_found, key);
	if (!found)
		return false;
	verifier_forget(offset); /* is reckoned first: what is put aside meanwhile has no bounds */
	found->size = size;
	if (size && (!verifier_has_size(size, HTTP_FOUND_PATH_SIZE) ||
		     bpf_skb_load_bytes(skb, offset, found->path, size))) {
		bpf_map_delete_elem(&http_found, key);
		return false;
	}
	found->namespace = namespace;
	barrier();
	found->number = HTTP_ROUTE_FOUND | __sync_fetch_and_add(&found_so_far, 1);
	return true;
}

/*
 * A new route: its first path, without the query, gives it its name. It must lie in the piece that
 * is at hand; otherwise a later request will do.
 */
static __always_inline void found_add(struct __sk_buff *skb, const struct http_found_key *key,
				      const struct http_target *target,
				      const struct http_route *route,
				      const struct route_piece *piece,
				      struct http_target_counts *counts)
{
	__u32 size = route->size, offset = piece->offset + route->start - piece->at;

	if (route->start >= piece->at && size <= HTTP_FOUND_PATH_SIZE &&
	    rate_limit_take(&counts->routes_full_at, bpf_ktime_get_ns(), HTTP_FOUND_INTERVAL_NS,
			    HTTP_FOUND_BURST) &&
	    target_take(counts, target->namespace, HTTP_SHARED_FOUND, HTTP_FOUND_LIMIT) &&
	    !found_make(skb, key, target->namespace, offset, size))
		share_leave(target->namespace, HTTP_SHARED_FOUND);
}

static __always_inline __u32 found_number(struct __sk_buff *skb, const struct http_target *target,
					  const struct http_route *route,
					  const struct route_piece *piece)
{
	const struct http_found_key key = {.path = route->path, .target = target->target};
	const struct http_found *found = bpf_map_lookup_elem(&http_found, &key);
	struct http_target_counts *counts;

	if (!found) {
		counts = target_counts(target->target);
		if (counts)
			found_add(skb, &key, target, route, piece, counts);
		found = bpf_map_lookup_elem(&http_found, &key);
	}
	/* Another CPU may be about to number it. */
	return found && found->number ? found->number : HTTP_ROUTE_OTHER;
}

static __always_inline __u32 route_number(struct __sk_buff *skb, const struct http_target *target,
					  const struct http_route *route,
					  const struct route_piece *piece)
{
	if (route->phase != HTTP_ROUTE_END)
		return HTTP_ROUTE_OTHER;
	if (route->number)
		return route->number;
	if (!(target->wants & HTTP_WANTS_FOUND))
		return HTTP_ROUTE_OTHER;
	return found_number(skb, target, route, piece);
}

static __always_inline struct routed *routed_ensure(struct bpf_sock *sk)
{
	__u32 key = 0;

	if (sk->state == BPF_TCP_LISTEN)
		return bpf_map_lookup_elem(&http_early_routed, &key);
	return bpf_sk_storage_get(&http_routed, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Requests that nobody wanted to know the route of leave a gap, as a policy comes or goes. */
static __always_inline void routed_set(struct routed *routed, __u32 request, __u32 route)
{
	if (request - routed->last > 1)
		routed->first = request;
	routed->numbers[request % PIPELINE] = route;
	barrier();
	routed->last = request;
}

static __always_inline __u32 routed_find(const struct routed *routed, __u32 request)
{
	if (request - routed->first > routed->last - routed->first)
		return HTTP_ROUTE_UNASKED;
	return routed->numbers[request % PIPELINE];
}

/* Not static, so that the verifier looks at it once, and not for each place that calls it. */
__noinline int piece_route(struct __sk_buff *skb, struct route_piece *piece)
{
	const struct http_target *target = target_find();
	struct route_reading reading = {.skb = skb, .piece = piece};
	struct bpf_sock *sk = skb->sk;
	struct http_route *route;

	if (!piece || !sk)
		return 0;
	reading.routed = routed_ensure(sk);
	if (!reading.routed)
		return 0;
	route = &reading.routed->route;
	if (!piece->at)
		http_route_begin(route, target->templates, target->root);
	if (route->phase > HTTP_ROUTE_UNREAD && route->phase < HTTP_ROUTE_END)
		bpf_loop(ROUTE_PIECES, route_read_step, &reading, 0);
	if (!piece->judged || route->phase < HTTP_ROUTE_END || route->phase == HTTP_ROUTE_RESOLVED)
		return 0;
	routed_set(reading.routed, piece->number, route_number(skb, target, route, piece));
	route->phase = HTTP_ROUTE_RESOLVED;
	return 0;
}

/* The next `size` bytes of the packet belong to the head of a request. */
static __always_inline void request_route(struct packet *packet, __u32 size)
{
	const struct stream *stream = packet->stream;
	struct route_piece piece = {
		.number = packet->connection->asked,
		.at = stream->bytes,
		.offset = packet->offset,
		.size = size,
		.judged = stream->head.state == HTTP_HEADERS,
	};

	if (stream->head.state <= HTTP_HEADERS)
		piece_route(packet->skb, &piece);
}

/* The route of the oldest request that waits. */
static __always_inline __u32 exchange_route(struct __sk_buff *skb,
					    const struct connection *connection)
{
	struct bpf_sock *sk = skb->sk;
	const struct routed *routed;

	if (!sk)
		return HTTP_ROUTE_UNASKED;
	routed = bpf_sk_storage_get(&http_routed, sk, NULL, 0);
	return routed ? routed_find(routed, connection->answered) : HTTP_ROUTE_UNASKED;
}

#endif
