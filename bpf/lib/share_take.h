/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* The kernel half's part of shares: takes places. Each probe has a map of its own. */
#ifndef SKEP_BPF_LIB_SHARE_TAKE_H
#define SKEP_BPF_LIB_SHARE_TAKE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/share.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SHARE_ROWS_LIMIT);
	__type(key, struct share_key);
	__type(value, struct share_row);
} shares SEC(".maps");

static __always_inline __u64 *share_places(__u32 namespace, enum share_side side, __u32 table)
{
	const struct share_key key = {.namespace = namespace, .side = side};
	struct share_row *row = bpf_map_lookup_elem(&shares, &key);

	return row ? &row->places[table] : NULL;
}

/*
 * Returned is read first: nothing is returned before it was taken. But a program that was running
 * as a namespace went may have counted in the row of another one, which has its memory now.
 */
static __always_inline __u64 share_held(const __u64 *taken, const __u64 *returned)
{
	__u64 before = *(const volatile __u64 *)returned;
	__s64 held = *(const volatile __u64 *)taken - before;

	return held > 0 ? held : 0;
}

/*
 * Takes a place in a table of `limit` for a namespace; false when it has its share, or has gone.
 * CPUs that do so at the same moment may go beyond the share by as many.
 */
static __always_inline bool share_take(__u32 namespace, __u32 table, __u64 limit)
{
	__u64 *taken = share_places(namespace, SHARE_TAKEN, table);
	__u64 *returned = share_places(namespace, SHARE_RETURNED, table);
	__u64 *all_taken = share_places(SHARE_NODE, SHARE_TAKEN, table);
	__u64 *all_returned = share_places(SHARE_NODE, SHARE_RETURNED, table);

	if (!taken || !returned || !all_taken || !all_returned ||
	    !share_has_room(share_held(taken, returned), share_held(all_taken, all_returned), limit,
			    1))
		return false;
	__sync_fetch_and_add(taken, 1);
	__sync_fetch_and_add(all_taken, 1);
	return true;
}

/* The place that was just taken is not used. */
static __always_inline void share_leave(__u32 namespace, __u32 table)
{
	__u64 *taken = share_places(namespace, SHARE_TAKEN, table);
	__u64 *all_taken = share_places(SHARE_NODE, SHARE_TAKEN, table);

	if (taken)
		__sync_fetch_and_sub(taken, 1);
	if (all_taken)
		__sync_fetch_and_sub(all_taken, 1);
}

#endif
