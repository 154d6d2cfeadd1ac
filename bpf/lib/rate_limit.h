/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * A token bucket in one word, without a lock (tracing programs may not take one): the word is the
 * time at which the bucket will be full again. An event moves it on by the time that one token
 * takes; the bucket is empty when it lies further ahead than a whole bucket takes.
 */
#ifndef SKEP_BPF_LIB_RATE_LIMIT_H
#define SKEP_BPF_LIB_RATE_LIMIT_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#define RATE_LIMIT_TRIES 4 /* CPUs that race for one bucket at the same moment */

/*
 * Takes a token of a bucket of `burst` tokens, one coming back every `interval` ns. False when
 * there is none, or when too many others took one at the same time. `now` is the present: to an
 * earlier time, a bucket that others have used since looks empty.
 */
static __always_inline bool rate_limit_take(__u64 *full_at, __u64 now, __u64 interval, __u64 burst)
{
	__u64 seen, next;
	int i;

	for (i = 0; i < RATE_LIMIT_TRIES; i++) {
		seen = *(volatile __u64 *)full_at;
		next = (seen > now ? seen : now) + interval;
		if (next - now > burst * interval)
			return false;
		if (__sync_val_compare_and_swap(full_at, seen, next) == seen)
			return true;
	}
	return false;
}

#endif
