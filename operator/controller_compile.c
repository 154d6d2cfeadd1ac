// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What a change in the cluster's picture means for selections and statuses. */

#include <errno.h>

#include "lib/base/log.h"
#include "operator/compile.h"
#include "operator/controller_internal.h"

/* Compiling. */

void controller_compile(struct controller *controller, const struct pod *pod)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, pod->namespace);
	const struct cluster_node *node = cluster_find_node(&controller->cluster, pod->node);
	struct policy_lists policies = {.of_cluster = controller->cluster.cluster_policies};
	struct fleet_node *fleet_node;
	struct selected_pod *selected = NULL;
	int result;

	if (!controller_is_at_work(controller) || !namespace || !namespace->exists || !node)
		return;
	if (controller->compiling && node->turn != controller->compile_turn)
		return;
	controller->compiled++;
	policies.of_namespace = namespace->policies;
	result = compile_pod(&policies, pod, &node->labels, &selected);
	fleet_node = selected ? fleet_ensure_node(&controller->fleet, node->name,
						  controller_heard_ms(controller))
			      : fleet_find_node(&controller->fleet, node->name);
	if (result == 0 && selected && !fleet_node) {
		selected_pod_free(selected);
		result = -ENOMEM;
	}
	if (result == 0 && fleet_node)
		result = fleet_node_select(fleet_node, pod_cgroup_uid(pod), selected);
	if (result < 0)
		log_error("pod %s/%s cannot be compiled: out of memory", pod->namespace, pod->name);
	if (result > 0)
		controller_push_soon(controller);
}

void controller_compile_namespace(struct controller *controller, const char *name)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, name);

	if (!namespace)
		return;
	for (const struct pod *pod = namespace->pods; pod; pod = pod->namespace_next)
		controller_compile(controller, pod);
}

static bool reaches(const struct policy *policy, const struct cluster_namespace *namespace)
{
	return policy && policy_reaches(policy, namespace->name,
					namespace->exists ? &namespace->labels : NULL);
}

/* Whether the policy's selector takes the pod, so that what else it says matters to the pod. */
static bool concerns(const struct policy *policy, const struct pod *pod)
{
	return policy && selector_matches(&policy->selector, &pod->labels);
}

void controller_compile_reach(struct controller *controller, const struct policy *policy,
			      const struct policy *former)
{
	const struct cluster_namespace *namespace = controller->cluster.namespaces;
	const struct pod *pod;

	if (!controller_is_at_work(controller))
		return;
	for (; namespace; namespace = namespace->hh.next) {
		if (!reaches(policy, namespace) && !reaches(former, namespace))
			continue;
		for (pod = namespace->pods; pod; pod = pod->namespace_next)
			if (concerns(policy, pod) || concerns(former, pod))
				controller_compile(controller, pod);
	}
}

void controller_compile_node(struct controller *controller, const char *name)
{
	const struct cluster_node *node = cluster_find_node(&controller->cluster, name);

	if (!node)
		return;
	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		controller_compile(controller, pod);
}

void controller_deselect(struct controller *controller, const struct pod *pod)
{
	struct fleet_node *node = fleet_find_node(&controller->fleet, pod->node);

	if (node && fleet_node_select(node, pod_cgroup_uid(pod), NULL) > 0)
		controller_push_soon(controller);
}

/* Statuses. */

static bool is_judged(const struct controller *controller, const struct policy *policy)
{
	const struct cluster_namespace *namespace;

	if (policy->scope == POLICY_CLUSTER)
		return true;
	namespace = cluster_find_namespace(&controller->cluster, policy->namespace);
	return namespace && namespace->exists;
}

void controller_touch_policy(struct controller *controller, const struct policy *policy)
{
	if (controller_is_at_work(controller) && is_judged(controller, policy))
		status_writer_touch(controller->status_writer, policy->id);
}

/* Those of a list by scope_next that are about the pod. */
static void touch_policies(struct controller *controller, const struct policy *policies,
			   const struct pod *pod)
{
	for (const struct policy *policy = policies; policy; policy = policy->scope_next)
		if (policy_concerns_pod(policy, pod))
			controller_touch_policy(controller, policy);
}

void controller_touch_pod(struct controller *controller, const struct pod *pod)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, pod->namespace);

	if (!controller_is_at_work(controller) || !namespace)
		return;
	touch_policies(controller, namespace->policies, pod);
	touch_policies(controller, controller->cluster.cluster_policies, pod);
}

void controller_touch_node(struct controller *controller, const char *name)
{
	const struct cluster_node *node = cluster_find_node(&controller->cluster, name);

	if (!node)
		return;
	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		controller_touch_pod(controller, pod);
}

/* An agent may name any policy; its status looks at nodes that have its pods. */
static void touch_throttled(struct controller *controller, struct fleet_node *fleet_node)
{
	const struct strings *news = &fleet_node->throttle_news;

	for (size_t i = 0; i < news->count; i++) {
		const struct policy *policy =
			cluster_find_policy(&controller->cluster, news->items[i]);

		if (policy)
			controller_touch_policy(controller, policy);
	}
	strings_free(&fleet_node->throttle_news);
}

void controller_touch_news(struct controller *controller, struct fleet_node *fleet_node)
{
	const struct cluster_node *node = cluster_find_node(&controller->cluster, fleet_node->name);

	touch_throttled(controller, fleet_node);
	if (!node)
		return;
	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		if (fleet_node_news(fleet_node, pod_cgroup_uid(pod)))
			controller_touch_pod(controller, pod);
}

static void touch_list(struct controller *controller, const struct policy *policies)
{
	for (const struct policy *policy = policies; policy; policy = policy->scope_next)
		controller_touch_policy(controller, policy);
}

void controller_touch_namespace(struct controller *controller, const char *name)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, name);

	if (namespace)
		touch_list(controller, namespace->policies);
}

void controller_touch_cluster_policies(struct controller *controller)
{
	touch_list(controller, controller->cluster.cluster_policies);
}

void controller_touch_all(struct controller *controller)
{
	const struct policy *policy = controller->cluster.policies;

	for (; policy; policy = policy->hh.next)
		controller_touch_policy(controller, policy);
}
