// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Sees the execs of the watched cgroups: those that succeed at the scheduler's tracepoint, those
 * that fail at the end of the system call (attached only while somebody asks for them: tracing any
 * system call slows all of them a little).
 *
 * Whoever is not watched is let go first thing: one bit to test for each depth at which targets
 * lie. An exec belongs to the innermost target around it.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "bpf/exec.h"
#include "bpf/lib/rate_limit.h"
#include "bpf/lib/system_call.h"
#include "bpf/lib/verifier.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EXEC_TARGETS_LIMIT);
	__type(key, __u64); /* cgroup */
	__type(value, struct exec_target);
} exec_targets SEC(".maps");

/* Apart from the targets, so that a change of settings replaces a row without touching a count. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, EXEC_TARGETS_LIMIT);
	__type(key, __u64); /* cgroup */
	__type(value, struct exec_counters);
} exec_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EXEC_RING_SIZE);
} exec_records SEC(".maps");

/* Where a record is put together; tracepoints run with preemption off, so one at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_record);
} exec_scratch SEC(".maps");

/* Written by user space, a word at a time, so that a reader never sees half of a change. */
volatile struct exec_filter filter = {};

const volatile struct exec_layout layout = {};

/* The innermost target around the current process; NULL when there is none. */
static __always_inline struct exec_target *find_target(__u64 *ret_cgroup)
{
	__u64 levels = filter.levels, cgroup;
	struct exec_target *target;
	int i;

	for (i = 0; i < EXEC_LEVELS_LIMIT && levels; i++, levels >>= 8) {
		cgroup = bpf_get_current_ancestor_cgroup_id(levels & 0xff);
		if (!(filter.bits[exec_filter_word(cgroup)] & exec_filter_bit(cgroup)))
			continue;
		target = bpf_map_lookup_elem(&exec_targets, &cgroup);
		if (target) {
			*ret_cgroup = cgroup;
			return target;
		}
	}
	return NULL;
}

/* Counts the exec and starts its record; NULL when the target has used up its rate. */
static __always_inline struct exec_record *begin_record(struct exec_counters *counters,
							const struct exec_target *target,
							__u64 cgroup, int result)
{
	__u64 now = bpf_ktime_get_ns();
	struct exec_record *record;
	__u32 zero = 0;

	__sync_fetch_and_add(result ? &counters->failed : &counters->execs, 1);
	record = bpf_map_lookup_elem(&exec_scratch, &zero);
	if (!record ||
	    !rate_limit_take(&counters->bucket, now, EXEC_RECORD_INTERVAL_NS, EXEC_RECORD_BURST)) {
		__sync_fetch_and_add(&counters->rate_limited, 1);
		return NULL;
	}
	record->time = now;
	record->target = cgroup;
	record->container = bpf_get_current_ancestor_cgroup_id(target->level + 1);
	record->pid = bpf_get_current_pid_tgid() >> 32;
	record->uid = bpf_get_current_uid_gid();
	record->result = result;
	record->flags = 0;
	record->binary_size = 0;
	record->arguments_size = 0;
	return record;
}

/* Reads the pointer or the number at an offset of a kernel struct; false where it is not known. */
static __always_inline bool read_field(void *to, __u32 size, __u64 base, __u32 offset)
{
	return offset && base && !bpf_probe_read_kernel(to, size, (void *)(base + offset));
}

static __always_inline __u32 parent_of(__u64 task)
{
	__u64 parent = 0;
	__u32 tgid = 0;

	if (!read_field(&parent, sizeof(parent), task, layout.task_real_parent) ||
	    !read_field(&tgid, sizeof(tgid), parent, layout.task_tgid))
		return 0;
	return tgid;
}

/* The path as it was called; the name of the process where it cannot be read. */
static __always_inline void read_binary(struct exec_record *record, __u64 binprm)
{
	__u64 path = 0;
	long size = 0;

	if (read_field(&path, sizeof(path), binprm, layout.binprm_filename))
		size = bpf_probe_read_kernel_str(record->text, EXEC_BINARY_SIZE, (void *)path);
	if (size <= 0) {
		bpf_get_current_comm(record->text, 16);
		size = 16;
	}
	record->binary_size = size;
}

/* Where the arguments go: behind the binary. */
static __always_inline char *text_end(struct exec_record *record, __u32 limit)
{
	__u32 used = record->binary_size + record->arguments_size;

	verifier_forget(used);
	return used <= limit ? record->text + used : NULL;
}

/* Reads the new program's arguments, which the kernel has just laid out in one piece. */
static __always_inline void read_arguments(struct exec_record *record, __u64 task)
{
	__u64 mm = 0, start = 0, end = 0, size;
	char *text = text_end(record, EXEC_BINARY_SIZE);

	if (!text || !read_field(&mm, sizeof(mm), task, layout.task_mm) ||
	    !read_field(&start, sizeof(start), mm, layout.mm_arg_start) ||
	    !read_field(&end, sizeof(end), mm, layout.mm_arg_end) || end < start)
		return;
	size = end - start;
	if (size > EXEC_ARGUMENTS_SIZE) {
		size = EXEC_ARGUMENTS_SIZE;
		record->flags |= EXEC_ARGUMENTS_MORE;
	}
	verifier_forget(size);
	if (size > EXEC_ARGUMENTS_SIZE || bpf_probe_read_user(text, size, (void *)start))
		return;
	record->arguments_size = size;
	record->flags |= EXEC_HAS_ARGUMENTS;
}

/* Hands the record on; wakes the reader only when the ring is half full: a wake-up costs more than
 * all the rest. */
static __always_inline void submit(struct exec_record *record, struct exec_counters *counters)
{
	__u64 waiting = bpf_ringbuf_query(&exec_records, BPF_RB_AVAIL_DATA);
	__u64 flags = waiting > EXEC_RING_SIZE / 2 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	__u64 size = EXEC_RECORD_HEADER_SIZE + record->binary_size + record->arguments_size;

	verifier_forget(size);
	if (size > sizeof(*record))
		size = sizeof(*record);
	if (bpf_ringbuf_output(&exec_records, record, size, flags))
		__sync_fetch_and_add(&counters->ring_full, 1);
}

SEC("raw_tp/sched_process_exec")
int exec_succeeded(struct bpf_raw_tracepoint_args *ctx)
{
	struct exec_counters *counters;
	struct exec_target *target;
	struct exec_record *record;
	__u64 cgroup;

	target = find_target(&cgroup);
	if (!target)
		return 0;
	counters = bpf_map_lookup_elem(&exec_counts, &cgroup);
	if (!counters)
		return 0;
	record = begin_record(counters, target, cgroup, 0);
	if (!record)
		return 0;
	record->parent_pid = parent_of(ctx->args[0]);
	read_binary(record, ctx->args[2]);
	if (target->wants & EXEC_WANTS_ARGUMENTS)
		read_arguments(record, ctx->args[0]);
	submit(record, counters);
	return 0;
}

/* Appends one argument. Returns false when it or the room has come to its end. */
static __always_inline bool append_argument(struct exec_record *record, __u64 address)
{
	char *text = text_end(record, sizeof(record->text) - EXEC_ARGUMENTS_SIZE / 4);
	__u32 room = EXEC_ARGUMENTS_SIZE / 4;
	long size;

	if (!text) {
		record->flags |= EXEC_ARGUMENTS_MORE;
		return false;
	}
	size = bpf_probe_read_user_str(text, room, (void *)address);
	if (size <= 0)
		return false;
	if (size == room)
		record->flags |= EXEC_ARGUMENTS_MORE;
	record->arguments_size += size;
	return true;
}

/* Reads the arguments that a failed exec was given: from the caller's array, one by one. */
static __always_inline void read_argument_array(struct exec_record *record, __u64 array)
{
	__u64 address;
	int i;

	for (i = 0; i < EXEC_ARGUMENTS_LIMIT; i++) {
		if (bpf_probe_read_user(&address, sizeof(address), (void *)(array + i * 8)))
			return;
		record->flags |= EXEC_HAS_ARGUMENTS;
		if (!address || !append_argument(record, address))
			return;
	}
	record->flags |= EXEC_ARGUMENTS_MORE;
}

/* The end of execve(path, argv, envp) or, one argument further on, of execveat(fd, path, ...). */
static __always_inline int see_failure(long result, int path_argument)
{
	struct exec_counters *counters;
	struct exec_target *target;
	struct exec_record *record;
	__u64 cgroup;
	long size;

	if (result >= 0)
		return 0;
	target = find_target(&cgroup);
	if (!target || !(target->wants & EXEC_WANTS_FAILURES))
		return 0;
	counters = bpf_map_lookup_elem(&exec_counts, &cgroup);
	if (!counters)
		return 0;
	record = begin_record(counters, target, cgroup, result);
	if (!record)
		return 0;
	record->parent_pid = parent_of(bpf_get_current_task());
	size = bpf_probe_read_user_str(record->text, EXEC_BINARY_SIZE,
				       (void *)system_call_argument(path_argument));
	record->binary_size = size > 0 ? size : 0;
	if (target->wants & EXEC_WANTS_ARGUMENTS)
		read_argument_array(record, system_call_argument(path_argument + 1));
	submit(record, counters);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int execve_returned(struct system_call_exit *ctx)
{
	return see_failure(ctx->result, 0);
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int execveat_returned(struct system_call_exit *ctx)
{
	return see_failure(ctx->result, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
