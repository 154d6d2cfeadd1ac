/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Where this kernel keeps fields of its structs, from its own type information (BTF). That is 5
 * MiB, so a child process of a few milliseconds reads it and passes on a few numbers: the agent
 * itself never holds it.
 */
#ifndef SKEP_NODE_AGENT_PROBES_KERNEL_LAYOUT_H
#define SKEP_NODE_AGENT_PROBES_KERNEL_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

struct kernel_field {
	const char *type;   /* "task_struct" */
	const char *member; /* "real_parent"; members of nameless structs within count as its own */
};

/*
 * Finds the offsets, in bytes, of `count` fields in the BTF file at `path` (KERNEL_BTF). A field
 * that is not found, or without BTF any, has offset 0. Blocks for some milliseconds; forks once.
 * Returns the number of fields found.
 */
size_t kernel_layout_find(const char *path, const struct kernel_field *fields, size_t count,
			  uint32_t *ret_offsets);

#endif
