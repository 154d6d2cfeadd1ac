// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes what the operator makes of objects of the API server: bytes are read as a policy, as a
 * quota and as a pod, compiled against a pod and a policy that are well-formed, and judged into a
 * status.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "operator/compile.h"
#include "operator/expiry.h"
#include "operator/quota.h"
#include "operator/status.h"

static const char good_policy[] =
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"p\",\"uid\":\"u\"},"
	"\"spec\":{\"selector\":{},\"probes\":[{\"type\":\"TCP\"},{\"type\":\"Exec\"}]}}";
static const char good_pod[] = "{\"metadata\":{\"namespace\":\"shop\",\"name\":\"a\",\"uid\":\"u\","
			       "\"labels\":{\"app\":\"web\"}},\"spec\":{\"nodeName\":\"n\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_policy(const cJSON *object, enum policy_scope scope, const struct pod *pod)
{
	const struct labels none = {0};
	struct aggregate aggregate = {0};
	struct policy_lists policies = {0};
	struct selected_pod *selected = NULL;
	struct policy *policy = NULL;

	if (policy_decode(object, scope, &policy) < 0)
		return;
	policies.of_namespace = policy;
	expiry_begin(policy, cJSON_GetObjectItem(object, "status"), 0);
	cJSON_Delete(status_make(policy, &aggregate, cJSON_GetObjectItem(object, "status"), 0));
	if (compile_pod(&policies, pod, &none, &selected) == 0)
		selected_pod_free(selected);
	policy_free(policy);
}

static void try_quota(const cJSON *object, struct policy *policy)
{
	const struct labels none = {0};
	struct quota *quota = NULL, *table = NULL;
	struct quota_bounds bounds;

	if (quota_decode(object, &quota) < 0)
		return;
	HASH_ADD_KEYPTR(hh, table, quota->name, strlen(quota->name), quota);
	bounds = quota_bounds_of(table, &none);
	(void)quota_judge(&bounds, 1, policy); /* either verdict is right */
	HASH_DEL(table, quota);
	quota_free(quota);
}

/* What is compiled of any pod must be readable at the other end. */
static void try_pod(const cJSON *object, const struct policy *policy)
{
	const struct policy_lists policies = {.of_namespace = policy};
	const struct labels none = {0};
	struct selected_pod *selected = NULL;
	struct pod *pod = NULL;

	if (pod_decode(object, &pod) < 0)
		return;
	if (!pod_equal(pod, pod))
		abort();
	if (compile_pod(&policies, pod, &none, &selected) == 0 && selected) {
		cJSON_Delete(selected_pod_encode(selected));
		selected_pod_free(selected);
	}
	pod_free(pod);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *object = cJSON_ParseWithLength((const char *)data, size);
	cJSON *policy_object = cJSON_Parse(good_policy), *pod_object = cJSON_Parse(good_pod);
	struct policy *policy = NULL;
	struct pod *pod = NULL;

	if (policy_decode(policy_object, POLICY_NAMESPACED, &policy) < 0 ||
	    pod_decode(pod_object, &pod) < 0)
		abort();
	try_policy(object, POLICY_NAMESPACED, pod);
	try_policy(object, POLICY_CLUSTER, pod);
	try_pod(object, policy);
	try_quota(object, policy);
	policy_free(policy);
	pod_free(pod);
	cJSON_Delete(pod_object);
	cJSON_Delete(policy_object);
	cJSON_Delete(object);
	return 0;
}
