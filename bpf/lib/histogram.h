/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * A log-linear histogram: every power of two is cut into four equal parts, so that a value is known
 * within a quarter, and parts fold into powers of two without loss. Part 0 holds the value 0; part
 * n > 0 holds the values above the upper bound of part n - 1 up to its own, which is included (as
 * Prometheus counts). Shared by the kernel and the user half.
 */
#ifndef SKEP_BPF_LIB_HISTOGRAM_H
#define SKEP_BPF_LIB_HISTOGRAM_H

#include <linux/types.h>

#define HISTOGRAM_OCTAVES 27 /* the largest value told apart is 2^27: 134 s in microseconds */
#define HISTOGRAM_SLOTS	  ((HISTOGRAM_OCTAVES - 1) * 4 + 1)

/* The position of the highest bit that is set; `value` is not 0. BPF has no instruction for it. */
static inline __u32 histogram_log2(__u32 value)
{
	__u32 position = (value > 0xffff) << 4, step;

	value >>= position;
	step = (value > 0xff) << 3;
	value >>= step;
	position |= step;
	step = (value > 0xf) << 2;
	value >>= step;
	position |= step;
	step = (value > 0x3) << 1;
	value >>= step;
	return position | step | (value >> 1);
}

/* The slot that counts `value`; what is beyond the last is counted there. */
static inline __u32 histogram_slot(__u32 value)
{
	__u32 below, octave, slot;

	if (value <= 4)
		return value;
	below = value - 1; /* the upper bound belongs to the slot */
	octave = histogram_log2(below);
	slot = (octave - 1) * 4 + ((below >> (octave - 2)) & 3) + 1;
	return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

#endif
