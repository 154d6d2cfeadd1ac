/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The routes by which a policy wants HTTP counted: templates like "/users/{id}/orders", of which a
 * {name} takes one segment of a path and a last {name...} one or more.
 *
 * A list is immutable, sorted, and shared: there is one of each, however many pods have it, so that
 * a cluster of pods costs one list. Two lists with the same templates are the same pointer.
 */
#ifndef SKEP_LIB_INTENT_HTTP_ROUTES_H
#define SKEP_LIB_INTENT_HTTP_ROUTES_H

#include <stddef.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/base/error.h"

#define HTTP_ROUTES_LIMIT	 200
#define HTTP_ROUTES_TEXT_LIMIT	 8192 /* bytes of all templates */
#define HTTP_ROUTE_TEMPLATE_MOST 128  /* bytes of one */

struct http_routes {
	size_t count;
	const char *const *items; /* sorted by byte value, each once */
	size_t references;
	size_t size; /* of the text */
	UT_hash_handle hh;
	char text[]; /* the templates, each with its '\0' */
};

/*
 * Reads the list "http.routes"; NULL for none. Returns 0 with *ret_routes, which the caller holds
 * (http_routes_release()), or -EINVAL with field and remedy, -ENOMEM.
 */
int http_routes_decode(const cJSON *list, struct http_routes **ret_routes, struct error *error);

/* The list as JSON, owned by the caller; NULL when memory ran out. */
cJSON *http_routes_encode(const struct http_routes *routes);

/*
 * What either list has, one or both of which may be NULL: the first ones, by byte value, that fit
 * within the limits. The order in which lists are united makes no difference. Returns 0 with
 * *ret_routes, held by the caller, or -ENOMEM.
 */
int http_routes_unite(struct http_routes *a, struct http_routes *b,
		      struct http_routes **ret_routes);

/* Holds the list once more; returns it. NULL is taken. */
struct http_routes *http_routes_hold(struct http_routes *routes);

/* The last one to release it frees it. NULL is taken. Returns NULL. */
struct http_routes *http_routes_release(struct http_routes *routes);

#endif
