// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/backoff.h"

uint64_t link_backoff(unsigned int attempt, uint64_t first, uint64_t limit, uint32_t random)
{
	uint64_t pause = first;

	while (attempt-- && pause < limit)
		pause *= 2;
	if (pause > limit)
		pause = limit;
	return pause - pause * random / UINT32_MAX / 2;
}
