/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * Which way most packets go. A program finds the processor's caches cold, since the kernel has run
 * in between, so each 64 bytes of its code take some nanoseconds to come: the compiler puts the
 * other way aside, so that what runs together lies together.
 */
#ifndef SKEP_BPF_LIB_LIKELY_H
#define SKEP_BPF_LIB_LIKELY_H

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
