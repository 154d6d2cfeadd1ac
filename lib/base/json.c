// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/json.h"

#include <stddef.h>

/* Doubles hold every integer up to 2^53. */
#define JSON_LARGEST_INTEGER 9007199254740992.0

const cJSON *json_find_path(const cJSON *json, const char *const names[])
{
	for (; json && *names; names++)
		json = cJSON_GetObjectItemCaseSensitive(json, *names);
	return json;
}

const char *json_string_of(const cJSON *item)
{
	return cJSON_IsString(item) ? item->valuestring : NULL;
}

const char *json_text_of(const cJSON *item)
{
	return cJSON_IsString(item) ? item->valuestring : "";
}

int64_t json_integer_of(const cJSON *item, int64_t otherwise)
{
	double value = cJSON_IsNumber(item) ? item->valuedouble : 0.5;

	if (value < -JSON_LARGEST_INTEGER || value > JSON_LARGEST_INTEGER ||
	    value != (double)(int64_t)value)
		return otherwise;
	return (int64_t)value;
}

bool json_boolean_of(const cJSON *item, bool otherwise)
{
	return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}

cJSON *json_append_object(cJSON *array)
{
	cJSON *item = array ? cJSON_CreateObject() : NULL;

	return item && cJSON_AddItemToArray(array, item) ? item : NULL;
}

bool json_append_item(cJSON *array, cJSON *item)
{
	if (array && item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
}

bool json_add_item(cJSON *object, const char *name, cJSON *item)
{
	if (object && item && cJSON_AddItemToObject(object, name, item))
		return true;
	cJSON_Delete(item);
	return false;
}
