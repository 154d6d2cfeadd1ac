// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/json.h"

#include <stddef.h>
#include <string.h>

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

/* FNV-1a, 64 bits. */
#define DIGEST_BASIS 14695981039346656037ULL
#define DIGEST_PRIME 1099511628211ULL

static uint64_t digest_bytes(uint64_t digest, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		digest = (digest ^ bytes[i]) * DIGEST_PRIME;
	return digest;
}

/* What a value says without what is in it. */
static uint64_t digest_value(const cJSON *json)
{
	int type = json->type & 0xff;
	uint64_t digest = digest_bytes(DIGEST_BASIS, &type, sizeof(type));

	if (cJSON_IsNumber(json))
		digest = digest_bytes(digest, &json->valuedouble, sizeof(json->valuedouble));
	if (cJSON_IsString(json))
		digest = digest_bytes(digest, json->valuestring, strlen(json->valuestring));
	return digest;
}

uint64_t json_digest(const cJSON *json)
{
	uint64_t digest, members = 0, inner;
	const cJSON *item;

	if (!json)
		return 0;
	digest = digest_value(json);
	cJSON_ArrayForEach(item, json) {
		inner = json_digest(item);
		if (cJSON_IsObject(json))
			members += digest_bytes(inner, item->string, strlen(item->string));
		else
			digest = digest_bytes(digest, &inner, sizeof(inner));
	}
	return digest_bytes(digest, &members, sizeof(members));
}
