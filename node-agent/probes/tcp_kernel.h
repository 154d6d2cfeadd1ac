/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The kernel half of the TCP probe as user space has it: its programs and maps. */
#ifndef SKEP_NODE_AGENT_PROBES_TCP_KERNEL_H
#define SKEP_NODE_AGENT_PROBES_TCP_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/tcp.h"
#include "lib/base/error.h"
#include "node-agent/probes/kernel_map.h"
#include "node-agent/probes/probe.h"
#include "node-agent/probes/shares.h"

/* The hooks of a target: packets sent, and operations of its sockets. */
#define TCP_HOOKS 2

struct tcp_kernel {
	int programs[TCP_HOOKS];
	int look; /* the link of the program that looks at all connections, */
	int look_program;
	int connections; /* and the map in which they are */
	int targets;
	struct shares shares;
	/* struct tcp_edge_key → struct tcp_counters */
	struct kernel_map edges;
	struct kernel_map others; /* beyond the limits */
};

/* Loads the programs. Returns 0 or a negative errno; tcp_kernel_close() in either case. */
int tcp_kernel_open(struct tcp_kernel *kernel, struct error *error);

void tcp_kernel_close(struct tcp_kernel *kernel);

/*
 * Attaches to a target and begins to count it as `row` says, by its number (growing, never given
 * twice). The links go to the caller, also those that are there when it fails.
 */
int tcp_kernel_attach(struct tcp_kernel *kernel, const struct probe_target *target,
		      const struct tcp_target *row, int ret_links[TCP_HOOKS], struct error *error);

/* How many edges of a target were refused; false, with *ret_count as it was, once it has gone. */
bool tcp_kernel_beyond_share(const struct tcp_kernel *kernel, uint64_t cgroup_id,
			     uint64_t *ret_count);

/* Ends the counting of a target whose links have been closed. */
void tcp_kernel_forget(struct tcp_kernel *kernel, uint64_t cgroup_id);

/*
 * Brings the edges up to date with every connection. `adopted` gets the edge of each open
 * connection that is older than the attachment to its target.
 */
void tcp_kernel_look(struct tcp_kernel *kernel,
		     void (*adopted)(void *context, const struct tcp_edge_key *key), void *context);

/* Tells the counters (struct tcp_counters) of every edge (struct tcp_edge_key). */
void tcp_kernel_read(const struct tcp_kernel *kernel,
		     void (*edge)(void *context, const void *key, const void *counters),
		     void *context);

/*
 * Takes an edge of a namespace (by its number) out of the kernel; its counters as they were last go
 * to *ret_counters. -ENOENT: there is none.
 */
int tcp_kernel_take(const struct tcp_kernel *kernel, const struct tcp_edge_key *key,
		    uint32_t namespace, struct tcp_counters *ret_counters);

#endif
