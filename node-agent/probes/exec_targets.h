/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The targets of the Exec probe: our table of them, their rows in the kernel's maps, and the filter
 * that each exec of the node is held against first.
 */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_TARGETS_H
#define SKEP_NODE_AGENT_PROBES_EXEC_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "bpf/exec.h"
#include "lib/base/error.h"
#include "lib/intent/intent.h"
#include "node-agent/probes/exec_programs.h"
#include "node-agent/probes/probe.h"

/* One target as the Exec probe keeps it. */
struct probe_attachment {
	uint64_t cgroup_id;
	unsigned int level;
	bool is_container;
	struct exec_settings settings;
	uint64_t received;	     /* records */
	uint64_t undecoded;	     /* of these, records that gave no event */
	struct exec_counters totals; /* when last read */
	struct series_owner *series;
	struct exec_counters added; /* of the totals, what the series have */
	uint64_t undecoded_added;
	UT_hash_handle hh;
};

struct exec_targets {
	int rows;     /* the kernel's map of targets; not owned */
	int counters; /* and of their counters; not owned */
	volatile struct exec_filter *filter;
	struct probe_attachment *attachments;
};

/* Finds its maps among `programs`, which must outlive it. Returns 0 or a negative errno. */
int exec_targets_open(struct exec_targets *targets, const struct exec_programs *programs,
		      struct error *error);

/* Lets go of the kernel's maps; every target has been removed. */
void exec_targets_close(struct exec_targets *targets);

/* Returns NULL for a cgroup that is no target. */
struct probe_attachment *exec_targets_find(const struct exec_targets *targets, uint64_t cgroup_id);

/*
 * Adds a target: from return on, execs in it are recorded. Returns 0, or a negative errno with
 * nothing changed: -ENOSPC when there are too many targets or depths, -EEXIST for a cgroup that is
 * one already. The attachment stays the caller's.
 */
int exec_targets_add(struct exec_targets *targets, struct probe_attachment *attachment,
		     struct error *error);

/* Asks other things of a target. Returns 0 or a negative errno with nothing changed. */
int exec_targets_change(struct exec_targets *targets, struct probe_attachment *attachment,
			const struct exec_settings *settings, struct error *error);

/* Records no more of a target; its counters stay, to be read a last time. */
void exec_targets_stop(struct exec_targets *targets, const struct probe_attachment *attachment);

/* Removes a target that was stopped. */
void exec_targets_remove(struct exec_targets *targets, struct probe_attachment *attachment);

/* Reads a target's totals; returns false, with them as they were, when the kernel has none. */
bool exec_targets_count(const struct exec_targets *targets, struct probe_attachment *attachment);

#endif
