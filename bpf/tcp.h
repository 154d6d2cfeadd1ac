/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What the TCP probe counts of a target: one record per target and CPU, in its cgroup's storage. */
#ifndef SKEP_BPF_TCP_H
#define SKEP_BPF_TCP_H

#include <linux/types.h>

#include "bpf/lib/histogram.h"

/*
 * Between two looks at one connection's srtt, in jiffies (3 to 30 hundredths of a second, by the
 * kernel's HZ): programs read them as a variable, where any clock costs a packet up to 20 ns more.
 */
#define TCP_SAMPLE_INTERVAL 32

struct tcp_counters {
	__u32 target; /* the number that user space gave to the target; 0: nothing is counted */
	__u32 reserved;
	__u64 opened;	/* connect() that succeeded */
	__u64 accepted; /* connections that came in */
	__u64 adopted;	/* connections that were there before the probe */
	__u64 closed;	/* of the three above */
	__u64 failed;	/* connect() that did not succeed */
	__u64 reset;	/* connections with a RST, of either side */
	__u64 sent_bytes;
	__u64 received_bytes;
	__u64 retransmitted_segments;
	__u64 srtt_sum; /* microseconds */
	__u64 srtt[HISTOGRAM_SLOTS];
};

_Static_assert(sizeof(struct tcp_counters) == 88 + 8 * HISTOGRAM_SLOTS, "shared with the kernel");

#endif
