// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/tracepoint.h"

#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

static int read_id(const char *tracefs, const char *name, uint64_t *ret_id, struct error *error)
{
	char path[PATH_MAX];
	cleanup_file FILE *file = NULL;
	unsigned long long id;

	if (snprintf(path, sizeof(path), "%s/events/%s/id", tracefs, name) >= (int)sizeof(path))
		return error_set(error, ENAMETOOLONG, "find the tracepoint %s: path too long",
				 name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", &id) != 1)
		return error_set(error, EOPNOTSUPP,
				 "read %s: not there: mount tracefs on the node (mount -t tracefs "
				 "tracefs /sys/kernel/tracing) and restart the agent",
				 path);
	*ret_id = id;
	return 0;
}

/* A tracepoint's event runs its program on every CPU, whichever CPU it was opened for. */
static int open_event(uint64_t id)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attributes),
		.config = id,
		.sample_period = 1,
		.wakeup_events = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

int tracepoint_attach(const char *tracefs, const char *name, int program, int *ret_event,
		      struct error *error)
{
	cleanup_close int event = -1;
	uint64_t id = 0;
	int result;

	if (!tracefs)
		return error_set(
			error, EOPNOTSUPP,
			"attach to %s: tracefs is not mounted: mount it on the node (mount "
			"-t tracefs tracefs /sys/kernel/tracing) and restart the agent",
			name);
	result = read_id(tracefs, name, &id, error);
	if (result < 0)
		return result;
	event = open_event(id);
	if (event < 0 || ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return error_set_errno(error, errno,
				       "attach to %s (the agent needs the capability PERFMON)",
				       name);
	*ret_event = take_descriptor(event);
	return 0;
}
