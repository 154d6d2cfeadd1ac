/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Policies, pods and labels for tests, built from the JSON that the API server would send. */
#ifndef SKEP_OPERATOR_TESTS_FIXTURE_H
#define SKEP_OPERATOR_TESTS_FIXTURE_H

#include "lib/base/tests/parse.h"

#include "lib/base/cleanup.h"
#include "operator/labels.h"
#include "operator/pod.h"
#include "operator/policy.h"
#include "operator/service.h"

/* The policy of the cluster `name` with this spec, accepted or not. */
static inline struct policy *cluster_policy_of(const char *name, const char *spec)
{
	struct policy *policy = NULL;
	cJSON *object = json_format("{'metadata': {'name': '%s', 'uid': 'u-%s', 'generation': 3},"
				    " 'spec': %s}",
				    name, name, spec);

	assert_int_equal(policy_decode(object, POLICY_CLUSTER, &policy), 0);
	cJSON_Delete(object);
	return policy;
}

/* The policy `namespace`/`name` of generation 3 with this spec, accepted or not. */
static inline struct policy *policy_in(const char *namespace, const char *name, const char *spec)
{
	struct policy *policy = NULL;
	cJSON *object = json_format("{'metadata': {'namespace': '%s', 'name': '%s', 'uid': 'u-%s',"
				    " 'generation': 3}, 'spec': %s}",
				    namespace, name, name, spec);

	assert_int_equal(policy_decode(object, POLICY_NAMESPACED, &policy), 0);
	cJSON_Delete(object);
	return policy;
}

/* An accepted policy of the namespace shop. */
static inline struct policy *policy_of(const char *name, const char *spec)
{
	struct policy *policy = policy_in("shop", name, spec);

	if (!policy->accepted)
		fail_msg("refused: %s", policy->refusal.message);
	return policy;
}

/* Takes `object`. */
static inline struct pod *pod_from(cJSON *object)
{
	struct pod *pod = NULL;

	assert_int_equal(pod_decode(object, &pod), 0);
	cJSON_Delete(object);
	return pod;
}

/* A running pod with UID "uid-<name>" and the containers `server` and `proxy`, IDs `s` and `p`. */
static inline struct pod *pod_in(const char *namespace, const char *name, const char *node,
				 const char *labels)
{
	return pod_from(json_format(
		"{'metadata': {'namespace': '%s', 'name': '%s', 'uid': 'uid-%s', 'labels': %s},"
		" 'spec': {'nodeName': '%s', 'containers': [{'name': 'server'},"
		" {'name': 'proxy'}]},"
		" 'status': {'phase': 'Running', 'containerStatuses': ["
		"{'name': 'server', 'containerID': 'containerd://s'},"
		"{'name': 'proxy', 'containerID': 'containerd://p'}]}}",
		namespace, name, name, labels, node));
}

static inline struct pod *pod_of(const char *name, const char *node, const char *labels)
{
	return pod_in("shop", name, node, labels);
}

/* A pod of shop with UID "uid-<name>" that has these addresses since its start. */
static inline struct pod *pod_at(const char *name, const char *start, const char *addresses)
{
	return pod_from(json_format(
		"{'metadata': {'namespace': 'shop', 'name': '%s', 'uid': 'uid-%s'}, 'spec': {},"
		" 'status': {'phase': 'Running', 'startTime': '%s', 'podIPs': %s}}",
		name, name, start, addresses));
}

/* The Service `namespace`/`name`. */
static inline struct service *service_in(const char *namespace, const char *name, const char *spec)
{
	struct service *service = NULL;
	cJSON *object = json_format("{'metadata': {'namespace': '%s', 'name': '%s',"
				    " 'creationTimestamp': '2026-11-21T05:00:00Z'}, 'spec': %s}",
				    namespace, name, spec);

	assert_int_equal(service_decode(object, &service), 0);
	cJSON_Delete(object);
	return service;
}

static inline struct ip_address address_of(const char *text)
{
	struct ip_address address;

	assert_true(ip_address_parse(text, &address));
	return address;
}

static inline struct labels labels_of(const char *text)
{
	struct labels labels = {0};
	cJSON *json = json_of(text);

	assert_int_equal(labels_decode(json, &labels), 0);
	cJSON_Delete(json);
	return labels;
}

#endif
