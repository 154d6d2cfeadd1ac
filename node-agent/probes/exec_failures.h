/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Failed execs: traced only while a target asks for them. */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_FAILURES_H
#define SKEP_NODE_AGENT_PROBES_EXEC_FAILURES_H

#include <stddef.h>

#include "lib/base/error.h"
#include "node-agent/probes/exec_programs.h"

struct exec_failures {
	size_t users;
	int events[EXEC_CALLS]; /* that run the programs; -1 while nobody asks for them */
};

#define EXEC_FAILURES_NONE ((struct exec_failures){.events = {-1, -1}})

/*
 * One more target asks for them; `tracefs` is where that is mounted, or NULL. Returns 0, or a
 * negative errno with nothing changed.
 */
int exec_failures_use(struct exec_failures *failures, const struct exec_programs *programs,
		      const char *tracefs, struct error *error);

/* One target less. */
void exec_failures_leave(struct exec_failures *failures);

/* Traces them no more, whoever asks. */
void exec_failures_close(struct exec_failures *failures);

#endif
