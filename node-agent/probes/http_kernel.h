/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The kernel half of the HTTP probe as user space has it: its programs and maps. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_KERNEL_H
#define SKEP_NODE_AGENT_PROBES_HTTP_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/http.h"
#include "lib/base/error.h"
#include "node-agent/probes/http_kind_maps.h"
#include "node-agent/probes/http_route_maps.h"
#include "node-agent/probes/probe.h"
#include "node-agent/probes/shares.h"

/* The hooks of a target: packets received, and sent; operations on sockets. */
#define HTTP_HOOKS 3

struct http_kernel {
	int programs[HTTP_HOOKS];
	int targets;
	int version; /* the map; `current` is what is in it */
	uint32_t current;
	int counts;
	int records;
	struct shares shares;
	struct http_kind_maps kinds;
	struct http_route_maps routes;
};

/*
 * Loads the programs. Returns 0 or a negative errno; http_kernel_close() in either case. It stays
 * where it is.
 */
int http_kernel_open(struct http_kernel *kernel, struct error *error);

void http_kernel_close(struct http_kernel *kernel);

/*
 * Attaches to a target and begins to count it as `row` says, by its number (growing, never given
 * twice). The links go to the caller, also those that are there when it fails.
 */
int http_kernel_attach(struct http_kernel *kernel, const struct probe_target *target,
		       const struct http_target *row, int ret_links[HTTP_HOOKS],
		       struct error *error);

/* Asks other things of a target, from one packet to the next. Returns 0 or a negative errno. */
int http_kernel_configure(struct http_kernel *kernel, uint64_t cgroup_id,
			  const struct http_target *row, struct error *error);

/*
 * Ends the counting of a target whose links have been closed: where the programs see packets of its
 * connections for another target, too, they take them for that one's from here on.
 */
void http_kernel_stop(struct http_kernel *kernel, uint64_t cgroup_id);

/* Forgets what was counted of a target that was stopped. */
void http_kernel_forget(struct http_kernel *kernel, uint32_t number);

/* What has been counted of a target; false, with *ret_counts as it was, when there is none. */
bool http_kernel_count(const struct http_kernel *kernel, uint32_t number,
		       struct http_target_counts *ret_counts);

#endif
