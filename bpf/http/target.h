/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What is known of the cgroup whose packet is looked at. */
#ifndef SKEP_BPF_HTTP_TARGET_H
#define SKEP_BPF_HTTP_TARGET_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http.h"

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct http_target);
} http_targets SEC(".maps");

static __always_inline void count(__u64 *counter, __u64 more)
{
	__sync_fetch_and_add(counter, more);
}

#endif
