/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* One edge as a probe sees it: from a target to an address. */
#ifndef SKEP_NODE_AGENT_EDGES_EDGE_H
#define SKEP_NODE_AGENT_EDGES_EDGE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/metrics/exposition.h"

#define EDGE_ADDRESS_SIZE 16
#define EDGE_LABELS_LIMIT 4

/* Which end of the edge the target is. */
enum edge_role { EDGE_CLIENT, EDGE_SERVER };

struct edge {
	enum edge_role role;
	uint8_t address[EDGE_ADDRESS_SIZE]; /* the other end's; IPv4 as ::ffff:a.b.c.d */
	uint16_t port;			    /* the server's, host byte order */
	/* Further labels of the row, at most EDGE_LABELS_LIMIT; borrowed, for the call. */
	const struct metric_label *labels;
	size_t label_count;
};

#endif
