/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What each policy may take of this node, as the selected pods say, and who is beyond it. Pure:
 * time comes in, in ms.
 */
#ifndef SKEP_NODE_AGENT_BUDGET_BUDGETS_H
#define SKEP_NODE_AGENT_BUDGET_BUDGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/strings.h"
#include "lib/base/table.h"
#include "lib/link/selection.h"
#include "node-agent/budget/throttles.h"

struct policy_budget {
	char *policy;
	struct budget budget;
	uint64_t full_at; /* ns: when its bucket of events will be full again */
	bool named;	  /* by a pod of the selection that is being taken over */
	UT_hash_handle hh;
};

/* A zeroed struct bounds nothing. */
struct budgets {
	struct policy_budget *by_policy; /* those that have one */
	struct throttles throttles;
};

/*
 * Takes over the budgets of a selection: begin, add each of its pods, end. A budget that changes
 * holds at once; its bucket of events goes on where it stood. Adding returns 0, or -ENOMEM: then
 * policies of the pod that had no bounds may be without until the next time; others have theirs.
 */
void budgets_begin(struct budgets *budgets);
int budgets_add_pod(struct budgets *budgets, const struct selected_pod *pod);
void budgets_end(struct budgets *budgets);

/*
 * Takes a token for an event from each of `policies` (at most SELECTION_POLICIES_LIMIT) and sets in
 * `told` which of them have one; of the others, it is noted as shed. A bucket holds what comes back
 * in a second. Returns whether the event is to be told at all: that of nobody is.
 */
bool budgets_admit(struct budgets *budgets, const struct strings *policies, uint64_t now,
		   bool told[SELECTION_POLICIES_LIMIT]);

/* How many series the policy may have. */
uint32_t budgets_series_limit(const struct budgets *budgets, const char *policy);

void budgets_free(struct budgets *budgets);

#endif
