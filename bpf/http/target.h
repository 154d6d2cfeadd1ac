/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* The cgroup whose packet is looked at: what is asked of it, and what is counted for it. */
#ifndef SKEP_BPF_HTTP_TARGET_H
#define SKEP_BPF_HTTP_TARGET_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/lib/likely.h"
#include "bpf/lib/share_take.h"

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct http_target);
} http_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, HTTP_TARGETS_LIMIT);
	__type(key, __u32);
	__type(value, struct http_target_counts);
} http_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SHARE_ROWS_LIMIT);
	__type(key, struct share_key);
	__type(value, struct share_row);
} http_shares SEC(".maps");

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/* NULL when the target has gone. */
static __always_inline struct http_target_counts *target_counts(const struct http_target *target)
{
	__u32 number = target->target;

	return bpf_map_lookup_elem(&http_counts, &number);
}

/* A place for the target in a table that it shares with others; false, and counted, if it may not.
 */
static __always_inline bool target_take(const struct http_target *target,
					struct http_target_counts *counts, enum http_shared table,
					__u64 limit)
{
	if (share_take(&http_shares, target->namespace, table, limit))
		return true;
	count(&counts->beyond_share, 1);
	return false;
}

/* Adds one to a member of the target's counts; these are rare things. */
#define target_count(target, member)                                                               \
	do {                                                                                       \
		struct http_target_counts *counts_ = target_counts(target);                        \
                                                                                                   \
		if (counts_)                                                                       \
			count(&counts_->member, 1);                                                \
	} while (0)

static __always_inline bool target_wants_port(const struct http_target *target, __u16 port)
{
	__u32 i;

	if (likely(!(target->wants & HTTP_WANTS_PORTS)))
		return true;
	for (i = 0; i < HTTP_TARGET_PORTS; i++)
		if (target->ports[i] == port)
			return true;
	return false;
}

#endif
