/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The event of an exec: from the kernel's record to JSON. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_EVENT_H
#define SKEP_NODE_AGENT_PROBES_EXEC_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "bpf/exec.h"
#include "lib/intent/intent.h"

/* True when `size` bytes are a whole record, as the kernel half writes it. */
bool exec_record_valid(const struct exec_record *record, size_t size);

/*
 * The event of a valid record, with `arguments` as the policy wants them. `clock_offset` is the
 * time of day less the monotonic clock, in ns. Owned by the caller; NULL when memory ran out.
 */
cJSON *exec_event_build(const struct exec_record *record, enum exec_arguments arguments,
			int64_t clock_offset);

#endif
