/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* How many series each policy has, and how often it had no room for more. Pure. */
#ifndef SKEP_NODE_AGENT_SERIES_QUOTA_H
#define SKEP_NODE_AGENT_SERIES_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "lib/base/text.h"
#include "lib/intent/budget.h"
#include "node-agent/budget/namespaces.h"
#include "node-agent/series/store.h"

/* Series of one policy on this node, unless less is said; each line of a histogram is one. */
#define SERIES_POLICY_LIMIT BUDGET_SERIES_MOST

/*
 * Of all policies, of which those of each namespace have their share (bpf/lib/share.h): what a
 * scrape takes of memory and of the loop's time grows with them.
 */
#define SERIES_NODE_LIMIT 50000

struct series_quota {
	char *policy;		     /* "namespace/name", or "name" of one of the cluster */
	struct namespace *namespace; /* of the policy; holds its rows once; "" of the cluster's */
	size_t users;		     /* owners and rows that refer to it */
	size_t series;		     /* that the policy has */
	uint64_t refused;	     /* rows, for want of room */
	uint64_t swept_at;	     /* when rows that nobody asks for made room, ms */
	bool sweeping;		     /* they do so now */
	UT_hash_handle hh;
};

/* Those of all policies that have owners or rows. A zeroed struct has none. */
struct series_quotas {
	struct series_quota *by_policy;
	struct namespaces namespaces;
	size_t series; /* that the node shows; those of several policies count once */
	struct series_bounds bounds;
};

/* The policy's, for one more user; NULL when memory ran out. */
struct series_quota *series_quota_use(struct series_quotas *quotas, const char *policy);

/* One user less; with the last one the policy is forgotten. */
void series_quota_leave(struct series_quotas *quotas, struct series_quota *quota);

bool series_quota_has_room(const struct series_quotas *quotas, const struct series_quota *quota,
			   size_t series);

/*
 * Counts a row of so many series that had no room, and tells whose bound that is; not of rows that
 * no policy asks for (""), as there is nobody to tell.
 */
void series_quota_refuse(const struct series_quotas *quotas, struct series_quota *quota,
			 size_t series);

/* Writes how often each policy had no room; nothing where all had. */
void series_quotas_write(const struct series_quotas *quotas, struct text *out);

#endif
