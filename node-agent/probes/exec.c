// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The Exec probe: one program on the scheduler's tracepoint, a row in a map for each target, a ring
 * buffer that is read on a timer.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "node-agent/probes/event_time.h"
#include "node-agent/probes/exec_event.h"
#include "node-agent/probes/exec_failures.h"
#include "node-agent/probes/exec_metrics.h"
#include "node-agent/probes/exec_programs.h"
#include "node-agent/probes/exec_targets.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/programs.h"
#include "node-agent/probes/ring_reader.h"

#define DRAIN_TRIES    50    /* looks at the ring for a record that is being written, */
#define DRAIN_PAUSE_NS 20000 /* with a pause between two: a program takes a few microseconds */

struct probe {
	const struct probe_host *host;
	struct exec_programs programs;
	int link; /* of the program of successful execs */
	struct exec_failures failures;
	struct exec_targets targets;
	struct ring_reader *reader;
};

static void lose_record(struct probe_attachment *attachment, const struct exec_record *record)
{
	attachment->undecoded++;
	log_error("event of an exec (pid %u) lost: no memory", record->pid);
}

static void take_record(void *context, const void *data, size_t size)
{
	const struct exec_record *record = data;
	struct probe *probe = context;
	struct probe_attachment *attachment;
	cJSON *event;

	if (!exec_record_valid(record, size))
		return;
	attachment = exec_targets_find(&probe->targets, record->target);
	if (!attachment)
		return;
	attachment->received++;
	event = exec_event_build(record, attachment->settings.arguments, event_time_offset());
	if (event)
		probe->host->emit(probe->host->context, PROBE_EXEC, record->target,
				  attachment->is_container ? record->target : record->container,
				  event);
	else
		lose_record(attachment, record);
}

static struct probe *exec_close(struct probe *probe)
{
	if (!probe)
		return NULL;
	exec_failures_close(&probe->failures);
	programs_close(&probe->link);
	ring_reader_free(probe->reader);
	exec_targets_close(&probe->targets);
	exec_programs_close(&probe->programs);
	free(probe);
	return NULL;
}

static struct probe *probe_new(const struct probe_host *host)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->host = host;
	probe->programs = EXEC_PROGRAMS_NONE;
	probe->failures = EXEC_FAILURES_NONE;
	probe->link = -1;
	return probe;
}

static int attach_program(struct probe *probe, struct error *error)
{
	probe->link = bpf_raw_tracepoint_open("sched_process_exec", probe->programs.succeeded);
	if (probe->link < 0)
		return error_set_errno(error, errno,
				       "attach to the tracepoint sched_process_exec (the agent "
				       "needs the capabilities BPF and PERFMON)");
	return 0;
}

static int bring_up(struct probe *probe, struct error *error)
{
	const struct ring_reader_user user = {
		.probe = "Exec",
		.interval_ms = EXEC_READ_INTERVAL_MS,
		.take = take_record,
		.context = probe,
	};
	int result = exec_programs_load(&probe->programs, error);

	if (!result)
		result = exec_targets_open(&probe->targets, &probe->programs, error);
	if (!result)
		result = ring_reader_new(probe->host->loop, probe->programs.records, &user,
					 &probe->reader, error);
	if (!result)
		result = attach_program(probe, error);
	return result;
}

static int exec_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	struct probe *probe = probe_new(host);
	int result;

	if (!probe)
		return error_set(error, ENOMEM, "open the Exec probe: no memory");
	result = bring_up(probe, error);
	if (result < 0) {
		exec_close(probe);
		return result;
	}
	*ret_probe = probe;
	return 0;
}

static int use_failures(struct probe *probe, struct error *error)
{
	return exec_failures_use(&probe->failures, &probe->programs, probe->host->tracefs, error);
}

static struct probe_attachment *attachment_new(const struct probe_target *target,
					       const struct exec_settings *settings)
{
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->cgroup_id = target->cgroup_id;
	attachment->level = target->cgroup_level;
	attachment->is_container = target->container != NULL;
	attachment->settings = *settings;
	attachment->series = target->series;
	return attachment;
}

static int start_attachment(struct probe *probe, struct probe_attachment *attachment,
			    struct error *error)
{
	bool failures = attachment->settings.failures;
	int result = failures ? use_failures(probe, error) : 0;

	if (result < 0)
		return result;
	result = exec_targets_add(&probe->targets, attachment, error);
	if (result == 0)
		ring_reader_start(probe->reader);
	else if (failures)
		exec_failures_leave(&probe->failures);
	return result;
}

static int exec_attach(struct probe *probe, const struct probe_target *target,
		       const union probe_settings *settings,
		       struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment;
	cleanup_close int cgroup = -1;
	int result = programs_open_cgroup(target, &cgroup, error);

	if (result < 0)
		return result;
	attachment = attachment_new(target, &settings->exec);
	if (!attachment)
		return error_set(error, ENOMEM, "attach Exec: no memory");
	result = start_attachment(probe, attachment, error);
	if (result < 0) {
		free(attachment);
		return error_wrap(error, result, "%s", target->path);
	}
	*ret_attachment = attachment;
	return 0;
}

/* What is added is there before the row asks for it, what is dropped goes after. */
static int exec_configure(struct probe *probe, struct probe_attachment *attachment,
			  const union probe_settings *settings, struct error *error)
{
	bool had = attachment->settings.failures, wants = settings->exec.failures;
	bool more = wants && !had, fewer = had && !wants;
	int result = more ? use_failures(probe, error) : 0;

	if (result < 0)
		return result;
	ring_reader_read(probe->reader); /* what happened until now is told in the old way */
	result = exec_targets_change(&probe->targets, attachment, &settings->exec, error);
	if (result < 0 ? more : fewer)
		exec_failures_leave(&probe->failures);
	return result;
}

/* True when every exec that was counted has been read or is counted as lost. */
static bool all_received(const struct probe *probe, struct probe_attachment *attachment)
{
	const struct exec_counters *totals = &attachment->totals;

	if (!exec_targets_count(&probe->targets, attachment))
		return true;
	return totals->execs + totals->failed ==
	       attachment->received + totals->rate_limited + totals->ring_full;
}

/* Reads what is in the ring, and what a program on another CPU is just about to put there. */
static void drain(struct probe *probe, struct probe_attachment *attachment)
{
	const struct timespec pause = {.tv_nsec = DRAIN_PAUSE_NS};

	ring_reader_read(probe->reader);
	for (int i = 0; i < DRAIN_TRIES && !all_received(probe, attachment); i++) {
		nanosleep(&pause, NULL);
		ring_reader_read(probe->reader);
	}
}

/* Where the kernel has no counters, the totals are as they were. */
static void add_counts(const struct probe *probe, struct probe_attachment *attachment)
{
	(void)exec_targets_count(&probe->targets, attachment);
	exec_metrics_add(attachment);
}

static struct probe_attachment *exec_detach(struct probe *probe,
					    struct probe_attachment *attachment)
{
	if (!attachment)
		return NULL;
	exec_targets_stop(&probe->targets, attachment);
	drain(probe, attachment);
	add_counts(probe, attachment);
	exec_targets_remove(&probe->targets, attachment);
	if (!probe->targets.attachments)
		ring_reader_stop(probe->reader);
	if (attachment->settings.failures)
		exec_failures_leave(&probe->failures);
	free(attachment);
	return NULL;
}

static void exec_read(struct probe *probe)
{
	struct probe_attachment *attachment, *next;

	HASH_ITER(hh, probe->targets.attachments, attachment, next)
		add_counts(probe, attachment);
}

const struct probe_kind exec_probe_kind = {
	.type = PROBE_EXEC,
	.open = exec_open,
	.close = exec_close,
	.attach = exec_attach,
	.configure = exec_configure,
	.detach = exec_detach,
	.read = exec_read,
};
