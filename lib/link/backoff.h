/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Pauses that grow, with chance in them, so that many who lost one server do not come as one. */
#ifndef SKEP_LIB_LINK_BACKOFF_H
#define SKEP_LIB_LINK_BACKOFF_H

#include <stdint.h>

/*
 * The pause in ms before attempt number `attempt` (0 is the first after a failure): twice the one
 * before it from `first` to `limit`, of which `random` takes up to a half away.
 */
uint64_t link_backoff(unsigned int attempt, uint64_t first, uint64_t limit, uint32_t random);

#endif
