// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_routes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "lib/base/log.h"
#include "node-agent/probes/http_path.h"

#define OTHER "_OTHER"

void http_routes_init(struct http_route_table *table, const struct http_route_maps *maps)
{
	*table = (struct http_route_table){.maps = maps, .next_template = HTTP_ROUTE_FIRST};
}

/* --- templates --- */

static struct http_route_set *set_find(const struct http_route_table *table,
				       const struct http_routes *routes)
{
	struct http_route_set *set;

	DL_FOREACH(table->sets, set)
		if (set->routes == routes) /* there is one of each list */
			return set;
	return NULL;
}

static struct http_route_set *set_add(struct http_route_table *table, struct http_routes *routes)
{
	struct http_route_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->routes = http_routes_hold(routes);
	set->number = ++table->last_set;
	set->first = table->next_template;
	table->next_template += (uint32_t)routes->count;
	DL_APPEND(table->sets, set);
	return set;
}

static void user_free(struct http_route_set *set, struct http_route_user *user)
{
	LL_DELETE(set->users, user);
	free(user->namespace);
	free(user);
}

static void set_free(struct http_route_table *table, struct http_route_set *set)
{
	struct http_route_user *user, *next;

	LL_FOREACH_SAFE(set->users, user, next)
		user_free(set, user);
	DL_DELETE(table->sets, set);
	http_routes_release(set->routes);
	free(set);
}

static struct http_route_user *user_find(const struct http_route_set *set, const char *namespace)
{
	struct http_route_user *user;

	LL_FOREACH(set->users, user)
		if (!strcmp(user->namespace, namespace))
			return user;
	return NULL;
}

/* NULL when memory ran out. */
static struct http_route_user *user_ensure(struct http_route_set *set, const char *namespace)
{
	struct http_route_user *user = user_find(set, namespace);

	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->namespace = strdup(namespace);
	if (!user->namespace) {
		free(user);
		return NULL;
	}
	LL_PREPEND(set->users, user);
	return user;
}

/* The steps that a namespace has already; each set counts for each of its namespaces. */
static size_t steps_of(const struct http_route_table *table, const char *namespace,
		       const struct http_route_set *former)
{
	const struct http_route_user *user;
	const struct http_route_set *set;
	size_t steps = 0;

	DL_FOREACH(table->sets, set) {
		user = set == former ? NULL : user_find(set, namespace);
		if (user && user->targets)
			steps += set->steps;
	}
	return steps;
}

static int check_room(const struct http_route_table *table, const struct http_route_set *set,
		      const struct http_route_set *former, const struct http_route_user *user,
		      struct error *error)
{
	if (user->targets ||
	    steps_of(table, user->namespace, former) + set->steps <= HTTP_NAMESPACE_STEPS_LIMIT)
		return 0;
	return error_set(
		error, E2BIG,
		"http.routes: on this node, the pods of namespace %s have more routes than "
		"one namespace may (%d segments, those of equal lists once); leave some out, "
		"or give its policies the same ones",
		user->namespace, HTTP_NAMESPACE_STEPS_LIMIT);
}

static int set_write(const struct http_route_table *table, struct http_route_set *set,
		     const struct http_route_set *former, const struct http_route_user *user,
		     struct error *error)
{
	struct http_templates templates;
	int result = http_templates_compile(set->routes, set->first, &templates);

	if (result < 0)
		return error_set(error, ENOMEM, "http.routes: out of memory");
	if (templates.truncated)
		log_warn("http.routes: those from %s to %s overlap in so many ways that not all "
			 "are told apart: some paths count as " OTHER,
			 set->routes->items[0], set->routes->items[set->routes->count - 1]);
	set->root = templates.root;
	set->steps = templates.count;
	result = check_room(table, set, former, user, error);
	if (result == 0)
		result = http_route_maps_add(table->maps, set->number, &templates, error);
	http_templates_free(&templates);
	return result;
}

/* Which steps there are is worked out again, rather than kept. */
static void set_unwrite(const struct http_route_table *table, const struct http_route_set *set)
{
	struct http_templates templates;

	if (http_templates_compile(set->routes, set->first, &templates) < 0) {
		log_error("out of memory: some steps of routes stay in the kernel");
		return;
	}
	http_route_maps_remove(table->maps, set->number, &templates);
	http_templates_free(&templates);
}

/* One more target of a namespace. Where that fails, the set waits for the next sweep. */
static int set_join(const struct http_route_table *table, struct http_route_set *set,
		    const struct http_route_set *former, const char *namespace, struct error *error)
{
	struct http_route_user *user = user_ensure(set, namespace);
	int result;

	if (!user)
		return error_set(error, ENOMEM, "http.routes: out of memory");
	result = set->targets ? check_room(table, set, former, user, error)
			      : set_write(table, set, former, user, error);
	if (result < 0) {
		if (!user->targets)
			user_free(set, user);
		return result;
	}
	user->targets++;
	set->targets++;
	return 0;
}

int http_routes_join(struct http_route_table *table, struct http_routes *routes,
		     const char *namespace, const struct http_route_set *former,
		     struct http_route_set **ret_set, struct error *error)
{
	struct http_route_set *set = routes ? set_find(table, routes) : NULL;
	int result = 0;

	if (routes && !set)
		set = set_add(table, routes);
	if (routes && !set)
		return error_set(error, ENOMEM, "http.routes: out of memory");
	if (set)
		result = set_join(table, set, former, namespace, error);
	if (result < 0)
		return result;
	*ret_set = set;
	return 0;
}

void http_routes_set(struct http_target *row, const struct http_route_set *set)
{
	row->templates = set ? set->number : 0;
	row->root = set ? set->root : 0;
}

void http_routes_leave(struct http_route_table *table, struct http_route_set *set,
		       const char *namespace, uint64_t now)
{
	struct http_route_user *user = set ? user_find(set, namespace) : NULL;

	if (!user)
		return;
	if (--user->targets == 0)
		user_free(set, user);
	if (--set->targets)
		return;
	set_unwrite(table, set);
	set->left_at = now;
}

/* --- found routes --- */

/* Where memory is short, the route counts among others. */
static void found_add(struct http_route_table *table, const struct http_found_key *key,
		      const struct http_found *found, uint64_t now)
{
	struct http_found_route *route = calloc(1, sizeof(*route));
	char text[HTTP_PATH_SIZE];

	if (!route)
		return;
	http_path_normalize((const char *)found->path, found->size, false, text);
	if (!found->size) /* "http://host" */
		strcpy(text, "/");
	*route = (struct http_found_route){
		.number = found->number, .key = *key, .used_at = now, .text = strdup(text)};
	if (route->text && *text && found->size <= HTTP_FOUND_PATH_SIZE)
		HASH_ADD(hh, table->found, number, sizeof(route->number), route);
	if (is_in_table(route))
		return;
	free(route->text);
	free(route);
	http_route_maps_forget(table->maps, key); /* another request may name it */
}

static void found_free(struct http_route_table *table, struct http_found_route *route)
{
	HASH_DEL(table->found, route);
	free(route->text);
	free(route);
}

struct found_read {
	struct http_route_table *table;
	uint64_t now;
};

static void on_found(void *context, const void *map_key, const void *map_value)
{
	const struct found_read *read = context;
	const struct http_found *found = map_value;
	struct http_found_route *route;

	HASH_FIND(hh, read->table->found, &found->number, sizeof(found->number), route);
	if (!route && found->number)
		found_add(read->table, map_key, found, read->now);
}

static void read_found(struct http_route_table *table, uint64_t now)
{
	struct found_read read = {table, now};

	kernel_map_read(&table->maps->found, on_found, &read);
}

/* Numbers grow: what is not known and newer than all that was read, may be found by now. */
static struct http_found_route *found_find(struct http_route_table *table, uint32_t number,
					   uint64_t now)
{
	struct http_found_route *route;

	HASH_FIND(hh, table->found, &number, sizeof(number), route);
	if (route || number <= table->newest_found)
		return route;
	read_found(table, now);
	table->newest_found = number;
	HASH_FIND(hh, table->found, &number, sizeof(number), route);
	return route;
}

static const char *found_text(struct http_route_table *table, uint32_t number, uint64_t now)
{
	struct http_found_route *route = found_find(table, number, now);

	if (!route)
		return OTHER;
	route->used_at = now;
	return route->text;
}

static void forget_found(struct http_route_table *table, struct http_found_route *route)
{
	http_route_maps_forget(table->maps, &route->key);
	found_free(table, route);
}

/* --- both --- */

static bool set_has(const struct http_route_set *set, uint32_t number)
{
	return number >= set->first && number - set->first < set->routes->count;
}

static const char *template_text(const struct http_route_table *table,
				 const struct http_route_set *set, uint32_t number)
{
	if (set && set_has(set, number))
		return set->routes->items[number - set->first];
	DL_FOREACH(table->sets, set)
		if (set_has(set, number))
			return set->routes->items[number - set->first];
	return OTHER;
}

const char *http_routes_text(struct http_route_table *table, const struct http_route_set *set,
			     uint32_t number, uint64_t now)
{
	if (number == HTTP_ROUTE_UNASKED)
		return "";
	if (number == HTTP_ROUTE_OTHER)
		return OTHER;
	if (number & HTTP_ROUTE_FOUND)
		return found_text(table, number, now);
	return template_text(table, set, number);
}

static void sweep_sets(struct http_route_table *table, uint64_t now)
{
	struct http_route_set *set, *next;

	DL_FOREACH_SAFE(table->sets, set, next)
		if (!set->targets && now - set->left_at >= HTTP_ROUTES_LINGER_MS)
			set_free(table, set);
}

void http_routes_sweep(struct http_route_table *table, uint64_t now)
{
	struct http_found_route *route, *next;

	if (now - table->swept_at < HTTP_ROUTES_SWEEP_MS)
		return;
	table->swept_at = now;
	sweep_sets(table, now);
	read_found(table, now); /* those of which nothing was ever counted go as well */
	HASH_ITER(hh, table->found, route, next)
		if (now - route->used_at >= HTTP_FOUND_IDLE_MS)
			forget_found(table, route);
}

void http_routes_forget_target(struct http_route_table *table, uint32_t target, uint64_t now)
{
	struct http_found_route *route, *next;

	read_found(table, now);
	HASH_ITER(hh, table->found, route, next)
		if (route->key.target == target)
			forget_found(table, route);
}

void http_routes_free(struct http_route_table *table)
{
	struct http_found_route *route, *next;
	struct http_route_set *set, *next_set;

	HASH_ITER(hh, table->found, route, next)
		found_free(table, route);
	DL_FOREACH_SAFE(table->sets, set, next_set)
		set_free(table, set);
}
