// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

struct selected_pod *selected_pod_free(struct selected_pod *pod)
{
	if (!pod)
		return NULL;
	free(pod->uid);
	free(pod->namespace);
	free(pod->name);
	free(pod->workload_kind);
	free(pod->workload_name);
	for (size_t i = 0; i < pod->container_count; i++) {
		free(pod->containers[i].name);
		free(pod->containers[i].id);
	}
	free(pod->containers);
	for (int type = 0; type < PROBE_TYPES; type++) {
		strings_free(&pod->probes[type].containers);
		strings_free(&pod->probes[type].policies);
		probe_settings_free((enum probe_type)type, &pod->probes[type].settings);
	}
	for (size_t i = 0; i < pod->budget_count; i++)
		free(pod->budgets[i].policy);
	free(pod->budgets);
	free(pod);
	return NULL;
}

/* Copies the string member `name`; an empty or missing one is an error. */
static int decode_string(const cJSON *json, const char *name, char **ret_string,
			 struct error *error)
{
	const char *value = json_text(json, name);

	if (!*value)
		return error_set(error, EINVAL, "%s: must be given", name);
	if (strlen(value) > SELECTION_STRING_LIMIT)
		return error_set(error, EINVAL, "%s: is longer than %d bytes", name,
				 SELECTION_STRING_LIMIT);
	*ret_string = strdup(value);
	return *ret_string ? 0 : error_set(error, ENOMEM, "out of memory");
}

static int decode_strings(const cJSON *array, const char *name, size_t limit,
			  struct strings *ret_strings, struct error *error)
{
	const cJSON *item;

	if (array && (!cJSON_IsArray(array) || (size_t)cJSON_GetArraySize(array) > limit))
		return error_set(error, EINVAL, "%s: must be an array of at most %zu", name, limit);
	cJSON_ArrayForEach(item, array) {
		if (!cJSON_IsString(item))
			return error_set(error, EINVAL, "%s: must hold strings", name);
		if (strings_add(ret_strings, item->valuestring) < 0)
			return error_set(error, ENOMEM, "out of memory");
	}
	return 0;
}

static int decode_containers(const cJSON *array, struct selected_pod *pod, struct error *error)
{
	const cJSON *item;
	int count = cJSON_GetArraySize(array);
	int result = 0;

	if (count == 0)
		return 0;
	if (!cJSON_IsArray(array) || count > SELECTION_CONTAINERS_LIMIT)
		return error_set(error, EINVAL, "containers: must be an array of at most %d",
				 SELECTION_CONTAINERS_LIMIT);
	pod->containers = calloc((size_t)count, sizeof(*pod->containers));
	if (!pod->containers)
		return error_set(error, ENOMEM, "out of memory");
	cJSON_ArrayForEach(item, array) {
		struct selected_container *container = &pod->containers[pod->container_count++];

		result = decode_string(item, "name", &container->name, error);
		if (result == 0)
			result = decode_string(item, "id", &container->id, error);
		if (result < 0)
			return error_wrap(error, result, "containers");
	}
	return 0;
}

static int decode_probe(const cJSON *entry, struct selected_pod *pod, struct error *error)
{
	struct selected_probe *probe;
	enum probe_type type;
	int result = probe_type_parse(json_string(entry, "type"), &type);

	if (result < 0)
		return error_set(error, EINVAL, "probes: type \"%.40s\" is not known here",
				 json_text(entry, "type"));
	probe = &pod->probes[type];
	if (probe->wanted)
		return error_set(error, EINVAL, "probes: %s stands twice", probe_type_name(type));
	probe->wanted = true;
	result = probe_settings_decode(type, entry, &probe->settings, error);
	if (result == 0)
		result = decode_strings(json_find(entry, "containers"), "containers",
					SELECTION_CONTAINERS_LIMIT, &probe->containers, error);
	if (result == 0)
		result = decode_strings(json_find(entry, "policies"), "policies",
					SELECTION_POLICIES_LIMIT, &probe->policies, error);
	return result;
}

int selected_pod_add_budget(struct selected_pod *pod, const char *policy,
			    const struct budget *budget)
{
	struct selected_budget *budgets =
		reallocarray(pod->budgets, pod->budget_count + 1, sizeof(*budgets));

	if (!budgets)
		return -ENOMEM;
	pod->budgets = budgets;
	budgets[pod->budget_count] = (struct selected_budget){strdup(policy), *budget};
	if (!budgets[pod->budget_count].policy)
		return -ENOMEM;
	pod->budget_count++;
	return 0;
}

static int decode_budget(const cJSON *item, struct selected_pod *pod, struct error *error)
{
	const char *policy = json_text(item, "policy");
	struct budget budget;
	int result = budget_decode(item, &budget, error);

	if (result < 0)
		return error_wrap(error, result, "budgets");
	if (!*policy)
		return error_set(error, EINVAL, "budgets: policy: must be given");
	if (selected_pod_add_budget(pod, policy, &budget) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

static int decode_budgets(const cJSON *array, struct selected_pod *pod, struct error *error)
{
	const cJSON *item;
	int result = 0;

	if (array && (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > SELECTION_BUDGETS_LIMIT))
		return error_set(error, EINVAL, "budgets: must be an array of at most %d",
				 SELECTION_BUDGETS_LIMIT);
	cJSON_ArrayForEach(item, array) {
		if (result == 0)
			result = decode_budget(item, pod, error);
	}
	return result;
}

static int decode_members(const cJSON *json, struct selected_pod *pod, struct error *error)
{
	const cJSON *entry;
	int result = decode_string(json, "uid", &pod->uid, error);

	if (result == 0)
		result = decode_string(json, "namespace", &pod->namespace, error);
	if (result == 0)
		result = decode_string(json, "name", &pod->name, error);
	if (result == 0)
		result = decode_string(json_find(json, "workload"), "kind", &pod->workload_kind,
				       error);
	if (result == 0)
		result = decode_string(json_find(json, "workload"), "name", &pod->workload_name,
				       error);
	if (result == 0)
		result = decode_containers(json_find(json, "containers"), pod, error);
	cJSON_ArrayForEach(entry, json_find(json, "probes")) {
		if (result == 0)
			result = decode_probe(entry, pod, error);
	}
	if (result == 0)
		result = decode_budgets(json_find(json, "budgets"), pod, error);
	return result;
}

int selected_pod_decode(const cJSON *json, struct selected_pod **ret_pod, struct error *error)
{
	struct selected_pod *pod = calloc(1, sizeof(*pod));
	int result;

	if (!pod)
		return error_set(error, ENOMEM, "out of memory");
	result = decode_members(json, pod, error);
	if (result < 0) {
		selected_pod_free(pod);
		return error_wrap(error, result, "selected pod \"%.64s\"", json_text(json, "uid"));
	}
	*ret_pod = pod;
	return 0;
}

static bool encode_strings(cJSON *object, const char *name, const struct strings *strings)
{
	if (strings->count == 0)
		return true;
	return json_add_item(
		object, name,
		cJSON_CreateStringArray((const char *const *)strings->items, (int)strings->count));
}

static bool encode_probe(cJSON *array, enum probe_type type, const struct selected_probe *probe)
{
	cJSON *entry = json_append_object(array);

	return cJSON_AddStringToObject(entry, "type", probe_type_name(type)) &&
	       encode_strings(entry, "containers", &probe->containers) &&
	       encode_strings(entry, "policies", &probe->policies) &&
	       probe_settings_encode(type, &probe->settings, entry) == 0;
}

static bool encode_containers(cJSON *json, const struct selected_pod *pod)
{
	cJSON *array = cJSON_AddArrayToObject(json, "containers");

	for (size_t i = 0; array && i < pod->container_count; i++) {
		cJSON *item = json_append_object(array);

		if (!cJSON_AddStringToObject(item, "name", pod->containers[i].name) ||
		    !cJSON_AddStringToObject(item, "id", pod->containers[i].id))
			return false;
	}
	return array != NULL;
}

static bool encode_budgets(cJSON *json, const struct selected_pod *pod)
{
	cJSON *array = pod->budget_count ? cJSON_AddArrayToObject(json, "budgets") : NULL;

	for (size_t i = 0; i < pod->budget_count; i++) {
		cJSON *item = json_append_object(array);

		if (!cJSON_AddStringToObject(item, "policy", pod->budgets[i].policy) ||
		    !budget_encode(&pod->budgets[i].budget, item))
			return false;
	}
	return true;
}

static bool encode_members(cJSON *json, const struct selected_pod *pod)
{
	cJSON *workload, *probes;

	if (!cJSON_AddStringToObject(json, "uid", pod->uid) ||
	    !cJSON_AddStringToObject(json, "namespace", pod->namespace) ||
	    !cJSON_AddStringToObject(json, "name", pod->name))
		return false;
	workload = cJSON_AddObjectToObject(json, "workload");
	if (!cJSON_AddStringToObject(workload, "kind", pod->workload_kind) ||
	    !cJSON_AddStringToObject(workload, "name", pod->workload_name))
		return false;
	probes = cJSON_AddArrayToObject(json, "probes");
	for (int type = 0; type < PROBE_TYPES; type++)
		if (pod->probes[type].wanted &&
		    !encode_probe(probes, (enum probe_type)type, &pod->probes[type]))
			return false;
	return encode_budgets(json, pod) && encode_containers(json, pod);
}

cJSON *selected_pod_encode(const struct selected_pod *pod)
{
	cleanup_json cJSON *json = cJSON_CreateObject();

	return encode_members(json, pod) ? take_pointer(json) : NULL;
}

bool selected_probe_equal(enum probe_type type, const struct selected_probe *a,
			  const struct selected_probe *b)
{
	if (!a->wanted || !b->wanted)
		return a->wanted == b->wanted;
	return strings_equal(&a->containers, &b->containers) &&
	       strings_equal(&a->policies, &b->policies) &&
	       probe_settings_equal(type, &a->settings, &b->settings);
}

static bool containers_equal(const struct selected_pod *a, const struct selected_pod *b)
{
	if (a->container_count != b->container_count)
		return false;
	for (size_t i = 0; i < a->container_count; i++)
		if (strcmp(a->containers[i].name, b->containers[i].name) != 0 ||
		    strcmp(a->containers[i].id, b->containers[i].id) != 0)
			return false;
	return true;
}

static bool budgets_equal(const struct selected_pod *a, const struct selected_pod *b)
{
	if (a->budget_count != b->budget_count)
		return false;
	for (size_t i = 0; i < a->budget_count; i++)
		if (strcmp(a->budgets[i].policy, b->budgets[i].policy) != 0 ||
		    !budget_equal(&a->budgets[i].budget, &b->budgets[i].budget))
			return false;
	return true;
}

bool selected_pod_equal(const struct selected_pod *a, const struct selected_pod *b)
{
	for (int type = 0; type < PROBE_TYPES; type++)
		if (!selected_probe_equal((enum probe_type)type, &a->probes[type],
					  &b->probes[type]))
			return false;
	return strcmp(a->uid, b->uid) == 0 && strcmp(a->namespace, b->namespace) == 0 &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->workload_kind, b->workload_kind) == 0 &&
	       strcmp(a->workload_name, b->workload_name) == 0 && containers_equal(a, b) &&
	       budgets_equal(a, b);
}
