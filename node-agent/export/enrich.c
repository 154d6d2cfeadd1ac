// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/enrich.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

static bool add_container(cJSON *out, const char *name, const char *id)
{
	if (name && !cJSON_AddStringToObject(out, "container", name))
		return false;
	if (!name && id && !cJSON_AddNullToObject(out, "container"))
		return false;
	return !id || cJSON_AddStringToObject(out, "container_id", id);
}

static bool add_workload(cJSON *out, const struct selected_pod *pod)
{
	cJSON *workload = cJSON_AddObjectToObject(out, "workload");

	return cJSON_AddStringToObject(workload, "kind", pod->workload_kind) &&
	       cJSON_AddStringToObject(workload, "name", pod->workload_name);
}

static bool add_policies(cJSON *out, const struct strings *policies, const bool *told)
{
	cJSON *array = cJSON_AddArrayToObject(out, "policies");

	for (size_t i = 0; i < policies->count; i++)
		if ((!told || told[i]) &&
		    !json_append_item(array, cJSON_CreateString(policies->items[i])))
			return false;
	return array != NULL;
}

/* Moves the member `name` over; one that is not there is no failure. */
static bool move_member(cJSON *from, cJSON *to, const char *name)
{
	cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(from, name);

	if (!item || cJSON_AddItemToObject(to, name, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool move_members(cJSON *from, cJSON *to)
{
	while (from->child) {
		cleanup_free char *name = from->child->string ? strdup(from->child->string) : NULL;

		if (!name || !move_member(from, to, name))
			return false;
	}
	return true;
}

cJSON *event_enrich(cJSON *event, enum probe_type type, const char *node,
		    const struct selected_pod *pod, const char *container, const char *container_id,
		    const bool *told)
{
	cleanup_json cJSON *taken = event;
	cleanup_json cJSON *out = cJSON_CreateObject();
	bool complete = out && move_member(taken, out, "time") &&
			cJSON_AddStringToObject(out, "type", probe_type_name(type)) &&
			cJSON_AddStringToObject(out, "node", node) &&
			cJSON_AddStringToObject(out, "namespace", pod->namespace) &&
			cJSON_AddStringToObject(out, "pod", pod->name) &&
			add_container(out, container, container_id) && add_workload(out, pod) &&
			add_policies(out, &pod->probes[type].policies, told) &&
			move_members(taken, out);

	return complete ? take_pointer(out) : NULL;
}

void event_name_container(cJSON *event, const char *name)
{
	cJSON *item = name ? cJSON_CreateString(name) : NULL;

	if (!item)
		cJSON_DeleteItemFromObjectCaseSensitive(event, "container");
	else if (!cJSON_ReplaceItemInObjectCaseSensitive(event, "container", item))
		cJSON_Delete(item);
}
