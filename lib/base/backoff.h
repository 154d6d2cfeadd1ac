/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* How long to wait before the next try: longer after each failure, and never the same for all. */
#ifndef SKEP_LIB_BASE_BACKOFF_H
#define SKEP_LIB_BASE_BACKOFF_H

#include <stdint.h>

/* All in milliseconds; `least` and `most` are set by the caller and at least 1. */
struct backoff {
	uint32_t least;
	uint32_t most;
	uint32_t current; /* upper bound of the next wait; 0 at the start */
};

/*
 * The wait before the next try: between half the current bound and the bound, which then doubles.
 */
uint32_t backoff_next(struct backoff *backoff, uint32_t random);

/* A try succeeded: the next wait is the least one again. */
void backoff_reset(struct backoff *backoff);

#endif
