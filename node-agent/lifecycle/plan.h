/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What has to be done so that one probe of one pod is attached as it is wanted. Pure: from what is
 * selected, what was found in the cgroup hierarchy, and what is attached, to a list of steps.
 */
#ifndef SKEP_NODE_AGENT_LIFECYCLE_PLAN_H
#define SKEP_NODE_AGENT_LIFECYCLE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/link/selection.h"
#include "node-agent/pods/folders.h"

/* A cgroup to which a probe is or shall be attached. Strings are borrowed. */
struct plan_target {
	uint64_t cgroup_id;
	const char *path;
	const char *container; /* its name; NULL for the whole pod */
};

struct plan_wanted {
	struct plan_target targets[SELECTION_CONTAINERS_LIMIT];
	size_t count;
	const char
		*waiting_reason; /* why there are not all targets yet (CamelCase); NULL: all are */
	const char *waiting_message;
};

/* The targets that `probe` of `pod` has now. `folder` is the pod's cgroup, NULL for none. */
void plan_want(const struct selected_pod *pod, const struct selected_probe *probe,
	       const struct pod_folder *folder, struct plan_wanted *ret_wanted);

/* What is attached. */
struct plan_attached {
	uint64_t cgroup_id;
	union probe_settings settings;
};

enum plan_action { PLAN_ATTACH, PLAN_CONFIGURE, PLAN_DETACH };

struct plan_step {
	enum plan_action action;
	size_t index; /* into the wanted targets to attach, else into what is attached */
};

#define PLAN_STEPS_LIMIT (2 * SELECTION_CONTAINERS_LIMIT)

/*
 * The steps from `attached` (at most SELECTION_CONTAINERS_LIMIT) to `wanted` with `settings`: first
 * what to attach, then what to configure, last what to detach, so that a change of scope leaves no
 * gap. Returns how many, at most PLAN_STEPS_LIMIT.
 */
size_t plan_steps(enum probe_type type, const struct plan_wanted *wanted,
		  const union probe_settings *settings, const struct plan_attached *attached,
		  size_t attached_count, struct plan_step *ret_steps);

#endif
