/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The event of a request: from the kernel's record to JSON. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_EVENT_H
#define SKEP_NODE_AGENT_PROBES_HTTP_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "bpf/http.h"
#include "lib/intent/intent.h"
#include "node-agent/edges/peer_identity.h"

/* True when `size` bytes are a whole record, as the kernel half writes it. */
bool http_record_valid(const struct http_record *record, size_t size);

/*
 * The event of a valid record, with as much of its path as the policy wants. `peer` is NULL where
 * it is not known who the other end is; `route` is what the request's is called, or "" where nobody
 * asked for routes. `clock_offset` is the time of day less the monotonic clock,
 * in ns. Owned by the caller; NULL when memory ran out.
 */
cJSON *http_event_build(const struct http_record *record, enum http_paths paths, const char *route,
			const struct peer_identity *peer, int64_t clock_offset);

#endif
