// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/fleet_form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

static uint64_t form_hash(const void *item)
{
	const struct fleet_form *form = item;

	return pointer_set_hash(form->text, strlen(form->text));
}

static bool form_equal(const void *item, const void *text)
{
	const struct fleet_form *form = item;

	return strcmp(form->text, text) == 0;
}

static const struct pointer_set_kind forms_kind = {form_hash, form_equal};

/* The message with nothing in place of what is the pod's own; NULL: no memory. */
static char *write_common(const struct selected_pod *pod)
{
	struct selected_pod common = *pod;
	cleanup_free struct selected_container *containers =
		calloc(pod->container_count + 1, sizeof(*containers));
	cleanup_json cJSON *json = NULL;

	if (!containers)
		return NULL;
	for (size_t i = 0; i < pod->container_count; i++)
		containers[i] = (struct selected_container){pod->containers[i].name, ""};
	common.uid = common.name = "";
	common.containers = containers;
	json = selected_pod_encode(&common);
	return json ? cJSON_PrintUnformatted(json) : NULL;
}

static struct fleet_form *form_new(struct pointer_set *table, const char *text)
{
	struct fleet_form *form = malloc(sizeof(*form) + strlen(text) + 1);

	if (!form)
		return NULL;
	form->table = table;
	form->holders = 0;
	form->policies = (struct strings){0};
	strcpy(form->text, text);
	if (pointer_set_add(table, &forms_kind, form) < 0) {
		free(form);
		return NULL;
	}
	return form;
}

struct fleet_form *fleet_form_of(struct pointer_set *table, const struct selected_pod *pod)
{
	cleanup_free char *text = write_common(pod);
	struct fleet_form *form;

	if (!text)
		return NULL;
	form = pointer_set_find(table, &forms_kind, text, pointer_set_hash(text, strlen(text)));
	if (!form)
		form = form_new(table, text);
	if (form)
		form->holders++;
	return form;
}

struct fleet_form *fleet_form_release(struct fleet_form *form)
{
	if (!form || --form->holders)
		return NULL;
	pointer_set_remove(form->table, &forms_kind, form);
	strings_free(&form->policies);
	free(form);
	return NULL;
}

static int add_policies(const cJSON *probe, struct strings *policies)
{
	const cJSON *policy;

	cJSON_ArrayForEach(policy, json_find(probe, "policies"))
		if (strings_add_unique(policies, json_text_of(policy)) < 0)
			return -ENOMEM;
	return 0;
}

/* Once for all pods that share the form: of policies that it names there are up to 256. */
static int read_policies(struct fleet_form *form)
{
	cleanup_json cJSON *pod = cJSON_Parse(form->text);
	int result = pod ? 0 : -ENOMEM;
	const cJSON *probe;

	cJSON_ArrayForEach(probe, json_find(pod, "probes"))
		if (result == 0)
			result = add_policies(probe, &form->policies);
	if (result < 0)
		strings_free(&form->policies);
	return result;
}

bool fleet_form_names(struct fleet_form *form, const char *policy)
{
	if (!form->policies.count && read_policies(form) < 0)
		return true;
	return strings_contain(&form->policies, policy);
}

static void append_with_end(struct text *own, const char *string)
{
	text_append(own, string, strlen(string) + 1);
}

void fleet_form_append_own(const struct selected_pod *pod, struct text *own)
{
	append_with_end(own, pod->uid);
	append_with_end(own, pod->name);
	for (size_t i = 0; i < pod->container_count; i++)
		append_with_end(own, pod->containers[i].id);
}

/* Puts the string at *own into a member, and lets *own go on behind it. */
static bool fill_in(const cJSON *object, const char *name, const char **own)
{
	const char *value = *own;

	*own += strlen(value) + 1;
	return cJSON_SetValuestring(cJSON_GetObjectItemCaseSensitive(object, name), value);
}

cJSON *fleet_form_fill(const struct fleet_form *form, const char *own)
{
	cleanup_json cJSON *pod = cJSON_Parse(form->text);
	const cJSON *container;

	if (!pod || !fill_in(pod, "uid", &own) || !fill_in(pod, "name", &own))
		return NULL;
	cJSON_ArrayForEach(container, json_find(pod, "containers")) {
		if (!fill_in(container, "id", &own))
			return NULL;
	}
	return take_pointer(pod);
}
