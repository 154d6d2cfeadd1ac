// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the watch tells of quotas, and what quotas mean for policies. */

#include <string.h>

#include "lib/base/log.h"
#include "lib/kube/event.h"
#include "operator/api_group.h"
#include "operator/controller_internal.h"
#include "operator/quota.h"

bool controller_judge_namespace(struct controller *controller, const char *name)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, name);
	struct quota_bounds bounds;
	size_t older = 0;
	bool changed = false;

	if (!controller_is_at_work(controller) || !namespace || !namespace->exists)
		return false;
	bounds = quota_bounds_of(controller->cluster.quotas, &namespace->labels);
	for (struct policy *policy = namespace->policies; policy; policy = policy->scope_next) {
		if (!quota_judge(&bounds, older++, policy))
			continue;
		changed = true;
		controller_touch_policy(controller, policy);
	}
	return changed;
}

void controller_judge_all(struct controller *controller)
{
	const struct cluster_namespace *namespace = controller->cluster.namespaces;

	for (; namespace; namespace = namespace->hh.next)
		if (controller_judge_namespace(controller, namespace->name))
			controller_compile_namespace(controller, namespace->name);
}

/* A quota that cannot be read binds more than it should: the leader tells whoever wrote it. */
static void tell_trouble(const struct controller *controller, const struct quota *quota)
{
	const struct kube_object_reference object = {.api_version = API_VERSION,
						     .kind = "ProbeQuota",
						     .name = quota->name,
						     .uid = quota->uid};

	if (!*quota->trouble.message || !controller_is_at_work(controller))
		return;
	log_warn("ProbeQuota %s binds every namespace, as its selector cannot be read: %s",
		 quota->name, quota->trouble.message);
	kube_event_send(controller->client, &object, true, "InvalidSpec", quota->trouble.message,
			"skep-operator");
}

void controller_tell_quotas(const struct controller *controller)
{
	const struct quota *quota = controller->cluster.quotas;

	for (; quota; quota = quota->hh.next)
		tell_trouble(controller, quota);
}

void controller_on_quota(void *context, const cJSON *object)
{
	struct controller *controller = context;
	struct quota *quota, *former;

	if (quota_decode(object, &quota) < 0) {
		log_error(
			"a ProbeQuota cannot be read: out of memory, or an object without a name");
		return;
	}
	former = cluster_find_quota(&controller->cluster, quota->name);
	if (former)
		cluster_take_quota(&controller->cluster, former);
	if (cluster_add_quota(&controller->cluster, quota) < 0)
		log_error("a ProbeQuota cannot be kept: out of memory");
	else if (!former || strcmp(former->trouble.message, quota->trouble.message) != 0)
		tell_trouble(controller, quota);
	quota_free(former);
	controller_judge_all(controller);
}

void controller_on_quota_gone(void *context, const char *namespace, const char *name,
			      const char *uid)
{
	struct controller *controller = context;
	struct quota *quota = cluster_find_quota(&controller->cluster, name);

	(void)namespace;
	(void)uid;
	if (!quota)
		return;
	cluster_take_quota(&controller->cluster, quota);
	quota_free(quota);
	controller_judge_all(controller);
}
