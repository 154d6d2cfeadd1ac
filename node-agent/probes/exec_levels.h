/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The depths at which targets lie, in one word: a byte each, the deepest lowest. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_LEVELS_H
#define SKEP_NODE_AGENT_PROBES_EXEC_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Adds a depth, unless it is there already. Returns false, with the word as it was, for a depth
 * that is not 1 to 255 or one too many (EXEC_LEVELS_LIMIT).
 */
bool exec_levels_add(uint64_t *levels, unsigned int level);

#endif
