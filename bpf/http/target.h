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

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

/*
 * User space adds one to it when it has changed what is asked of a target. To ask who wants what of
 * a packet takes longer than to find its connection: so a connection of which only counts are
 * wanted is looked at unasked as long as nothing has changed.
 */
__u32 http_version SEC(".data.version") = 1;

static __always_inline __u32 version_now(void)
{
	return *(volatile __u32 *)&http_version;
}

/* What is asked of the target whose packet is looked at. */
static __always_inline const struct http_target *target_find(void)
{
	return bpf_get_local_storage(&http_targets, 0);
}

/* NULL when the target has gone. */
static __always_inline struct http_target_counts *target_counts(__u32 number)
{
	return bpf_map_lookup_elem(&http_counts, &number);
}

/*
 * A place for a target of a namespace in a table that all share; false, and counted, if it may not.
 */
static __always_inline bool target_take(struct http_target_counts *counts, __u32 namespace,
					enum http_shared table, __u64 limit)
{
	if (share_take(namespace, table, limit))
		return true;
	count(&counts->beyond_share, 1);
	return false;
}

/* Adds one to a member of the target's counts; these are rare things. */
#define target_count(number, member)                                                               \
	do {                                                                                       \
		struct http_target_counts *counts_ = target_counts(number);                        \
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
