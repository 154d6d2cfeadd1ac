// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/backoff.h"

uint32_t backoff_next(struct backoff *backoff, uint32_t random)
{
	uint32_t bound = backoff->current ? backoff->current : backoff->least;
	uint32_t half = bound / 2;

	backoff->current = bound > backoff->most / 2 ? backoff->most : bound * 2;
	return bound - half + random % (half + 1);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->current = 0;
}
