/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* A system call at its end, seen from a tracepoint: its result, and the arguments it was given. */
#ifndef SKEP_BPF_LIB_SYSTEM_CALL_H
#define SKEP_BPF_LIB_SYSTEM_CALL_H

#include <linux/bpf.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

/* The format of the tracepoints syscalls/sys_exit_*. */
struct system_call_exit {
	__u64 common; /* not readable by programs */
	__s64 number;
	__s64 result;
};

_Static_assert(offsetof(struct system_call_exit, result) == 16, "format of the tracepoint");

/*
 * Where struct pt_regs keeps the first three arguments; user space's view of it (asm/ptrace.h) is
 * ABI. On arm64 the result takes the place of the first argument, which orig_x0, right behind the
 * ABI's part, keeps.
 */
#if defined(__TARGET_ARCH_x86)
static const __u32 system_call_registers[] = {112, 104, 96}; /* rdi, rsi, rdx */
#elif defined(__TARGET_ARCH_arm64)
static const __u32 system_call_registers[] = {272, 8, 16}; /* orig_x0, x1, x2 */
#else
#error "say where this architecture keeps the arguments of a system call"
#endif

/* Argument `index` (a constant, 0 to 2) of the current system call; 0 when it cannot be read. */
static __always_inline __u64 system_call_argument(int index)
{
	struct pt_regs *registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value),
			      (const char *)registers + system_call_registers[index]);
	return value;
}

#endif
