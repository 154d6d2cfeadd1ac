/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The agent as a whole: its rooms, wired together on one event loop. */
#ifndef SKEP_NODE_AGENT_AGENT_H
#define SKEP_NODE_AGENT_AGENT_H

#include <uv.h>

#include "lib/base/error.h"
#include "node-agent/options.h"

struct agent;

/*
 * Sets the agent up, attaches what the stored selection asks for, and dials the operator. Borrows
 * `options`. A negative errno where this node or its options do not allow to start.
 */
int agent_new(uv_loop_t *loop, const struct agent_options *options, struct agent **ret_agent,
	      struct error *error);

/* Detaches everything. Returns NULL; the memory goes as the loop runs on, which then ends. */
struct agent *agent_free(struct agent *agent);

#endif
