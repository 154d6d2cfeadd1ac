/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What is asked of a target, from a policy's settings to the kernel's row. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_WANTS_H
#define SKEP_NODE_AGENT_PROBES_HTTP_WANTS_H

#include "bpf/http.h"
#include "lib/intent/intent.h"

/* Fills in what the settings ask for; the target's number and level stay as they are. */
void http_wants_set(struct http_target *target, const struct http_settings *settings);

#endif
