/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What the kernel's numbers of routes stand for: templates of policies, one set of them for all
 * targets that have the same, and routes that were found in the paths of a target.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_ROUTES_H
#define SKEP_NODE_AGENT_PROBES_HTTP_ROUTES_H

#include <stdint.h>

#include "lib/base/table.h"

#include "lib/intent/http_routes.h"
#include "node-agent/probes/http_route_maps.h"

/* Found routes without a request for so long are forgotten. */
#define HTTP_FOUND_IDLE_MS 3600000

/* Templates that no target has any more keep their names for so long: for what is under way. */
#define HTTP_ROUTES_LINGER_MS 600000
#define HTTP_ROUTES_SWEEP_MS  60000

/*
 * Steps that the targets of one namespace may have in the kernel, of HTTP_STEPS_LIMIT on the node:
 * what one list can have at most; twice as many while they change from one list to another.
 */
#define HTTP_NAMESPACE_STEPS_LIMIT HTTP_TEMPLATES_STEPS_LIMIT

/* A namespace whose targets have a set. */
struct http_route_user {
	char *namespace;
	unsigned int targets;
	struct http_route_user *next;
};

/* The templates of targets. */
struct http_route_set {
	struct http_routes *routes; /* held */
	uint32_t number;	    /* the kernel's */
	uint32_t first;		    /* the number of the first template */
	uint32_t root;		    /* the template of "/", or 0 */
	unsigned int targets;
	size_t steps;		       /* in the kernel while it has targets */
	struct http_route_user *users; /* a list */
	uint64_t left_at;	       /* ms, by the last target */
	struct http_route_set *prev, *next;
};

/* A route that was found. */
struct http_found_route {
	uint32_t number; /* the key of the table */
	struct http_found_key key;
	uint64_t used_at; /* ms */
	char *text;
	UT_hash_handle hh;
};

struct http_route_table {
	const struct http_route_maps *maps;
	struct http_route_set *sets; /* a list */
	uint32_t last_set;	     /* neither numbers of sets nor of templates are given twice */
	uint32_t next_template;
	struct http_found_route *found;
	uint32_t newest_found; /* all up to here have been read */
	uint64_t swept_at;     /* ms */
};

/* `maps` are borrowed. */
void http_routes_init(struct http_route_table *table, const struct http_route_maps *maps);

/*
 * The set of a list, with its steps in the kernel, for a target of a namespace. `former` is the set
 * that the target is about to leave for it, NULL for none: it takes nothing of the namespace's
 * room, or a list of more than half of that could never change. Returns 0 with *ret_set, which the
 * target holds until http_routes_leave(), NULL for no list; or a negative errno.
 */
int http_routes_join(struct http_route_table *table, struct http_routes *routes,
		     const char *namespace, const struct http_route_set *former,
		     struct http_route_set **ret_set, struct error *error);

/* Has the kernel follow the set, NULL for none, for a target. */
void http_routes_set(struct http_target *row, const struct http_route_set *set);

/* The kernel must follow the set's steps for this target no more. NULL is taken. */
void http_routes_leave(struct http_route_table *table, struct http_route_set *set,
		       const char *namespace, uint64_t now);

/*
 * What a route is called: "" where none was asked for, "_OTHER" where it has no name. `set` is
 * where a template is looked for first. Valid until the next http_routes_sweep().
 */
const char *http_routes_text(struct http_route_table *table, const struct http_route_set *set,
			     uint32_t number, uint64_t now);

/* Forgets what has not been in use for long; to be called often. */
void http_routes_sweep(struct http_route_table *table, uint64_t now);

/* Forgets what was found in the paths of a target that nothing is counted of any more. */
void http_routes_forget_target(struct http_route_table *table, uint32_t target, uint64_t now);

void http_routes_free(struct http_route_table *table);

#endif
