/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The kernel's maps of routes: steps of templates, and routes that were found. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_ROUTE_MAPS_H
#define SKEP_NODE_AGENT_PROBES_HTTP_ROUTE_MAPS_H

#include <stdint.h>

#include "bpf/http.h"
#include "lib/base/error.h"
#include "node-agent/probes/http_templates.h"
#include "node-agent/probes/kernel_map.h"
#include "node-agent/probes/shares.h"

struct http_route_maps {
	int steps;
	struct kernel_map found;     /* struct http_found_key → struct http_found */
	const struct shares *shares; /* to which places are returned */
};

/* Without descriptors yet. `shares` are borrowed. */
struct http_route_maps http_route_maps_init(const struct shares *shares);

void http_route_maps_close(struct http_route_maps *maps);

/*
 * Writes the steps of the set `number`. Returns 0, or a negative errno with none of them written
 * and what to do.
 */
int http_route_maps_add(const struct http_route_maps *maps, uint32_t number,
			const struct http_templates *templates, struct error *error);

void http_route_maps_remove(const struct http_route_maps *maps, uint32_t number,
			    const struct http_templates *templates);

/* Takes out a route that was found. */
void http_route_maps_forget(const struct http_route_maps *maps, const struct http_found_key *key);

#endif
