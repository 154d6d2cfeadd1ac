/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The kernel's maps of what is counted of exchanges: which kind has which counters, and which
 * counters are free. Those that a kind gave back rest for a while, since a program that was running
 * meanwhile may still add to them; then they are zeroed, and free.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_KIND_MAPS_H
#define SKEP_NODE_AGENT_PROBES_HTTP_KIND_MAPS_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/http.h"
#include "lib/base/error.h"
#include "node-agent/probes/kernel_map.h"
#include "node-agent/probes/shares.h"

struct http_resting;

struct http_kind_maps {
	struct kernel_map kinds;  /* struct http_kind → struct http_kind_place */
	struct kernel_map others; /* struct http_kind → struct http_counters: beyond the limits */
	int counters;		  /* struct http_counters by number */
	int free;		  /* numbers of those that nobody has */
	struct http_resting *resting;
	const struct shares *shares; /* to which places are returned */
};

/* No maps yet: loading the programs sets the descriptors. `shares` are borrowed. */
struct http_kind_maps http_kind_maps_init(const struct shares *shares);

void http_kind_maps_close(struct http_kind_maps *maps);

/* Tells the counters (struct http_counters) of every kind (struct http_kind), the others' too. */
void http_kind_maps_read(struct http_kind_maps *maps,
			 void (*kind)(void *context, const void *key, const void *counters),
			 void *context);

/*
 * Takes a kind out of the kernel; its counters as they were last go to *ret_counters. -ENOENT:
 * there is none.
 */
int http_kind_maps_take(struct http_kind_maps *maps, const struct http_kind *kind,
			struct http_counters *ret_counters);

#endif
