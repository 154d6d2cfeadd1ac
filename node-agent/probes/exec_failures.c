// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_failures.h"

#include "node-agent/probes/programs.h"
#include "node-agent/probes/tracepoint.h"

static const char *const tracepoints[EXEC_CALLS] = {
	[EXEC_CALL_EXECVE] = "syscalls/sys_exit_execve",
	[EXEC_CALL_EXECVEAT] = "syscalls/sys_exit_execveat",
};

static int attach(struct exec_failures *failures, const struct exec_programs *programs,
		  const char *tracefs, struct error *error)
{
	int result = 0;

	for (int i = 0; i < EXEC_CALLS && !result; i++)
		result = tracepoint_attach(tracefs, tracepoints[i], programs->failed[i],
					   &failures->events[i], error);
	return result;
}

int exec_failures_use(struct exec_failures *failures, const struct exec_programs *programs,
		      const char *tracefs, struct error *error)
{
	int result = failures->users ? 0 : attach(failures, programs, tracefs, error);

	if (result < 0) {
		exec_failures_close(failures);
		return error_wrap(error, result, "exec.failures");
	}
	failures->users++;
	return 0;
}

void exec_failures_leave(struct exec_failures *failures)
{
	if (--failures->users == 0)
		exec_failures_close(failures);
}

void exec_failures_close(struct exec_failures *failures)
{
	for (int i = 0; i < EXEC_CALLS; i++)
		programs_close(&failures->events[i]);
}
