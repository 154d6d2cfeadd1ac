// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_labels(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static int labels_add(struct labels *labels, const cJSON *item)
{
	struct label *label = &labels->items[labels->count];

	*label = (struct label){.key = strdup(item->string), .value = strdup(item->valuestring)};
	labels->count++;
	return label->key && label->value ? 0 : -ENOMEM;
}

int labels_decode(const cJSON *json, struct labels *ret_labels)
{
	struct labels labels = {0};
	int size = cJSON_GetArraySize(json);
	const cJSON *item;
	int result = 0;

	if (size <= 0) {
		*ret_labels = labels;
		return 0;
	}
	labels.items = calloc((size_t)size, sizeof(*labels.items));
	if (!labels.items)
		return -ENOMEM;
	cJSON_ArrayForEach(item, json) {
		if (result == 0 && item->string && cJSON_IsString(item))
			result = labels_add(&labels, item);
	}
	if (result < 0) {
		labels_free(&labels);
		return result;
	}
	if (labels.count)
		qsort(labels.items, labels.count, sizeof(*labels.items), compare_labels);
	*ret_labels = labels;
	return 0;
}

/* Puts one more label behind the others. */
static int labels_append(struct labels *labels, const char *key, const char *value)
{
	struct label *items = realloc(labels->items, (labels->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	labels->items = items;
	items[labels->count] = (struct label){.key = strdup(key), .value = strdup(value)};
	if (!items[labels->count].key || !items[labels->count].value) {
		free(items[labels->count].key);
		free(items[labels->count].value);
		return -ENOMEM;
	}
	labels->count++;
	qsort(items, labels->count, sizeof(*items), compare_labels);
	return 0;
}

int labels_set(struct labels *labels, const char *key, const char *value)
{
	char *copy;

	for (size_t i = 0; i < labels->count; i++) {
		if (strcmp(labels->items[i].key, key) != 0)
			continue;
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
		free(labels->items[i].value);
		labels->items[i].value = copy;
		return 0;
	}
	return labels_append(labels, key, value);
}

const char *labels_get(const struct labels *labels, const char *key)
{
	const struct label wanted = {.key = (char *)key};
	const struct label *found = NULL;

	if (labels->count)
		found = bsearch(&wanted, labels->items, labels->count, sizeof(wanted),
				compare_labels);
	return found ? found->value : NULL;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i].key, b->items[i].key) != 0 ||
		    strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return true;
}

void labels_free(struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
	*labels = (struct labels){0};
}
