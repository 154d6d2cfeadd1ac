/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What all probes do with BPF programs: load a skeleton, keep its descriptors, attach to a cgroup.
 */
#ifndef SKEP_NODE_AGENT_PROBES_PROGRAMS_H
#define SKEP_NODE_AGENT_PROBES_PROGRAMS_H

#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/base/error.h"
#include "node-agent/probes/probe.h"

/*
 * Loads the programs and maps of an object that has been opened, with libbpf's messages going to
 * our log at debug level. Returns 0, -EOPNOTSUPP where the kernel lacks what they need, or another
 * negative errno; the message says what to do.
 */
int programs_load(struct bpf_object *object, const char *probe_name, struct error *error);

/* A program or a map of an object, and where its descriptor goes. */
struct programs_part {
	const char *name;
	int *descriptor;
};

/*
 * Loads an object, given as the bytes of its ELF file, in a child process of a few milliseconds,
 * and takes the descriptors of `parts` from it, for the caller to close. Programs that are fitted
 * to the kernel's type information (CO-RE) need this: it is 5 MiB, and the agent itself never holds
 * it. Results as of programs_load(); on failure, no descriptor is set.
 */
int programs_load_aside(const void *elf, size_t size, const char *probe_name,
			const struct programs_part *parts, size_t count, struct error *error);

/*
 * A descriptor of a program or a map by name, for the caller to close; it outlives the object.
 * Returns a negative errno when there is none.
 */
int programs_take_program(const struct bpf_object *object, const char *name);
int programs_take_map(const struct bpf_object *object, const char *name);

/* Closes a descriptor of a program, map or link, if there is one, and sets it to -1. */
void programs_close(int *descriptor);

/*
 * Opens the cgroup of a target. Returns 0 with a descriptor for the caller to close, -ENOENT when
 * the cgroup has gone (also when another has come in its place), or another negative errno.
 */
int programs_open_cgroup(const struct probe_target *target, int *ret_descriptor,
			 struct error *error);

/*
 * Attaches programs[i] to the target's cgroup at hooks[i], beside whatever else is attached there.
 * Each attachment lasts as long as its link, whose descriptor goes to the caller, also when a later
 * one fails. Returns 0, or a negative errno as of programs_open_cgroup().
 */
int programs_attach_target(const struct probe_target *target, const int *programs,
			   const enum bpf_attach_type *hooks, int count, int *ret_links,
			   struct error *error);

#endif
