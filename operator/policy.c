// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/json.h"
#include "operator/timestamp.h"

const struct policy_kind policy_kinds[POLICY_SCOPES] = {
	[POLICY_NAMESPACED] = {"ObservabilityPolicy", "observabilitypolicies"},
	[POLICY_CLUSTER] = {"ClusterObservabilityPolicy", "clusterobservabilitypolicies"},
};

void policy_format_id(const char *namespace, const char *name, char id[POLICY_ID_SIZE])
{
	bool named = namespace && *namespace;

	snprintf(id, POLICY_ID_SIZE, "%s%s%s", named ? namespace : "", named ? "/" : "", name);
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	free(policy->uid);
	free(policy->namespace);
	free(policy->name);
	free(policy->id);
	selector_free(&policy->namespace_selector);
	selector_free(&policy->selector);
	selector_free(&policy->node_selector);
	strings_free(&policy->containers);
	for (int type = 0; type < PROBE_TYPES; type++)
		probe_settings_free((enum probe_type)type, &policy->probes[type].settings);
	free(policy);
	return NULL;
}

static int decode_probe(const cJSON *entry, struct policy *policy, struct error *error)
{
	const char *name = json_text(entry, "type");
	struct policy_probe *probe;
	enum probe_type type;
	int result;

	if (probe_type_parse(name, &type) < 0)
		return error_set(error, EINVAL,
				 "type: \"%.40s\" is not known; use TCP, Exec, DNS or HTTP", name);
	probe = &policy->probes[type];
	if (probe->wanted)
		return error_set(error, EINVAL, "type: %s stands twice; join the two", name);
	probe->text_given = probe_text_is_given(type, entry);
	probe->text_most = PROBE_TEXT_RAW;
	result = probe_settings_decode(type, entry, &probe->settings, error);
	probe->wanted = result == 0;
	return result;
}

static int decode_probes(const cJSON *json, struct policy *policy, struct error *error)
{
	const cJSON *entry;
	int count = cJSON_GetArraySize(json);
	int index = 0, result = 0;

	if (!cJSON_IsArray(json) || count < 1 || count > PROBE_TYPES)
		return error_set(error, EINVAL,
				 "spec.probes: must list from 1 to %d probes, each type once",
				 PROBE_TYPES);
	cJSON_ArrayForEach(entry, json) {
		result = decode_probe(entry, policy, error);
		if (result < 0)
			return error_wrap(error, result, "spec.probes[%d]", index);
		index++;
	}
	return 0;
}

static int decode_containers(const cJSON *json, struct policy *policy, struct error *error)
{
	const cJSON *item;

	if (json && !cJSON_IsArray(json))
		return error_set(error, EINVAL, "spec.containers: must be a list of names");
	if (cJSON_GetArraySize(json) > POLICY_CONTAINERS_LIMIT)
		return error_set(error, EINVAL, "spec.containers: at most %d can be named",
				 POLICY_CONTAINERS_LIMIT);
	cJSON_ArrayForEach(item, json) {
		if (!*json_text_of(item))
			return error_set(error, EINVAL,
					 "spec.containers: each must be a container's name");
		if (strings_add_unique(&policy->containers, item->valuestring) < 0)
			return error_set(error, ENOMEM, "out of memory");
	}
	return 0;
}

static int decode_suspend(const cJSON *json, struct policy *policy, struct error *error)
{
	if (json && !cJSON_IsBool(json))
		return error_set(error, EINVAL, "spec.suspend: must be true or false");
	policy->suspend = cJSON_IsTrue(json);
	return 0;
}

static int decode_mode(const cJSON *json, struct policy *policy, struct error *error)
{
	const char *name = json ? json_text_of(json) : "Active";

	if (strcmp(name, "Active") != 0 && strcmp(name, "Preview") != 0)
		return error_set(error, EINVAL,
				 "spec.mode: \"%.40s\" is not known; use Active or Preview", name);
	policy->mode = strcmp(name, "Preview") == 0 ? POLICY_PREVIEW : POLICY_ACTIVE;
	return 0;
}

static int decode_expires_after(const cJSON *json, struct policy *policy, struct error *error)
{
	uint64_t ns, seconds;
	int result;

	if (!json)
		return 0;
	result = duration_parse(json_text_of(json), &ns, error);
	if (result < 0) {
		error_wrap(error, result, "spec.expiresAfter");
		return -EINVAL;
	}
	seconds = ns / DURATION_SECOND + (ns % DURATION_SECOND > 0);
	if (ns < POLICY_EXPIRES_LEAST * DURATION_SECOND || seconds > POLICY_EXPIRES_MOST)
		return error_set(error, EINVAL,
				 "spec.expiresAfter: %.40s is out of bounds; use 1s to 720h",
				 json_text_of(json));
	policy->expires_after = (int64_t)seconds;
	return 0;
}

static int decode_budget(const cJSON *json, struct policy *policy, struct error *error)
{
	int result = budget_decode(json, &policy->budget, error);

	if (result < 0)
		return error_wrap(error, result, "spec.budget");
	for (int part = 0; part < BUDGET_PARTS; part++)
		policy->bounds[part].most = policy->budget.most[part];
	return 0;
}

static int decode_spec(const cJSON *spec, struct policy *policy, struct error *error)
{
	int result = 0;

	if (policy->scope == POLICY_CLUSTER)
		result = selector_decode(json_find(spec, "namespaceSelector"),
					 "spec.namespaceSelector", &policy->namespace_selector,
					 error);
	if (result == 0)
		result = selector_decode(json_find(spec, "selector"), "spec.selector",
					 &policy->selector, error);
	if (result == 0)
		result = selector_decode_labels(json_find(spec, "nodeSelector"),
						"spec.nodeSelector", &policy->node_selector, error);
	if (result == 0)
		result = decode_containers(json_find(spec, "containers"), policy, error);
	if (result == 0)
		result = decode_probes(json_find(spec, "probes"), policy, error);
	if (result == 0)
		result = decode_suspend(json_find(spec, "suspend"), policy, error);
	if (result == 0)
		result = decode_mode(json_find(spec, "mode"), policy, error);
	if (result == 0)
		result = decode_expires_after(json_find(spec, "expiresAfter"), policy, error);
	if (result == 0)
		result = decode_budget(json_find(spec, "budget"), policy, error);
	return result;
}

static int decode_metadata(const cJSON *object, struct policy *policy)
{
	const cJSON *metadata = json_find(object, "metadata");
	const char *namespace = json_text(metadata, "namespace");
	const char *name = json_text(metadata, "name");
	bool namespaced = policy->scope == POLICY_NAMESPACED;
	char id[POLICY_ID_SIZE];

	if (!*json_text(metadata, "uid") || !*name || (*namespace != '\0') != namespaced)
		return -EINVAL;
	policy_format_id(namespace, name, id);
	policy->uid = strdup(json_text(metadata, "uid"));
	policy->namespace = namespaced ? strdup(namespace) : NULL;
	policy->name = strdup(name);
	policy->id = strdup(id);
	policy->generation = json_integer(metadata, 0, "generation");
	policy->created = timestamp_parse(json_text(metadata, "creationTimestamp"));
	if (!policy->uid || (namespaced && !policy->namespace) || !policy->name || !policy->id)
		return -ENOMEM;
	return 0;
}

int policy_decode(const cJSON *object, enum policy_scope scope, struct policy **ret_policy)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	int result;

	if (!policy)
		return -ENOMEM;
	policy->scope = scope;
	result = decode_metadata(object, policy);
	if (result == 0) {
		result = decode_spec(json_find(object, "spec"), policy, &policy->refusal);
		policy->accepted = result == 0;
		if (result == -EINVAL)
			result = 0;
	}
	if (result < 0) {
		policy_free(policy);
		return result;
	}
	*ret_policy = policy;
	return 0;
}

/* Whether the pod has any of the containers that the policy names, if it names some. */
static bool has_named_container(const struct policy *policy, const struct pod *pod)
{
	for (size_t i = 0; i < policy->containers.count; i++)
		if (pod_has_container(pod, policy->containers.items[i]))
			return true;
	return policy->containers.count == 0;
}

bool policy_reaches(const struct policy *policy, const char *namespace,
		    const struct labels *namespace_labels)
{
	if (policy->scope == POLICY_NAMESPACED)
		return strcmp(policy->namespace, namespace) == 0;
	return namespace_labels && selector_matches(&policy->namespace_selector, namespace_labels);
}

static bool is_in_force(const struct policy *policy)
{
	return policy->accepted && !policy->over_quota && !policy->suspend && !policy->expired;
}

bool policy_concerns_pod(const struct policy *policy, const struct pod *pod)
{
	return policy->accepted && !pod->finished && *pod->node &&
	       policy_reaches(policy, pod->namespace, pod->namespace_labels) &&
	       selector_matches(&policy->selector, &pod->labels) &&
	       has_named_container(policy, pod);
}

bool policy_matches_pod(const struct policy *policy, const struct pod *pod)
{
	return is_in_force(policy) && policy_concerns_pod(policy, pod);
}

bool policy_selects_pod(const struct policy *policy, const struct pod *pod)
{
	return policy->mode == POLICY_ACTIVE && policy_matches_pod(policy, pod);
}

bool policy_selects_node(const struct policy *policy, const struct labels *node_labels)
{
	return selector_matches(&policy->node_selector, node_labels);
}

struct budget policy_budget(const struct policy *policy)
{
	struct budget budget;

	for (int part = 0; part < BUDGET_PARTS; part++)
		budget.most[part] = policy->bounds[part].most;
	return budget;
}

int policy_compare_age(const struct policy *a, const struct policy *b)
{
	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return strcmp(a->name, b->name);
}
