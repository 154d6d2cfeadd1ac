/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Finds the cgroup v2 hierarchy, alone or beside v1. */
#ifndef SKEP_NODE_AGENT_PODS_HIERARCHY_H
#define SKEP_NODE_AGENT_PODS_HIERARCHY_H

#include <stdbool.h>

#include "lib/base/error.h"

struct hierarchy {
	char *root;	    /* the folder to look in, owned */
	unsigned int level; /* its depth as the kernel counts; the root's is 0 */
	bool whole; /* the mount shows the hierarchy from its real root, so levels are right */
};

/*
 * Takes `given`, or its subfolder "unified" where v1 is mounted beside v2 (as systemd's hybrid
 * layout has it). -ENOENT, with what to do, where neither is a cgroup v2 hierarchy.
 */
int hierarchy_find(const char *given, struct hierarchy *ret_hierarchy, struct error *error);

void hierarchy_free(struct hierarchy *hierarchy);

#endif
