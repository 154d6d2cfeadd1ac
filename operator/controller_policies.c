// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the watches tell of policies, of both scopes. */

#include <string.h>
#include <time.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "operator/controller_internal.h"
#include "operator/expiry.h"

/* A policy that comes or goes may have others of its namespace exceed a quota, or no more. */
static void judge_beside(struct controller *controller, const struct policy *policy)
{
	if (policy->scope == POLICY_NAMESPACED &&
	    controller_judge_namespace(controller, policy->namespace))
		controller_compile_namespace(controller, policy->namespace);
}

/* Puts the policy in the place of `former`, which may be NULL, and takes both. */
static void replace_policy(struct controller *controller, struct policy *former,
			   struct policy *policy, const cJSON *object)
{
	if (former)
		cluster_take_policy(&controller->cluster, former);
	if (cluster_add_policy(&controller->cluster, policy) == 0) {
		status_writer_learn(controller->status_writer, policy->id,
				    json_find(object, "status"));
		judge_beside(controller, policy);
		controller_compile_reach(controller, policy, former);
		controller_touch_policy(controller, policy);
	} else {
		log_error("a policy cannot be kept: out of memory");
		controller_compile_reach(controller, NULL, former);
	}
	policy_free(former);
}

/* Standing by: what the leader has written holds here as well. */
static void learn_from_leader(struct controller *controller, struct policy *policy,
			      const cJSON *object)
{
	const cJSON *status = json_find(object, "status");

	status_writer_learn(controller->status_writer, policy->id, status);
	expiry_begin(policy, status, time(NULL));
}

static void on_policy(struct controller *controller, enum policy_scope scope, const cJSON *object)
{
	struct policy *policy, *former;

	if (policy_decode(object, scope, &policy) < 0) {
		log_error("a policy cannot be read: out of memory, or an object without a name");
		return;
	}
	expiry_begin(policy, json_find(object, "status"), time(NULL));
	former = cluster_find_policy(&controller->cluster, policy->id);
	if (former && !controller_is_at_work(controller))
		learn_from_leader(controller, former, object);
	else if (former)
		status_writer_hear(controller->status_writer, former->id,
				   json_find(object, "status"));
	if (former && strcmp(former->uid, policy->uid) == 0 &&
	    former->generation == policy->generation)
		policy_free(policy); /* only its status changed: our own write comes back */
	else
		replace_policy(controller, former, policy, object);
}

void controller_on_policy(void *context, const cJSON *object)
{
	on_policy(context, POLICY_NAMESPACED, object);
}

void controller_on_cluster_policy(void *context, const cJSON *object)
{
	on_policy(context, POLICY_CLUSTER, object);
}

void controller_on_policy_gone(void *context, const char *namespace, const char *name,
			       const char *uid)
{
	struct controller *controller = context;
	char id[POLICY_ID_SIZE];
	struct policy *policy;

	(void)uid;
	policy_format_id(namespace, name, id);
	policy = cluster_find_policy(&controller->cluster, id);
	if (!policy)
		return;
	status_writer_forget(controller->status_writer, id);
	cluster_take_policy(&controller->cluster, policy);
	judge_beside(controller, policy);
	controller_compile_reach(controller, NULL, policy);
	policy_free(policy);
}

void controller_check_expiry(struct controller *controller)
{
	struct policy *policy = controller->cluster.policies;

	for (; policy; policy = policy->hh.next) {
		if (!expiry_check(policy, time(NULL)))
			continue;
		controller_compile_reach(controller, policy, NULL);
		controller_touch_policy(controller, policy);
	}
}
