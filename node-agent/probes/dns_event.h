/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The event of a lookup: which ones are told, and how. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_EVENT_H
#define SKEP_NODE_AGENT_PROBES_DNS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/intent/intent.h"
#include "node-agent/probes/dns_tracker.h"

/* Whether somebody asked to see it. A step of a search that did not find is no failure. */
bool dns_event_wanted(const struct dns_lookup *lookup, const struct dns_settings *settings);

/*
 * The event. `clock_offset` is the time of day less the monotonic clock, in ns. Owned by the
 * caller; NULL when memory ran out.
 */
cJSON *dns_event_build(const struct dns_lookup *lookup, int64_t clock_offset);

#endif
