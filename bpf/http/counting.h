/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What is counted of exchanges, by their kind. */
#ifndef SKEP_BPF_HTTP_COUNTING_H
#define SKEP_BPF_HTTP_COUNTING_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"
#include "bpf/http/target.h"
#include "bpf/lib/histogram.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/verifier.h"

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

static const struct http_counters zero;

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

#endif
