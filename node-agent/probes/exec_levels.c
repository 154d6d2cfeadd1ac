// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_levels.h"

#include "bpf/exec.h"

#define LEVEL_BITS 8
#define LEVEL_MASK 0xffU

static unsigned int level_at(uint64_t levels, unsigned int index)
{
	return (levels >> (index * LEVEL_BITS)) & LEVEL_MASK;
}

bool exec_levels_add(uint64_t *levels, unsigned int level)
{
	unsigned int index = 0;
	uint64_t deeper, rest;

	if (level == 0 || level > LEVEL_MASK)
		return false;
	while (level_at(*levels, index) > level)
		index++;
	if (level_at(*levels, index) == level)
		return true;
	if (level_at(*levels, EXEC_LEVELS_LIMIT - 1))
		return false;
	deeper = *levels & ((1ULL << (index * LEVEL_BITS)) - 1);
	rest = *levels & ~deeper;
	*levels = deeper | (uint64_t)level << (index * LEVEL_BITS) | rest << LEVEL_BITS;
	return true;
}
