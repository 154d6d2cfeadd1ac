// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int strings_add(struct strings *strings, const char *string)
{
	char **items = reallocarray(strings->items, strings->count + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	strings->items = items;
	items[strings->count] = strdup(string);
	if (!items[strings->count])
		return -ENOMEM;
	strings->count++;
	return 0;
}

int strings_add_unique(struct strings *strings, const char *string)
{
	return strings_contain(strings, string) ? 0 : strings_add(strings, string);
}

void strings_remove(struct strings *strings, const char *string)
{
	for (size_t i = 0; i < strings->count; i++) {
		if (strcmp(strings->items[i], string) != 0)
			continue;
		free(strings->items[i]);
		strings->items[i] = strings->items[--strings->count];
		return;
	}
}

bool strings_contain(const struct strings *strings, const char *string)
{
	for (size_t i = 0; i < strings->count; i++)
		if (strcmp(strings->items[i], string) == 0)
			return true;
	return false;
}

bool strings_equal(const struct strings *a, const struct strings *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *strings)
{
	if (strings->count)
		qsort(strings->items, strings->count, sizeof(*strings->items), compare_strings);
}

void strings_free(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
	*strings = (struct strings){0};
}

bool string_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
