/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * A histogram in powers of two: slot 0 counts the values up to 2^first_bound, slot n those above
 * the bound of slot n - 1 up to twice as much, which is included (as Prometheus counts), and the
 * last slot all the rest. Shared by the kernel and the user half.
 */
#ifndef SKEP_BPF_LIB_HISTOGRAM_H
#define SKEP_BPF_LIB_HISTOGRAM_H

#include <linux/types.h>

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

/* The slot that counts `value`, of `slots` in all. */
static inline __u32 histogram_slot(__u32 value, __u32 first_bound, __u32 slots)
{
	__u32 octave = value > 1 ? histogram_log2(value - 1) + 1 : 0; /* it is up to 2^octave */
	__u32 slot = octave > first_bound ? octave - first_bound : 0;

	return slot < slots ? slot : slots - 1;
}

/* Which bit it is that makes each four bits of the sequence below come first. */
#define HISTOGRAM_BITS 0xcd7ea84fb6935210ULL

/*
 * The same for values up to 2^(first_bound + 15), in half the time: the bits of a word are numbered
 * by a multiplication, since in the sequence 0000100110101111 each four bits stand once.
 */
static inline __u32 histogram_near_slot(__u32 value, __u32 first_bound)
{
	__u32 rest = (value ? value - 1 : 0) >> first_bound, bit;

	rest |= rest >> 1;
	rest |= rest >> 2;
	rest |= rest >> 4;
	rest |= rest >> 8;
	bit = rest + 1; /* the power of two above it */
	return HISTOGRAM_BITS >> ((bit * 0x09af & 0xf000) >> 10) & 0xf;
}

#endif
