/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* Edges of targets: who is at the other end, at which port, and what is counted of it. */
#ifndef SKEP_BPF_TCP_EDGE_H
#define SKEP_BPF_TCP_EDGE_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/rate_limit.h"
#include "bpf/lib/share_take.h"
#include "bpf/tcp.h"
#include "bpf/tcp/connection.h"

#define AF_INET	 2
#define AF_INET6 10

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TCP_EDGES_LIMIT);
	__type(key, struct tcp_edge_key);
	__type(value, struct tcp_counters);
} tcp_edges SEC(".maps");

/* What is beyond the limits, two for each target; apart, so that edges cannot take their room. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TCP_OTHERS_LIMIT);
	__type(key, struct tcp_edge_key);
	__type(value, struct tcp_counters);
} tcp_others SEC(".maps");

/* A new edge: too large for the stack. */
static const struct tcp_counters zero;

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/* Where there is no such edge, the key becomes that of the others. */
static __always_inline struct tcp_counters *edge_find(struct tcp_edge_key *key)
{
	struct tcp_counters *edge = bpf_map_lookup_elem(&tcp_edges, key);

	if (edge)
		return edge;
	*key = (struct tcp_edge_key){.target = key->target, .role = key->role};
	return bpf_map_lookup_elem(&tcp_others, key);
}

/* False where there is no room, or another CPU was faster. */
static __always_inline bool edge_make(const struct tcp_edge_key *key, __u32 namespace)
{
	struct tcp_counters *edge;

	if (bpf_map_update_elem(&tcp_edges, key, &zero, BPF_NOEXIST))
		return false;
	edge = bpf_map_lookup_elem(&tcp_edges, key);
	if (edge)
		edge->namespace = namespace;
	return true;
}

/*
 * Not static, so that the verifier looks at it once, and not for each place that calls it. Up to
 * kernel 6.1 it takes no key that a caller hands over, so maps are asked with a copy.
 */
__noinline int edge_add(const struct tcp_edge_key *edge, struct tcp_target *target)
{
	struct tcp_edge_key key;

	if (!edge || !target ||
	    !rate_limit_take(&target->edges_full_at, bpf_ktime_get_ns(), TCP_EDGE_INTERVAL_NS,
			     TCP_EDGE_BURST))
		return 0;
	key = *edge;
	if (!share_take(target->namespace, TCP_SHARED_EDGES, TCP_EDGES_LIMIT))
		count(&target->beyond_share, 1);
	else if (!edge_make(&key, target->namespace))
		share_leave(target->namespace, TCP_SHARED_EDGES);
	return 0;
}

/*
 * Makes the edge if it is new and the target may know another one; otherwise as edge_find(). A
 * connection of the others stays with them: their key stands for rows of tcp_others alone.
 */
static __always_inline struct tcp_counters *edge_ensure(struct tcp_edge_key *key,
							struct tcp_target *target)
{
	struct tcp_counters *edge = bpf_map_lookup_elem(&tcp_edges, key);

	if (edge)
		return edge;
	if (key->port)
		edge_add(key, target);
	return edge_find(key);
}

static __always_inline void key_set_ipv4(struct tcp_edge_key *key, __u32 address)
{
	__u32 *words = (__u32 *)key->address;

	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

static __always_inline void key_of_connection(struct tcp_edge_key *key,
					      const struct connection *connection)
{
	*key = (struct tcp_edge_key){
		.target = connection->target,
		.port = connection->port,
		.role = connection->role,
	};
}

/* Takes a socket in whichever form a program has it. The others have no address. */
#define key_set_address(key, family, ip4, ip6)                                                     \
	do {                                                                                       \
		__u32 *words = (__u32 *)(key)->address;                                            \
                                                                                                   \
		if (!(key)->port)                                                                  \
			break;                                                                     \
		if ((family) == AF_INET6) {                                                        \
			words[0] = (ip6)[0];                                                       \
			words[1] = (ip6)[1];                                                       \
			words[2] = (ip6)[2];                                                       \
			words[3] = (ip6)[3];                                                       \
		} else {                                                                           \
			key_set_ipv4(key, ip4);                                                    \
		}                                                                                  \
	} while (0)

/* Of the connections that this target has accepted on the edge, one is still open. */
static __always_inline bool edge_has_accepted(const struct tcp_counters *edge)
{
	return edge->accepted > edge->closed;
}

#endif
