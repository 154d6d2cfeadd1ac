/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Who has an address, as series and events name it. */
#ifndef SKEP_NODE_AGENT_EDGES_PEER_IDENTITY_H
#define SKEP_NODE_AGENT_EDGES_PEER_IDENTITY_H

#include <stdbool.h>

/* Strings are of whoever gave it: a cache's, until it changes. */
struct peer_identity {
	const char *kind;      /* "Deployment", ..., "Service", "Node", "External", "Unknown" */
	const char *namespace; /* "" where there is none */
	const char *name;
	bool is_outside; /* of the cluster: pods know it by the names that they looked up */
};

#endif
