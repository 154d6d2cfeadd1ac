// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/intent/http_status_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

#define CLASS_SIZE  100
#define CLASS_FIRST (HTTP_STATUS_FIRST / CLASS_SIZE)
#define CLASS_LAST  (HTTP_STATUS_LAST / CLASS_SIZE)
#define TEXT_SIZE   8

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void add_range(struct http_status_set *set, unsigned int first, unsigned int count)
{
	for (unsigned int bit = first - HTTP_STATUS_FIRST; count > 0; bit++, count--)
		set->bits[bit / 64] |= 1ULL << (bit % 64);
}

bool http_status_set_add(struct http_status_set *set, const char *text)
{
	unsigned int class;

	if (!text || strlen(text) != 3 || text[0] < '0' + CLASS_FIRST || text[0] > '0' + CLASS_LAST)
		return false;
	class = (unsigned int)(text[0] - '0') * CLASS_SIZE;
	if (strcmp(text + 1, "xx") == 0)
		add_range(set, class, CLASS_SIZE);
	else if (is_digit(text[1]) && is_digit(text[2]))
		add_range(set, class + (unsigned int)atoi(text + 1), 1);
	else
		return false;
	return true;
}

bool http_status_set_has(const struct http_status_set *set, unsigned int status)
{
	unsigned int bit = status - HTTP_STATUS_FIRST;

	return status >= HTTP_STATUS_FIRST && status <= HTTP_STATUS_LAST &&
	       set->bits[bit / 64] >> (bit % 64) & 1;
}

bool http_status_set_is_empty(const struct http_status_set *set)
{
	static const struct http_status_set empty;

	return http_status_set_equal(set, &empty);
}

void http_status_set_merge(struct http_status_set *set, const struct http_status_set *other)
{
	for (int i = 0; i < HTTP_STATUS_WORDS; i++)
		set->bits[i] |= other->bits[i];
}

bool http_status_set_equal(const struct http_status_set *a, const struct http_status_set *b)
{
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

static bool has_class(const struct http_status_set *set, unsigned int class)
{
	for (unsigned int i = 0; i < CLASS_SIZE; i++)
		if (!http_status_set_has(set, class * CLASS_SIZE + i))
			return false;
	return true;
}

static bool append(cJSON *array, const char *format, unsigned int number)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), format, number);
	return json_append_item(array, cJSON_CreateString(text));
}

static bool append_class(cJSON *array, const struct http_status_set *set, unsigned int class)
{
	if (has_class(set, class))
		return append(array, "%uxx", class);
	for (unsigned int i = 0; i < CLASS_SIZE; i++)
		if (http_status_set_has(set, class * CLASS_SIZE + i) &&
		    !append(array, "%u", class * CLASS_SIZE + i))
			return false;
	return true;
}

cJSON *http_status_set_encode(const struct http_status_set *set)
{
	cleanup_json cJSON *array = cJSON_CreateArray();

	for (unsigned int class = CLASS_FIRST; class <= CLASS_LAST; class ++)
		if (!append_class(array, set, class))
			return NULL;
	return take_pointer(array);
}
