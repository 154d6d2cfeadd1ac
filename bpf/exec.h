/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/*
 * What the two halves of the Exec probe share: who is watched, what is counted, one exec's record.
 */
#ifndef SKEP_BPF_EXEC_H
#define SKEP_BPF_EXEC_H

#include <linux/types.h>

#define EXEC_TARGETS_LIMIT    4096 /* cgroups watched on one node */
#define EXEC_LEVELS_LIMIT     6	   /* different depths at which they lie */
#define EXEC_RING_SIZE	      (256 * 1024)
#define EXEC_READ_INTERVAL_MS 100 /* between two looks of user space at the ring */
#define EXEC_BINARY_SIZE      256 /* of the path of the binary, its NUL included */
#define EXEC_ARGUMENTS_SIZE   512 /* of all arguments, their NULs included */
#define EXEC_ARGUMENTS_LIMIT  16  /* arguments of a failed exec, which are read one by one */

/*
 * Each target has a bucket of 200 records, refilled at 1,000 a second, so that no target fills the
 * ring for all: EXEC_RECORDS_BETWEEN_READS, below.
 */
#define EXEC_RECORD_INTERVAL_NS 1000000ULL
#define EXEC_RECORD_BURST	200ULL

/*
 * What every exec of the node is held against first. It takes two cache lines, where a lookup in a
 * hash takes five; after an exec, all of them are cold.
 */
#define EXEC_FILTER_BITS 4096

struct exec_filter {
	__u64 levels; /* depths of the targets, a byte each, the deepest lowest */
	__u64 bits[EXEC_FILTER_BITS / 64]; /* one for each target, by the low bits of its cgroup */
};

static inline __u32 exec_filter_word(__u64 cgroup)
{
	return (cgroup % EXEC_FILTER_BITS) / 64;
}

static inline __u64 exec_filter_bit(__u64 cgroup)
{
	return 1ULL << (cgroup % 64);
}

/* What is asked of a target. */
#define EXEC_WANTS_ARGUMENTS 0x1
#define EXEC_WANTS_FAILURES  0x2

struct exec_target {
	__u32 wants;
	__u32 level; /* depth of the cgroup */
};

/* Of one target. execs + failed = records + rate_limited + ring_full. */
struct exec_counters {
	__u64 execs;  /* that succeeded */
	__u64 failed; /* counted only where they are wanted */
	__u64 rate_limited;
	__u64 ring_full;
	__u64 bucket; /* see rate_limit_take() */
};

_Static_assert(sizeof(struct exec_counters) == 40, "shared with the kernel");

#define EXEC_HAS_ARGUMENTS  0x1 /* they were read */
#define EXEC_ARGUMENTS_MORE 0x2 /* and there were more than fit */

/* In the ring buffer, as long as its text. */
struct exec_record {
	__u64 time; /* ns, CLOCK_MONOTONIC */
	__u64 target;
	__u64 container; /* the cgroup one level below the target, 0 when the process is in the
			    target */
	__u32 pid;
	__u32 parent_pid; /* 0: unknown */
	__u32 uid;
	__s32 result; /* 0, or -errno of a failed exec */
	__u32 flags;
	__u16 binary_size;				   /* with its NUL */
	__u16 arguments_size;				   /* with their NULs */
	char text[EXEC_BINARY_SIZE + EXEC_ARGUMENTS_SIZE]; /* the binary, then the arguments */
};

#define EXEC_RECORD_HEADER_SIZE 48
_Static_assert(__builtin_offsetof(struct exec_record, text) == EXEC_RECORD_HEADER_SIZE,
	       "shared with the kernel");

/*
 * One target puts 200 + 100 ms * 1,000/s = 300 records into the ring between two reads, at most.
 * The longest is 816 bytes and 8 of the ring's own (BPF_RINGBUF_HDR_SZ): 247,200 bytes of 262,144.
 */
#define EXEC_RING_HEADER_SIZE 8
#define EXEC_RECORDS_BETWEEN_READS                                                                 \
	(EXEC_RECORD_BURST + EXEC_READ_INTERVAL_MS * 1000000ULL / EXEC_RECORD_INTERVAL_NS)
_Static_assert(sizeof(struct exec_record) % 8 == 0, "the ring adds nothing to align it");
_Static_assert(EXEC_RECORDS_BETWEEN_READS *(sizeof(struct exec_record) + EXEC_RING_HEADER_SIZE) <=
		       EXEC_RING_SIZE,
	       "one target cannot fill the ring");

/*
 * Where this kernel has the fields that the programs read, as offsets in bytes; 0: not known, the
 * programs do without.
 */
struct exec_layout {
	__u32 task_real_parent; /* struct task_struct */
	__u32 task_tgid;
	__u32 task_mm;
	__u32 mm_arg_start; /* struct mm_struct */
	__u32 mm_arg_end;
	__u32 binprm_filename; /* struct linux_binprm */
};

#endif
