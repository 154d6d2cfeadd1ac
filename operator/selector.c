// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"

/* Limits of label keys and values: Kubernetes' "Labels and Selectors", syntax and character set. */
#define LABEL_NAME_LIMIT   63
#define LABEL_PREFIX_LIMIT 253

static const char *const operator_names[] = {
	[SELECTOR_IN] = "In",
	[SELECTOR_NOT_IN] = "NotIn",
	[SELECTOR_EXISTS] = "Exists",
	[SELECTOR_DOES_NOT_EXIST] = "DoesNotExist",
};
#define OPERATOR_NAMES (sizeof(operator_names) / sizeof(operator_names[0]))

/* Letters, digits, '-', '_' and '.', with a letter or digit at both ends. */
static bool is_label_name(const char *name, size_t length, size_t limit)
{
	if (length == 0 || length > limit || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

static bool is_label_key(const char *key)
{
	const char *slash = strchr(key, '/');
	const char *name = slash ? slash + 1 : key;

	if (slash && !is_label_name(key, (size_t)(slash - key), LABEL_PREFIX_LIMIT))
		return false;
	return is_label_name(name, strlen(name), LABEL_NAME_LIMIT);
}

static bool is_label_value(const char *value)
{
	return !*value || is_label_name(value, strlen(value), LABEL_NAME_LIMIT);
}

static int check_key(const char *path, const char *key, struct error *error)
{
	if (is_label_key(key))
		return 0;
	return error_set(error, EINVAL,
			 "%s: \"%.80s\" is no label key; use at most 63 letters, digits, '-', '_' "
			 "and '.', with an optional domain and '/' in front",
			 path, key);
}

static int check_value(const char *path, const char *key, const char *value, struct error *error)
{
	if (is_label_value(value))
		return 0;
	return error_set(error, EINVAL,
			 "%s[%.80s]: \"%.80s\" is no label value; use at most 63 letters, digits, "
			 "'-', '_' and '.', with a letter or digit at both ends",
			 path, key, value);
}

/* Appends an empty requirement; NULL when memory ran out. */
static struct requirement *selector_append(struct selector *selector, const char *key,
					   enum selector_operator operator)
{
	struct requirement *requirements, *added;

	requirements =
		reallocarray(selector->requirements, selector->count + 1, sizeof(*requirements));
	if (!requirements)
		return NULL;
	selector->requirements = requirements;
	added = &requirements[selector->count];
	*added = (struct requirement){.key = strdup(key), .operator= operator};
	if (!added->key)
		return NULL;
	selector->count++;
	return added;
}

static int decode_label(const cJSON *item, const char *path, struct selector *selector,
			struct error *error)
{
	struct requirement *requirement;
	int result;

	if (!cJSON_IsString(item))
		return error_set(error, EINVAL, "%s[%.80s]: must be a string", path, item->string);
	result = check_key(path, item->string, error);
	if (result == 0)
		result = check_value(path, item->string, item->valuestring, error);
	if (result < 0)
		return result;
	requirement = selector_append(selector, item->string, SELECTOR_IN);
	if (!requirement || strings_add(&requirement->values, item->valuestring) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

static int decode_labels(const cJSON *json, const char *path, struct selector *selector,
			 struct error *error)
{
	const cJSON *item;
	int result = 0;

	if (!json || cJSON_IsNull(json))
		return 0;
	if (!cJSON_IsObject(json))
		return error_set(error, EINVAL, "%s: must be a map of labels", path);
	if (cJSON_GetArraySize(json) > SELECTOR_REQUIREMENTS_LIMIT)
		return error_set(error, EINVAL, "%s: at most %d labels can be asked for", path,
				 SELECTOR_REQUIREMENTS_LIMIT);
	cJSON_ArrayForEach(item, json) {
		if (result == 0)
			result = decode_label(item, path, selector, error);
	}
	return result;
}

static int parse_operator(const char *name, const char *path, enum selector_operator *ret_operator,
			  struct error *error)
{
	for (size_t i = 0; i < OPERATOR_NAMES; i++) {
		if (strcmp(name, operator_names[i]) == 0) {
			*ret_operator = (enum selector_operator)i;
			return 0;
		}
	}
	return error_set(
		error, EINVAL,
		"%s.operator: \"%.40s\" is not known; use In, NotIn, Exists or DoesNotExist", path,
		name);
}

static int decode_values(const cJSON *json, const char *path, struct requirement *requirement,
			 struct error *error)
{
	bool wanted =
		requirement->operator== SELECTOR_IN || requirement->operator== SELECTOR_NOT_IN;
	const cJSON *item;
	int count = cJSON_GetArraySize(json);
	int result = 0;

	if (json && !cJSON_IsArray(json))
		return error_set(error, EINVAL, "%s.values: must be a list of strings", path);
	if (wanted ? count == 0 : count > 0)
		return error_set(error, EINVAL, "%s.values: %s with the operator %s", path,
				 wanted ? "must be given" : "must be left out",
				 operator_names[requirement->operator]);
	if (count > SELECTOR_VALUES_LIMIT)
		return error_set(error, EINVAL, "%s.values: at most %d can be given", path,
				 SELECTOR_VALUES_LIMIT);
	cJSON_ArrayForEach(item, json) {
		if (!cJSON_IsString(item))
			return error_set(error, EINVAL, "%s.values: must hold strings", path);
		result = check_value(path, requirement->key, item->valuestring, error);
		if (result < 0)
			return result;
		if (strings_add(&requirement->values, item->valuestring) < 0)
			return error_set(error, ENOMEM, "out of memory");
	}
	return 0;
}

static int decode_expression(const cJSON *item, const char *path, struct selector *selector,
			     struct error *error)
{
	struct requirement *requirement;
	enum selector_operator operator;
	int result = parse_operator(json_text(item, "operator"), path, &operator, error);

	if (result == 0)
		result = check_key(path, json_text(item, "key"), error);
	if (result < 0)
		return result;
	requirement = selector_append(selector, json_text(item, "key"), operator);
	if (!requirement)
		return error_set(error, ENOMEM, "out of memory");
	return decode_values(json_find(item, "values"), path, requirement, error);
}

static int decode_expressions(const cJSON *json, const char *path, struct selector *selector,
			      struct error *error)
{
	const cJSON *item;
	char place[128];
	int index = 0, result = 0;

	if (json && !cJSON_IsArray(json))
		return error_set(error, EINVAL, "%s: must be a list of requirements", path);
	if (cJSON_GetArraySize(json) > SELECTOR_REQUIREMENTS_LIMIT)
		return error_set(error, EINVAL, "%s: at most %d can be given", path,
				 SELECTOR_REQUIREMENTS_LIMIT);
	cJSON_ArrayForEach(item, json) {
		snprintf(place, sizeof(place), "%s[%d]", path, index++);
		result = decode_expression(item, place, selector, error);
		if (result < 0)
			return result;
	}
	return 0;
}

int selector_decode(const cJSON *json, const char *path, struct selector *ret_selector,
		    struct error *error)
{
	struct selector selector = {0};
	char place[96];
	int result;

	if (json && !cJSON_IsObject(json))
		return error_set(error, EINVAL,
				 "%s: must be an object with matchLabels or matchExpressions; {} "
				 "takes every pod",
				 path);
	snprintf(place, sizeof(place), "%s.matchLabels", path);
	result = decode_labels(json_find(json, "matchLabels"), place, &selector, error);
	if (result == 0) {
		snprintf(place, sizeof(place), "%s.matchExpressions", path);
		result = decode_expressions(json_find(json, "matchExpressions"), place, &selector,
					    error);
	}
	if (result < 0) {
		selector_free(&selector);
		return result;
	}
	*ret_selector = selector;
	return 0;
}

int selector_decode_labels(const cJSON *json, const char *path, struct selector *ret_selector,
			   struct error *error)
{
	struct selector selector = {0};
	int result = decode_labels(json, path, &selector, error);

	if (result < 0) {
		selector_free(&selector);
		return result;
	}
	*ret_selector = selector;
	return 0;
}

static bool requirement_holds(const struct requirement *requirement, const struct labels *labels)
{
	const char *value = labels_get(labels, requirement->key);

	switch (requirement->operator) {
	case SELECTOR_IN:
		return value && strings_contain(&requirement->values, value);
	case SELECTOR_NOT_IN:
		return !value || !strings_contain(&requirement->values, value);
	case SELECTOR_EXISTS:
		return value;
	case SELECTOR_DOES_NOT_EXIST:
		return !value;
	}
	return false;
}

bool selector_matches(const struct selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->count; i++)
		if (!requirement_holds(&selector->requirements[i], labels))
			return false;
	return true;
}

void selector_free(struct selector *selector)
{
	for (size_t i = 0; i < selector->count; i++) {
		free(selector->requirements[i].key);
		strings_free(&selector->requirements[i].values);
	}
	free(selector->requirements);
	*selector = (struct selector){0};
}
