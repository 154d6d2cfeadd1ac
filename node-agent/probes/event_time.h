/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* When an event happened: the kernel tells the monotonic clock, readers want the time of day. */
#ifndef SKEP_NODE_AGENT_PROBES_EVENT_TIME_H
#define SKEP_NODE_AGENT_PROBES_EVENT_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* The time of day less the monotonic clock, now, in ns. */
int64_t event_time_offset(void);

/* Adds "time" (RFC 3339, UTC, ns) to an event of `time` on the monotonic clock. False: no memory.
 */
bool event_time_add(cJSON *event, uint64_t time, int64_t offset);

#endif
