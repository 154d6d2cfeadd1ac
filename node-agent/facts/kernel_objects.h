/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The programs and maps that this process holds in the kernel, found by its descriptors: so they
 * are those that are there, whoever of the probes loaded them.
 */
#ifndef SKEP_NODE_AGENT_FACTS_KERNEL_OBJECTS_H
#define SKEP_NODE_AGENT_FACTS_KERNEL_OBJECTS_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_PROGRAMS_LIMIT	 64 /* that are named; the memory of all counts */
#define KERNEL_PROGRAM_NAME_SIZE 16

struct kernel_program {
	uint32_t id;
	char name[KERNEL_PROGRAM_NAME_SIZE];
	const char *type; /* "cgroup_skb"; static */
};

struct kernel_objects {
	struct kernel_program programs[KERNEL_PROGRAMS_LIMIT]; /* in the order of their ids */
	size_t program_count;
	/*
	 * Bytes, as the kernel counts them for the descriptors: without what storage of sockets
	 * and cgroups holds, which goes with these.
	 */
	uint64_t program_memory;
	uint64_t map_memory;
};

/* Reads /proc/self/fd: a microsecond or two for each descriptor. */
void kernel_objects_find(struct kernel_objects *ret_objects);

#endif
