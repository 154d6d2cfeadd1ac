// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * No containers means every one, so a union with it names none. Names that the pod does not have
 * are left out: the agent would wait for them.
 */
static int merge_containers(struct selected_probe *probe, const struct strings *containers,
			    const struct pod *pod)
{
	bool first = probe->policies.count == 0;

	if (containers->count == 0 || (!first && probe->containers.count == 0)) {
		strings_free(&probe->containers);
		return 0;
	}
	for (size_t i = 0; i < containers->count; i++)
		if (pod_has_container(pod, containers->items[i]) &&
		    strings_add_unique(&probe->containers, containers->items[i]) < 0)
			return -ENOMEM;
	strings_sort(&probe->containers);
	return 0;
}

static int merge_probe(enum probe_type type, const struct policy *policy, const struct pod *pod,
		       struct selected_probe *probe)
{
	union probe_settings settings = policy->probes[type].settings;

	probe_settings_cap_text(type, &settings, policy->probes[type].text_most);
	if (merge_containers(probe, &policy->containers, pod) < 0)
		return -ENOMEM;
	if (!probe->wanted)
		probe->settings = probe_settings_copy(type, &settings);
	else if (probe_settings_merge(type, &probe->settings, &settings) < 0)
		return -ENOMEM;
	probe->wanted = true;
	return strings_add(&probe->policies, policy->id);
}

static int merge_policy(const struct policy *policy, const struct pod *pod,
			struct selected_pod *selected)
{
	const struct budget budget = policy_budget(policy);
	int result = 0;

	for (int type = 0; type < PROBE_TYPES && result == 0; type++)
		if (policy->probes[type].wanted)
			result = merge_probe((enum probe_type)type, policy, pod,
					     &selected->probes[type]);
	if (result == 0 && !budget_is_open(&budget))
		result = selected_pod_add_budget(selected, policy->id, &budget);
	return result;
}

static int copy_containers(const struct pod *pod, struct selected_pod *selected)
{
	if (pod->container_count == 0)
		return 0;
	selected->containers = calloc(pod->container_count, sizeof(*selected->containers));
	if (!selected->containers)
		return -ENOMEM;
	for (size_t i = 0; i < pod->container_count; i++) {
		struct selected_container *copy = &selected->containers[selected->container_count];

		if (!pod->containers[i].id)
			continue;
		copy->name = strdup(pod->containers[i].name);
		copy->id = strdup(pod->containers[i].id);
		selected->container_count++;
		if (!copy->name || !copy->id)
			return -ENOMEM;
	}
	return 0;
}

static struct selected_pod *selected_pod_of(const struct pod *pod)
{
	struct selected_pod *selected = calloc(1, sizeof(*selected));

	if (!selected)
		return NULL;
	selected->uid = strdup(pod_cgroup_uid(pod));
	selected->namespace = strdup(pod->namespace);
	selected->name = strdup(pod->name);
	selected->workload_kind = strdup(pod->workload_kind);
	selected->workload_name = strdup(pod->workload_name);
	if (!selected->uid || !selected->namespace || !selected->name || !selected->workload_kind ||
	    !selected->workload_name || copy_containers(pod, selected) < 0)
		return selected_pod_free(selected);
	return selected;
}

static int compare_budgets(const void *a, const void *b)
{
	const struct selected_budget *first = a, *second = b;

	return strcmp(first->policy, second->policy);
}

/* Lists of policies are sorted, so that the result does not hang on the order of arrival. */
static void sort_policies(struct selected_pod *selected)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		strings_sort(&selected->probes[type].policies);
	if (selected->budget_count)
		qsort(selected->budgets, selected->budget_count, sizeof(*selected->budgets),
		      compare_budgets);
}

/* What is being compiled. */
struct compilation {
	const struct pod *pod;
	const struct labels *node_labels;
	struct selected_pod *selected; /* made for the first policy */
	size_t policies;	       /* that are in it */
	size_t names;		       /* bytes of theirs */
};

/* Whether there is room for one more, and with it for none that comes after. */
static bool has_room(const struct compilation *compilation, const struct policy *policy)
{
	return compilation->policies < SELECTION_POLICIES_LIMIT &&
	       compilation->names + strlen(policy->id) <= SELECTION_NAMES_LIMIT;
}

static bool is_crowded(const struct compilation *compilation)
{
	return compilation->selected && compilation->selected->crowded;
}

/* Adds what the policies of a list ask, as long as there is room for them. */
static int merge_policies(struct compilation *compilation, const struct policy *policies)
{
	const struct pod *pod = compilation->pod;
	const struct policy *policy = policies;

	for (; policy && !is_crowded(compilation); policy = policy->scope_next) {
		if (!policy_selects_pod(policy, pod) ||
		    !policy_selects_node(policy, compilation->node_labels))
			continue;
		if (!compilation->selected)
			compilation->selected = selected_pod_of(pod);
		if (!compilation->selected)
			return -ENOMEM;
		compilation->selected->crowded = !has_room(compilation, policy);
		if (is_crowded(compilation))
			return 0;
		if (merge_policy(policy, pod, compilation->selected) < 0)
			return -ENOMEM;
		compilation->policies++;
		compilation->names += strlen(policy->id);
	}
	return 0;
}

int compile_pod(const struct policy_lists *policies, const struct pod *pod,
		const struct labels *node_labels, struct selected_pod **ret_pod)
{
	struct compilation compilation = {.pod = pod, .node_labels = node_labels};
	int result = merge_policies(&compilation, policies->of_cluster);

	if (result == 0)
		result = merge_policies(&compilation, policies->of_namespace);
	if (result < 0) {
		selected_pod_free(compilation.selected);
		return result;
	}
	if (compilation.selected)
		sort_policies(compilation.selected);
	*ret_pod = compilation.selected;
	return 0;
}
