/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The kernel half of the Exec probe, loaded: the descriptors of its programs and maps. */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_PROGRAMS_H
#define SKEP_NODE_AGENT_PROBES_EXEC_PROGRAMS_H

#include "lib/base/error.h"

enum exec_call { EXEC_CALL_EXECVE, EXEC_CALL_EXECVEAT, EXEC_CALLS };

/* Each is -1 where there is none. */
struct exec_programs {
	int succeeded;		/* program of successful execs */
	int failed[EXEC_CALLS]; /* programs of failed ones */
	int targets;		/* maps: struct exec_target by cgroup, */
	int counters;		/* struct exec_counters by cgroup, */
	int records;		/* the ring buffer of struct exec_record, */
	int settings;		/* one struct exec_filter */
};

#define EXEC_PROGRAMS_NONE                                                                         \
	((struct exec_programs){.succeeded = -1,                                                   \
				.failed = {-1, -1},                                                \
				.targets = -1,                                                     \
				.counters = -1,                                                    \
				.records = -1,                                                     \
				.settings = -1})

/*
 * Loads the programs, attached to nothing yet. Returns 0, or a negative errno with *programs partly
 * filled; exec_programs_close() in either case.
 */
int exec_programs_load(struct exec_programs *programs, struct error *error);

void exec_programs_close(struct exec_programs *programs);

#endif
