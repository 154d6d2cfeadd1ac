// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/lifecycle/plan.h"

#include <stdbool.h>
#include <string.h>

static void wait_for(struct plan_wanted *wanted, const char *reason, const char *message)
{
	wanted->waiting_reason = reason;
	wanted->waiting_message = message;
}

/* The cgroup of the container `name`, or NULL while it is not there. */
static const struct container_folder *find_container(const struct selected_pod *pod,
						     const struct pod_folder *folder,
						     const char *name)
{
	for (size_t i = 0; i < pod->container_count; i++)
		if (strcmp(pod->containers[i].name, name) == 0)
			return pod_folder_container(folder, pod->containers[i].id);
	return NULL;
}

static void want_containers(const struct selected_pod *pod, const struct selected_probe *probe,
			    const struct pod_folder *folder, struct plan_wanted *wanted)
{
	for (size_t i = 0; i < probe->containers.count; i++) {
		const char *name = probe->containers.items[i];
		const struct container_folder *container = find_container(pod, folder, name);

		if (!container || wanted->count == SELECTION_CONTAINERS_LIMIT) {
			wait_for(wanted, "ContainerNotStarted",
				 "a container that the policy names has not started");
			continue;
		}
		wanted->targets[wanted->count++] = (struct plan_target){
			.cgroup_id = container->cgroup_id,
			.path = container->path,
			.container = name,
		};
	}
}

void plan_want(const struct selected_pod *pod, const struct selected_probe *probe,
	       const struct pod_folder *folder, struct plan_wanted *ret_wanted)
{
	ret_wanted->count = 0;
	wait_for(ret_wanted, NULL, NULL);
	if (!folder || !folder->present) {
		wait_for(ret_wanted, "PodNotStarted", "the pod has no cgroup on its node yet");
		return;
	}
	if (probe->containers.count) {
		want_containers(pod, probe, folder, ret_wanted);
		return;
	}
	ret_wanted->count = 1;
	ret_wanted->targets[0] = (struct plan_target){
		.cgroup_id = folder->cgroup_id,
		.path = folder->path,
	};
}

static bool is_attached(const struct plan_attached *attached, size_t count, uint64_t cgroup_id)
{
	for (size_t i = 0; i < count; i++)
		if (attached[i].cgroup_id == cgroup_id)
			return true;
	return false;
}

static bool is_wanted(const struct plan_wanted *wanted, uint64_t cgroup_id)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (wanted->targets[i].cgroup_id == cgroup_id)
			return true;
	return false;
}

size_t plan_steps(enum probe_type type, const struct plan_wanted *wanted,
		  const union probe_settings *settings, const struct plan_attached *attached,
		  size_t attached_count, struct plan_step *ret_steps)
{
	size_t count = 0;

	for (size_t i = 0; i < wanted->count; i++)
		if (!is_attached(attached, attached_count, wanted->targets[i].cgroup_id))
			ret_steps[count++] = (struct plan_step){PLAN_ATTACH, i};
	for (size_t i = 0; i < attached_count; i++)
		if (is_wanted(wanted, attached[i].cgroup_id) &&
		    !probe_settings_equal(type, &attached[i].settings, settings))
			ret_steps[count++] = (struct plan_step){PLAN_CONFIGURE, i};
	for (size_t i = 0; i < attached_count; i++)
		if (!is_wanted(wanted, attached[i].cgroup_id))
			ret_steps[count++] = (struct plan_step){PLAN_DETACH, i};
	return count;
}
