/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The kernel half of the DNS probe: its programs, and what it keeps of a target. */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_KERNEL_H
#define SKEP_NODE_AGENT_PROBES_DNS_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/dns.h"
#include "lib/base/error.h"
#include "node-agent/probes/probe.h"

#define DNS_HOOKS 2

/* Descriptors, -1 where there is none. */
struct dns_kernel {
	int programs[DNS_HOOKS];
	int targets;
	int records;
};

/* Loads programs and maps. Returns 0 or a negative errno, as programs_load(). */
int dns_kernel_open(struct dns_kernel *kernel, struct error *error);
void dns_kernel_close(struct dns_kernel *kernel);

/*
 * Attaches to a target and begins to record. Returns 0, or a negative errno; in either case the
 * links that there are go to the caller, to be given to dns_kernel_detach().
 */
int dns_kernel_attach(struct dns_kernel *kernel, const struct probe_target *target,
		      int ret_links[DNS_HOOKS], struct error *error);

/* Records no more; what has been counted can still be read. */
void dns_kernel_detach(int links[DNS_HOOKS]);

/* Clears what is kept of a target that was detached from. */
void dns_kernel_forget(struct dns_kernel *kernel, uint64_t cgroup_id);

/* Reads what is kept of a target; false, with *ret_target as it was, when the cgroup has gone. */
bool dns_kernel_read(const struct dns_kernel *kernel, uint64_t cgroup_id,
		     struct dns_target *ret_target);

/* True when `size` bytes are a whole record, as the kernel half writes it. */
bool dns_record_valid(const struct dns_record *record, size_t size);

#endif
