/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The policies that ask for an owner, and what its rows take of their room. Pure. */
#ifndef SKEP_NODE_AGENT_SERIES_ASKING_H
#define SKEP_NODE_AGENT_SERIES_ASKING_H

#include <stdbool.h>

#include "lib/base/strings.h"
#include "node-agent/series/quota.h"
#include "node-agent/series/sheet.h"

struct asking {
	struct series_quota **quotas;
	size_t count;
};

/* An owner that nobody asks for counts for a policy without a name. Returns 0 or -ENOMEM. */
int asking_make(struct series_quotas *quotas, const struct strings *policies,
		struct asking *ret_asking);
void asking_free(struct series_quotas *quotas, struct asking *asking);

/* Whether these are the policies, in this order. */
bool asking_equals(const struct asking *asking, const struct strings *policies);

/* Whether any of them has room for so many series more, and the node as well. */
bool asking_has_room(const struct asking *asking, const struct series_quotas *quotas,
		     size_t series);

/*
 * Rows of these policies that nobody asks for are to make room, once for each policy at one time.
 * Returns whether there is any policy of which they are; then asking_end_sweep() must follow.
 */
bool asking_begin_sweep(const struct asking *asking, uint64_t now);
void asking_end_sweep(const struct asking *asking);

/* Counts a row of so many series that had no room. */
void asking_refuse(const struct asking *asking, const struct series_quotas *quotas, size_t series);

/* The row counts for all of them. Returns 0, or -ENOMEM with nothing changed. */
int asking_charge(const struct asking *asking, struct series_quotas *quotas,
		  struct series_row *row);

/* The row counts for none of them any more, as far as this owner goes. */
void asking_discharge(const struct asking *asking, struct series_quotas *quotas,
		      struct series_row *row);

#endif
