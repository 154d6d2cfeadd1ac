// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The Exec probe: one program on the scheduler's tracepoint, a row in a map for each target, a ring
 * buffer that is read on a timer (a wake-up per record would cost the watched more than the
 * record).
 */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <uthash.h>

#include "bpf/exec.h"
#include "bpf/exec.skel.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "node-agent/probes/exec_event.h"
#include "node-agent/probes/exec_levels.h"
#include "node-agent/probes/kernel_layout.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/programs.h"
#include "node-agent/probes/tracepoint.h"

#define READ_INTERVAL_MS 100
#define DRAIN_TRIES	 50    /* looks at the ring for a record that is being written, */
#define DRAIN_PAUSE_NS	 20000 /* with a pause between two: a program takes a few microseconds */
#define NS_PER_SECOND	 1000000000LL

#define FAILURE_HOOKS 2

static const struct {
	const char *program;
	const char *tracepoint;
} failure_hooks[FAILURE_HOOKS] = {
	{"execve_returned", "syscalls/sys_exit_execve"},
	{"execveat_returned", "syscalls/sys_exit_execveat"},
};

struct probe {
	const struct probe_host *host;
	int program; /* of successful execs */
	int link;
	int failure_programs[FAILURE_HOOKS];
	int failure_events[FAILURE_HOOKS]; /* -1 while no target asks for failures */
	size_t failure_users;
	int targets; /* maps */
	int counters;
	int ring_map;
	int settings; /* the map behind `filter` */
	volatile struct exec_filter *filter;
	struct ring_buffer *ring;
	uv_timer_t timer;
	uv_poll_t poll;
	int handles; /* of the two above, that the loop still holds */
	struct probe_attachment *attachments;
};

struct probe_attachment {
	uint64_t cgroup_id;
	unsigned int level;
	bool is_container;
	struct exec_settings settings;
	uint64_t received;	     /* records */
	struct exec_counters totals; /* when last collected */
	UT_hash_handle hh;
};

/* --- reading the ring --- */

static int64_t clock_offset(void)
{
	struct timespec day, monotonic;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_REALTIME, &day);
	return (day.tv_sec - monotonic.tv_sec) * NS_PER_SECOND + day.tv_nsec - monotonic.tv_nsec;
}

static struct probe_attachment *find_attachment(struct probe *probe, uint64_t cgroup_id)
{
	struct probe_attachment *attachment;

	HASH_FIND(hh, probe->attachments, &cgroup_id, sizeof(cgroup_id), attachment);
	return attachment;
}

static int take_record(void *context, void *data, size_t size)
{
	struct probe *probe = context;
	const struct exec_record *record = data;
	struct probe_attachment *attachment;
	cJSON *event;

	if (!exec_record_valid(record, size))
		return 0;
	attachment = find_attachment(probe, record->target);
	if (!attachment)
		return 0;
	attachment->received++;
	event = exec_event_build(record, attachment->settings.arguments, clock_offset());
	if (event)
		probe->host->emit(probe->host->context, PROBE_EXEC, record->target,
				  attachment->is_container ? record->target : record->container,
				  event);
	else
		log_error("event of an exec (pid %u) lost: no memory", record->pid);
	return 0;
}

static void read_ring(struct probe *probe)
{
	(void)ring_buffer__consume(probe->ring); /* fails only where take_record() does: never */
}

static void on_timer(uv_timer_t *timer)
{
	read_ring(timer->data);
}

static void on_wake_up(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	read_ring(poll->data);
}

/* --- open and close --- */

static void close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

static void detach_failures(struct probe *probe)
{
	for (int i = 0; i < FAILURE_HOOKS; i++)
		close_descriptor(&probe->failure_events[i]);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct probe *probe = handle->data;

	if (--probe->handles > 0)
		return;
	ring_buffer__free(probe->ring);
	free(probe);
}

static void close_descriptors(struct probe *probe)
{
	detach_failures(probe);
	close_descriptor(&probe->link);
	close_descriptor(&probe->program);
	for (int i = 0; i < FAILURE_HOOKS; i++)
		close_descriptor(&probe->failure_programs[i]);
	close_descriptor(&probe->targets);
	close_descriptor(&probe->counters);
	close_descriptor(&probe->ring_map);
	close_descriptor(&probe->settings);
	if (probe->filter)
		munmap((void *)probe->filter, (size_t)sysconf(_SC_PAGESIZE));
}

/* The loop lets go of the handles later; the probe's memory goes with the last of them. */
static struct probe *exec_close(struct probe *probe)
{
	if (!probe)
		return NULL;
	close_descriptors(probe);
	if (probe->handles == 0) {
		ring_buffer__free(probe->ring);
		free(probe);
		return NULL;
	}
	uv_close((uv_handle_t *)&probe->timer, on_handle_closed);
	if (probe->handles == 2)
		uv_close((uv_handle_t *)&probe->poll, on_handle_closed);
	return NULL;
}

static struct probe *probe_new(const struct probe_host *host)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->host = host;
	probe->program = probe->link = probe->targets = probe->counters = -1;
	probe->ring_map = probe->settings = -1;
	for (int i = 0; i < FAILURE_HOOKS; i++)
		probe->failure_programs[i] = probe->failure_events[i] = -1;
	return probe;
}

/* In the order of struct exec_layout. */
static const struct kernel_field layout_fields[] = {
	{"task_struct", "real_parent"}, {"task_struct", "tgid"},  {"task_struct", "mm"},
	{"mm_struct", "arg_start"},	{"mm_struct", "arg_end"}, {"linux_binprm", "filename"},
};

#define LAYOUT_FIELDS (sizeof(layout_fields) / sizeof(layout_fields[0]))
_Static_assert(sizeof(struct exec_layout) == LAYOUT_FIELDS * sizeof(uint32_t), "one for one");

static void set_layout(struct exec_bpf *skeleton)
{
	uint32_t offsets[LAYOUT_FIELDS];
	struct exec_layout layout;

	if (kernel_layout_find(KERNEL_BTF, layout_fields, LAYOUT_FIELDS, offsets) < LAYOUT_FIELDS)
		log_warn("%s does not tell all that Exec reads: events of exec will lack "
			 "arguments, parent or path; a kernel with CONFIG_DEBUG_INFO_BTF has it",
			 KERNEL_BTF);
	memcpy(&layout, offsets, sizeof(layout));
	memcpy((void *)&skeleton->rodata->layout, &layout, sizeof(layout));
}

/* Keeps the descriptors only: what libbpf holds besides is of no use once the programs are loaded.
 */
static int take_descriptors(struct probe *probe, const struct exec_bpf *skeleton)
{
	const struct bpf_object *object = skeleton->obj;

	probe->program = programs_take_program(object, "exec_succeeded");
	for (int i = 0; i < FAILURE_HOOKS; i++) {
		probe->failure_programs[i] =
			programs_take_program(object, failure_hooks[i].program);
		if (probe->failure_programs[i] < 0)
			return probe->failure_programs[i];
	}
	probe->targets = programs_take_map(object, "exec_targets");
	probe->counters = programs_take_map(object, "exec_counts");
	probe->ring_map = programs_take_map(object, "exec_records");
	probe->settings = programs_take_map(object, bpf_map__name(skeleton->maps.bss));
	if (probe->program < 0 || probe->targets < 0 || probe->counters < 0 ||
	    probe->ring_map < 0 || probe->settings < 0)
		return -EMFILE;
	return 0;
}

static int load(struct probe *probe, struct error *error)
{
	struct exec_bpf *skeleton = exec_bpf__open();
	int result;

	if (!skeleton)
		return error_set_errno(error, errno, "open the programs of Exec");
	set_layout(skeleton);
	result = programs_load(skeleton->obj, "Exec", error);
	if (!result) {
		result = take_descriptors(probe, skeleton);
		if (result < 0)
			error_set_errno(error, -result, "keep the programs of Exec");
	}
	exec_bpf__destroy(skeleton);
	return result;
}

/* The only variable of the kernel half that is not fixed: it has a page of its own. */
static int map_filter(struct probe *probe, struct error *error)
{
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
			  probe->settings, 0);

	if (page == MAP_FAILED)
		return error_set_errno(error, errno, "map the settings of Exec");
	probe->filter = page;
	return 0;
}

static int open_ring(struct probe *probe, struct error *error)
{
	probe->ring = ring_buffer__new(probe->ring_map, take_record, probe, NULL);
	if (!probe->ring)
		return error_set_errno(error, errno, "map the ring buffer of Exec");
	return 0;
}

static int start_reading(struct probe *probe, struct error *error)
{
	int result;

	uv_timer_init(probe->host->loop, &probe->timer);
	probe->timer.data = probe;
	probe->handles = 1;
	result = uv_poll_init(probe->host->loop, &probe->poll, ring_buffer__epoll_fd(probe->ring));
	if (result < 0)
		return error_set_errno(error, -result, "poll the ring buffer of Exec");
	probe->poll.data = probe;
	probe->handles = 2;
	result = uv_poll_start(&probe->poll, UV_READABLE, on_wake_up);
	if (result < 0)
		return error_set_errno(error, -result, "poll the ring buffer of Exec");
	return 0;
}

static int attach_program(struct probe *probe, struct error *error)
{
	probe->link = bpf_raw_tracepoint_open("sched_process_exec", probe->program);
	if (probe->link < 0)
		return error_set_errno(error, errno,
				       "attach to the tracepoint sched_process_exec (the agent "
				       "needs the capabilities BPF and PERFMON)");
	return 0;
}

static int bring_up(struct probe *probe, struct error *error)
{
	int result = load(probe, error);

	if (!result)
		result = map_filter(probe, error);
	if (!result)
		result = open_ring(probe, error);
	if (!result)
		result = start_reading(probe, error);
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

/* --- failed execs: traced only while a target asks for them --- */

static int use_failures(struct probe *probe, struct error *error)
{
	int result = 0;

	for (int i = 0; probe->failure_users == 0 && i < FAILURE_HOOKS && !result; i++)
		result = tracepoint_attach(probe->host->tracefs, failure_hooks[i].tracepoint,
					   probe->failure_programs[i], &probe->failure_events[i],
					   error);
	if (result < 0) {
		detach_failures(probe);
		return error_wrap(error, result, "exec.failures");
	}
	probe->failure_users++;
	return 0;
}

static void leave_failures(struct probe *probe)
{
	if (--probe->failure_users == 0)
		detach_failures(probe);
}

/* --- targets --- */

static int write_target(struct probe *probe, const struct probe_attachment *attachment,
			const struct exec_settings *settings, struct error *error)
{
	struct exec_target row = {.level = attachment->level};

	if (settings->arguments != EXEC_ARGUMENTS_NONE)
		row.wants |= EXEC_WANTS_ARGUMENTS;
	if (settings->failures)
		row.wants |= EXEC_WANTS_FAILURES;
	if (!bpf_map_update_elem(probe->targets, &attachment->cgroup_id, &row, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return error_set(error, ENOSPC,
				 "watch a cgroup: %d are watched already, no more fit",
				 EXEC_TARGETS_LIMIT);
	return error_set_errno(error, errno, "write a row of the Exec probe's targets");
}

static int write_counters(struct probe *probe, uint64_t cgroup_id, struct error *error)
{
	const struct exec_counters none = {0};

	if (bpf_map_update_elem(probe->counters, &cgroup_id, &none, BPF_ANY))
		return error_set_errno(error, errno, "write a row of the Exec probe's counters");
	return 0;
}

/* The depths of all targets there are. */
static uint64_t levels_of(const struct probe *probe)
{
	uint64_t levels = 0;

	for (const struct probe_attachment *attachment = probe->attachments; attachment;
	     attachment = attachment->hh.next)
		(void)exec_levels_add(&levels, attachment->level); /* each fitted when it came */
	return levels;
}

static uint64_t filter_word_of(const struct probe *probe, uint32_t word)
{
	uint64_t bits = 0;

	for (const struct probe_attachment *attachment = probe->attachments; attachment;
	     attachment = attachment->hh.next)
		if (exec_filter_word(attachment->cgroup_id) == word)
			bits |= exec_filter_bit(attachment->cgroup_id);
	return bits;
}

/* Lets execs of a cgroup that has come through to its row, or no longer those of one that has gone.
 */
static void update_filter(struct probe *probe, uint64_t cgroup_id)
{
	uint32_t word = exec_filter_word(cgroup_id);

	probe->filter->bits[word] = filter_word_of(probe, word);
	probe->filter->levels = levels_of(probe);
}

static int check_level(const struct probe *probe, unsigned int level, struct error *error)
{
	uint64_t levels = levels_of(probe);

	if (exec_levels_add(&levels, level))
		return 0;
	return error_set(error, ENOSPC,
			 "watch a cgroup at depth %u: Exec watches depths 1 to 255, and %d "
			 "different ones at a time",
			 level, EXEC_LEVELS_LIMIT);
}

static void add_attachment(struct probe *probe, struct probe_attachment *attachment)
{
	if (!probe->attachments)
		uv_timer_start(&probe->timer, on_timer, READ_INTERVAL_MS, READ_INTERVAL_MS);
	HASH_ADD(hh, probe->attachments, cgroup_id, sizeof(attachment->cgroup_id), attachment);
}

static void remove_attachment(struct probe *probe, struct probe_attachment *attachment)
{
	HASH_DELETE(hh, probe->attachments, attachment);
	if (!probe->attachments)
		uv_timer_stop(&probe->timer);
}

static int write_rows(struct probe *probe, const struct probe_attachment *attachment,
		      struct error *error)
{
	int result = write_counters(probe, attachment->cgroup_id, error);

	if (result < 0)
		return result;
	result = write_target(probe, attachment, &attachment->settings, error);
	if (result < 0)
		bpf_map_delete_elem(probe->counters, &attachment->cgroup_id);
	return result;
}

static int start_attachment(struct probe *probe, struct probe_attachment *attachment,
			    struct error *error)
{
	int result = check_level(probe, attachment->level, error);

	if (result < 0)
		return result;
	if (find_attachment(probe, attachment->cgroup_id))
		return error_set(error, EEXIST, "watch a cgroup: it is watched already");
	if (attachment->settings.failures)
		result = use_failures(probe, error);
	if (result < 0)
		return result;
	result = write_rows(probe, attachment, error);
	if (result < 0 && attachment->settings.failures)
		leave_failures(probe);
	return result;
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
	return attachment;
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
	add_attachment(probe, attachment);
	update_filter(probe, attachment->cgroup_id);
	*ret_attachment = attachment;
	return 0;
}

/* What is added is there before the row asks for it, what is dropped goes after. */
static int exec_configure(struct probe *probe, struct probe_attachment *attachment,
			  const union probe_settings *settings, struct error *error)
{
	bool had_failures = attachment->settings.failures;
	int result = 0;

	if (settings->exec.failures && !had_failures)
		result = use_failures(probe, error);
	if (result < 0)
		return result;
	read_ring(probe); /* what happened until now is told in the old way */
	result = write_target(probe, attachment, &settings->exec, error);
	if (result < 0) {
		if (settings->exec.failures && !had_failures)
			leave_failures(probe);
		return result;
	}
	attachment->settings = settings->exec;
	if (had_failures && !settings->exec.failures)
		leave_failures(probe);
	return 0;
}

static bool read_counters(struct probe *probe, struct probe_attachment *attachment)
{
	return !bpf_map_lookup_elem(probe->counters, &attachment->cgroup_id, &attachment->totals);
}

/* True when every exec that was counted has been read or is counted as lost. */
static bool all_received(struct probe *probe, struct probe_attachment *attachment)
{
	const struct exec_counters *totals = &attachment->totals;

	if (!read_counters(probe, attachment))
		return true;
	return totals->execs + totals->failed ==
	       attachment->received + totals->rate_limited + totals->ring_full;
}

/* Reads what is in the ring, and what a program on another CPU is just about to put there. */
static void drain(struct probe *probe, struct probe_attachment *attachment)
{
	const struct timespec pause = {.tv_nsec = DRAIN_PAUSE_NS};

	read_ring(probe);
	for (int i = 0; i < DRAIN_TRIES && !all_received(probe, attachment); i++) {
		nanosleep(&pause, NULL);
		read_ring(probe);
	}
}

static struct probe_attachment *exec_detach(struct probe *probe,
					    struct probe_attachment *attachment)
{
	if (!attachment)
		return NULL;
	bpf_map_delete_elem(probe->targets, &attachment->cgroup_id);
	drain(probe, attachment);
	remove_attachment(probe, attachment);
	update_filter(probe, attachment->cgroup_id);
	if (attachment->settings.failures)
		leave_failures(probe);
	bpf_map_delete_elem(probe->counters, &attachment->cgroup_id);
	free(attachment);
	return NULL;
}

/* --- metrics --- */

struct family {
	const char *name;
	const char *help;
	size_t offset; /* in struct exec_counters */
};

static uint64_t counter_at(const struct probe_attachment *attachment, size_t offset)
{
	return *(const uint64_t *)((const char *)&attachment->totals + offset);
}

static void collect_counter(const struct family *family, const struct probe_series *series,
			    size_t count, struct text *out)
{
	metrics_family(out, family->name, METRIC_COUNTER, family->help);
	for (size_t i = 0; i < count; i++)
		metrics_sample(out, family->name, series[i].labels, series[i].label_count,
			       (double)counter_at(series[i].attachment, family->offset));
}

#define LOST_FAMILY "skep_exec_events_lost_total"

static void collect_lost_stage(const struct probe_series *series, const char *stage, size_t offset,
			       struct text *out)
{
	size_t count = series->label_count;
	cleanup_free struct metric_label *labels = calloc(count + 1, sizeof(*labels));

	if (!labels)
		return;
	if (count)
		memcpy(labels, series->labels, count * sizeof(*labels));
	labels[count] = (struct metric_label){"stage", stage};
	metrics_sample(out, LOST_FAMILY, labels, count + 1,
		       (double)counter_at(series->attachment, offset));
}

static void collect_lost(const struct probe_series *series, size_t count, struct text *out)
{
	metrics_family(out, LOST_FAMILY, METRIC_COUNTER,
		       "Events of execs that were counted but not handed out.");
	for (size_t i = 0; i < count; i++) {
		collect_lost_stage(&series[i], "rate_limited",
				   offsetof(struct exec_counters, rate_limited), out);
		collect_lost_stage(&series[i], "ring_full",
				   offsetof(struct exec_counters, ring_full), out);
	}
}

static void exec_collect(struct probe *probe, const struct probe_series *series, size_t count,
			 struct text *out)
{
	static const struct family execs = {"skep_exec_total", "Programs that the pod has started.",
					    offsetof(struct exec_counters, execs)};
	static const struct family failed = {
		"skep_exec_failed_total",
		"Programs that the pod tried to start in vain; counted where a policy asks for it.",
		offsetof(struct exec_counters, failed)};

	for (size_t i = 0; i < count; i++)
		(void)read_counters(probe, series[i].attachment); /* else as they were */
	collect_counter(&execs, series, count, out);
	collect_counter(&failed, series, count, out);
	collect_lost(series, count, out);
}

const struct probe_kind exec_probe_kind = {
	.type = PROBE_EXEC,
	.open = exec_open,
	.close = exec_close,
	.attach = exec_attach,
	.configure = exec_configure,
	.detach = exec_detach,
	.collect = exec_collect,
};
