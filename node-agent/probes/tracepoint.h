/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Attaches programs to the kernel's tracepoints, wherever tracefs is mounted. */
#ifndef SKEP_NODE_AGENT_PROBES_TRACEPOINT_H
#define SKEP_NODE_AGENT_PROBES_TRACEPOINT_H

#include "lib/base/error.h"

/*
 * Attaches a program to a tracepoint ("syscalls/sys_exit_execve") as long as the event lasts, whose
 * descriptor goes to the caller. `tracefs` is NULL where it is not mounted. Returns 0, -EOPNOTSUPP
 * without tracefs or the tracepoint, or another negative errno.
 */
int tracepoint_attach(const char *tracefs, const char *name, int program, int *ret_event,
		      struct error *error);

#endif
