// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/node_facts.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/utf8.h"

static char *printable_copy(const char *text, size_t limit)
{
	char *copy = strndup(text, limit);

	if (copy)
		utf8_make_printable(copy);
	return copy;
}

static bool copy_text(cJSON *to, const char *name, const cJSON *from, size_t limit)
{
	cleanup_free char *copy = printable_copy(json_text(from, name), limit);

	return copy && (!*copy || cJSON_AddStringToObject(to, name, copy));
}

static bool copy_number(cJSON *to, const char *name, const cJSON *from)
{
	int64_t number = json_integer(from, 0, name);

	return cJSON_AddNumberToObject(to, name, number > 0 ? (double)number : 0);
}

static bool copy_texts(cJSON *to, const cJSON *from, const char *const names[])
{
	for (; *names; names++)
		if (!copy_text(to, *names, from, NODE_TEXT_LIMIT))
			return false;
	return to != NULL;
}

/* The members `texts` and `numbers` of the object `name`, which is left out where it is missing. */
static bool copy_object(cJSON *to, const char *name, const cJSON *from, const char *const texts[],
			const char *const numbers[])
{
	const cJSON *object = json_find(from, name);
	cJSON *copy;

	if (!cJSON_IsObject(object))
		return true;
	copy = cJSON_AddObjectToObject(to, name);
	if (!copy_texts(copy, object, texts))
		return false;
	for (; *numbers; numbers++)
		if (!copy_number(copy, *numbers, object))
			return false;
	return true;
}

static cJSON *make_text(const cJSON *from)
{
	cleanup_free char *copy = printable_copy(json_text_of(from), NODE_TEXT_LIMIT);

	return copy ? cJSON_CreateString(copy) : NULL;
}

/* The texts of the array `name`; nothing where there are none. */
static bool copy_list(cJSON *to, const char *name, const cJSON *from, int limit)
{
	cleanup_json cJSON *list = cJSON_CreateArray();
	const cJSON *item;

	if (!list)
		return false;
	cJSON_ArrayForEach(item, json_find(from, name)) {
		if (!*json_text_of(item) || cJSON_GetArraySize(list) >= limit)
			continue;
		if (!cJSON_AddItemToArray(list, make_text(item)))
			return false;
	}
	return !list->child || json_add_item(to, name, take_pointer(list));
}

/* Copies one item of an array into `to`. Returns whether there was memory for it. */
typedef bool (*item_copier)(cJSON *to, const cJSON *from);

static bool copy_missing(cJSON *to, const cJSON *from)
{
	return copy_text(to, "name", from, NODE_TEXT_LIMIT) &&
	       copy_text(to, "message", from, NODE_MESSAGE_LIMIT) &&
	       copy_list(to, "affects", from, NODE_AFFECTS_LIMIT);
}

static bool copy_program(cJSON *to, const cJSON *from)
{
	static const char *const names[] = {"name", "type", "probe", NULL};

	return copy_texts(to, from, names);
}

static bool copy_probe(cJSON *to, const cJSON *from)
{
	return copy_text(to, "type", from, NODE_TEXT_LIMIT) && copy_number(to, "pods", from);
}

/* Items without `key` are left out. */
static bool copy_items(cJSON *to, const char *name, const cJSON *from, int limit, const char *key,
		       item_copier copy)
{
	cleanup_json cJSON *array = cJSON_CreateArray();
	const cJSON *item;

	if (!array)
		return false;
	cJSON_ArrayForEach(item, json_find(from, name)) {
		if (!*json_text(item, key) || cJSON_GetArraySize(array) >= limit)
			continue;
		if (!copy(json_append_object(array), item))
			return false;
	}
	return !array->child || json_add_item(to, name, take_pointer(array));
}

static bool copy_capabilities(cJSON *to, const cJSON *from)
{
	const cJSON *object = json_find(from, "capabilities");
	cJSON *copy = cJSON_AddObjectToObject(to, "capabilities");

	return copy && copy_list(copy, "available", object, NODE_CAPABILITIES_LIMIT) &&
	       copy_items(copy, "missing", object, NODE_CAPABILITIES_LIMIT, "name", copy_missing);
}

static bool copy_objects(cJSON *to, const cJSON *from)
{
	static const char *const none[] = {NULL};
	static const char *const agent[] = {"version", NULL};
	static const char *const kernel[] = {"release", "architecture", NULL};
	static const char *const cgroup[] = {"mode", "path", NULL};
	static const char *const pods[] = {"selected", "attached",    "waiting",
					   "failed",   "unsupported", NULL};
	static const char *const memory[] = {"programs", "maps", NULL};
	static const char *const lost[] = {"rateLimited", "ringFull", "tableFull",
					   "decode",	  "export",   NULL};

	return copy_object(to, "agent", from, agent, none) &&
	       copy_object(to, "kernel", from, kernel, none) &&
	       copy_object(to, "cgroup", from, cgroup, none) &&
	       copy_object(to, "pods", from, none, pods) &&
	       copy_object(to, "kernelMemory", from, none, memory) &&
	       copy_object(to, "lost", from, none, lost);
}

int node_facts_decode(const cJSON *message, cJSON **ret_facts, struct error *error)
{
	cleanup_json cJSON *facts = NULL;

	if (!*json_text(message, "agent", "version"))
		return error_set(error, EINVAL, "agent.version: must be a text");
	if (!*json_text(message, "kernel", "release"))
		return error_set(error, EINVAL, "kernel.release: must be a text");
	facts = cJSON_CreateObject();
	if (!facts || !copy_objects(facts, message) || !copy_capabilities(facts, message) ||
	    !copy_items(facts, "probes", message, NODE_PROBES_LIMIT, "type", copy_probe) ||
	    !copy_items(facts, "programs", message, NODE_PROGRAMS_LIMIT, "name", copy_program))
		return error_set(error, ENOMEM, "out of memory");
	*ret_facts = take_pointer(facts);
	return 0;
}
