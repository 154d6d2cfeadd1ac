/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The message in which the agent tells the operator of its node as a whole. */
#ifndef SKEP_NODE_AGENT_FACTS_NODE_FACTS_H
#define SKEP_NODE_AGENT_FACTS_NODE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "node-agent/facts/capabilities.h"
#include "node-agent/facts/kernel_objects.h"
#include "node-agent/lifecycle/lifecycle.h"
#include "node-agent/pods/hierarchy.h"
#include "node-agent/series/losses.h"

/* What does not change while the agent runs. */
struct node_facts_fixed {
	const char *version;
	char *cgroup_path;   /* of the v2 hierarchy, as the agent sees it */
	const char *tracefs; /* where it is mounted, or NULL */
	bool whole_hierarchy;
	bool hybrid; /* v1 hierarchies are in use beside v2 */
};

/* Finds it out. Copies the path; node_facts_fixed_free(). Returns 0 or -ENOMEM. */
int node_facts_fixed_init(struct node_facts_fixed *fixed, const char *version, const char *tracefs,
			  const struct hierarchy *hierarchy);
void node_facts_fixed_free(struct node_facts_fixed *fixed);

/* What does. */
struct node_facts_now {
	struct lifecycle_counts counts;
	struct kernel_objects objects;
	struct series_losses losses;
	uint64_t export_lost; /* events that could not be written */
};

/*
 * The message; tests what the node can do, for a few milliseconds. Owned by the caller; NULL: no
 * memory.
 */
cJSON *node_facts_encode(const struct node_facts_fixed *fixed, const struct node_facts_now *now);

#endif
