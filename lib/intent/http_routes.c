// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/intent/http_routes.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

/*
 * All lists that somebody holds, by their text. Nobody can tell that it is there but by the memory
 * that it saves.
 */
static struct http_routes *lists;

/* --- templates --- */

/* Templates are compared with paths as they are sent: printable, and nothing but a path. */
static bool is_literal(const char *segment, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isgraph((unsigned char)segment[i]) || strchr("?#;{}", segment[i]))
			return false;
	return size > 0;
}

#define REST "..."

/* "{name}", and as the last segment "{name...}". */
static bool is_wildcard(const char *segment, size_t size, bool last)
{
	const char *name = segment + 1;

	if (size < 3 || segment[0] != '{' || segment[size - 1] != '}')
		return false;
	size -= 2;
	if (last && size > strlen(REST) && memcmp(name + size - strlen(REST), REST, 3) == 0)
		size -= strlen(REST);
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return true;
}

static bool is_template(const char *text)
{
	const char *segment = text;

	if (*text != '/' || strlen(text) > HTTP_ROUTE_TEMPLATE_MOST)
		return false;
	while (*segment == '/' && segment[1]) {
		size_t size = strcspn(++segment, "/");

		if (!is_literal(segment, size) && !is_wildcard(segment, size, !segment[size]))
			return false;
		segment += size;
	}
	return true;
}

/* --- lists --- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Leaves out, of sorted templates, those that stand twice and those beyond the limits. */
static size_t limit(const char **items, size_t count, size_t *ret_size)
{
	size_t kept = 0, size = 0;

	for (size_t i = 0; i < count && kept < HTTP_ROUTES_LIMIT; i++) {
		if (kept && strcmp(items[kept - 1], items[i]) == 0)
			continue;
		if (size + strlen(items[i]) + 1 > HTTP_ROUTES_TEXT_LIMIT)
			break;
		size += strlen(items[i]) + 1;
		items[kept++] = items[i];
	}
	*ret_size = size;
	return kept;
}

/* The items lie behind the text, where a pointer may lie. */
static size_t items_offset(size_t text_size)
{
	size_t offset = offsetof(struct http_routes, text) + text_size;

	return (offset + _Alignof(char *) - 1) / _Alignof(char *) * _Alignof(char *);
}

static struct http_routes *list_new(const char **templates, size_t count, size_t size)
{
	struct http_routes *routes = malloc(items_offset(size) + count * sizeof(char *));
	const char **items;
	char *text;

	if (!routes)
		return NULL;
	items = (const char **)((char *)routes + items_offset(size));
	text = routes->text;
	*routes = (struct http_routes){.count = count, .items = items, .size = size};
	for (size_t i = 0; i < count; i++) {
		items[i] = text;
		text = stpcpy(text, templates[i]) + 1;
	}
	return routes;
}

/* The list of these templates: sorted and limited in place. */
static int list_of(const char **templates, size_t count, struct http_routes **ret_routes)
{
	struct http_routes *routes, *known;
	size_t size;

	qsort(templates, count, sizeof(*templates), compare);
	count = limit(templates, count, &size);
	if (count == 0) {
		*ret_routes = NULL;
		return 0;
	}
	routes = list_new(templates, count, size);
	if (!routes)
		return -ENOMEM;
	HASH_FIND(hh, lists, routes->text, size, known);
	if (known) {
		free(routes);
		routes = known;
	} else {
		HASH_ADD_KEYPTR(hh, lists, routes->text, size, routes);
	}
	if (!is_in_table(routes)) {
		free(routes);
		return -ENOMEM;
	}
	*ret_routes = http_routes_hold(routes);
	return 0;
}

static int check(const cJSON *list, struct error *error)
{
	const cJSON *item;
	size_t size = 0;
	int index = 0;

	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > HTTP_ROUTES_LIMIT)
		return error_set(error, EINVAL, "http.routes: must be a list of at most %d",
				 HTTP_ROUTES_LIMIT);
	cJSON_ArrayForEach(item, list) {
		if (!is_template(json_text_of(item)))
			return error_set(error, EINVAL,
					 "http.routes[%d]: \"%.40s\" is no route of up to %d "
					 "bytes; write it like /users/{id}/orders or "
					 "/files/{path...}",
					 index, json_text_of(item), HTTP_ROUTE_TEMPLATE_MOST);
		size += strlen(item->valuestring) + 1;
		index++;
	}
	if (size > HTTP_ROUTES_TEXT_LIMIT)
		return error_set(error, EINVAL,
				 "http.routes: all together are longer than %d bytes; leave some "
				 "out",
				 HTTP_ROUTES_TEXT_LIMIT);
	return 0;
}

int http_routes_decode(const cJSON *list, struct http_routes **ret_routes, struct error *error)
{
	const char *templates[HTTP_ROUTES_LIMIT];
	const cJSON *item;
	size_t count = 0;
	int result = list ? check(list, error) : 0;

	if (result < 0)
		return result;
	cJSON_ArrayForEach(item, list)
		templates[count++] = item->valuestring;
	if (list_of(templates, count, ret_routes) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

cJSON *http_routes_encode(const struct http_routes *routes)
{
	return cJSON_CreateStringArray(routes->items, (int)routes->count);
}

int http_routes_unite(struct http_routes *a, struct http_routes *b, struct http_routes **ret_routes)
{
	const char *templates[2 * HTTP_ROUTES_LIMIT];

	if (!a || !b || a == b) {
		*ret_routes = http_routes_hold(a ? a : b);
		return 0;
	}
	memcpy(templates, a->items, a->count * sizeof(*templates));
	memcpy(templates + a->count, b->items, b->count * sizeof(*templates));
	return list_of(templates, a->count + b->count, ret_routes);
}

struct http_routes *http_routes_hold(struct http_routes *routes)
{
	if (routes)
		routes->references++;
	return routes;
}

struct http_routes *http_routes_release(struct http_routes *routes)
{
	if (!routes || --routes->references)
		return NULL;
	HASH_DEL(lists, routes);
	free(routes);
	return NULL;
}
