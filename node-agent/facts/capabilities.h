/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What this node lets probes do: each capability is tried as a probe uses it, and each one that is
 * missing says which probes it affects and what to do.
 */
#ifndef SKEP_NODE_AGENT_FACTS_CAPABILITIES_H
#define SKEP_NODE_AGENT_FACTS_CAPABILITIES_H

#include <stdbool.h>
#include <stddef.h>

/* Where to look. */
struct capability_node {
	bool whole_hierarchy; /* the cgroup hierarchy is seen from its real root */
	const char *tracefs;  /* where it is mounted, or NULL */
	const char *type_information;
};

struct capability {
	const char *name;    /* CamelCase, API */
	const char *affects; /* probes, separated by commas; "exec.failures" is that setting */
	const char *remedy;  /* what is missing, and what to do */
	/* Whether the node has it; made up of a few system calls, leaves nothing behind. */
	bool (*test)(const struct capability_node *node);
};

#define CAPABILITIES_LIMIT 16

extern const struct capability capabilities[];
extern const size_t capabilities_count;

/*
 * Tests all of them; results[i] says whether capabilities[i] is there. Returns how many results
 * there are: 1 where the first one, bpf() itself, is missing, as then nothing is known of the
 * others.
 */
size_t capabilities_test(const struct capability_node *node, bool results[CAPABILITIES_LIMIT]);

#endif
