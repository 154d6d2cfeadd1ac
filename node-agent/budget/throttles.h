/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Which policies are beyond a bound on this node: of which events are shed, or series folded into
 * one. Pure: time comes in, in ms.
 */
#ifndef SKEP_NODE_AGENT_BUDGET_THROTTLES_H
#define SKEP_NODE_AGENT_BUDGET_THROTTLES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"
#include "lib/base/text.h"
#include "lib/intent/budget.h"
#include "lib/link/report.h"

/* Over how long it is counted how many events a second are shed. */
#define THROTTLE_WINDOW_MS 10000

/* How long a policy counts as beyond a bound after it last was; series are looked at each 10 s. */
#define THROTTLE_HOLD_MS 15000

/* How long it is remembered after that, so that whoever scrapes seldom sees what was counted. */
#define THROTTLE_KEPT_MS 600000

struct throttle_part {
	bool on;
	uint32_t most;	   /* the bound */
	uint64_t noted_at; /* when the policy was last beyond it */
};

struct throttle {
	char *policy;
	struct throttle_part parts[BUDGET_PARTS]; /* by enum budget_part */
	bool news;				  /* since the last review */
	uint64_t shed;				  /* events, ever */
	uint64_t window_from;
	uint64_t window_shed;
	uint32_t shed_per_second; /* about; 0: not known yet */
	UT_hash_handle hh;
};

/* A zeroed struct has none. */
struct throttles {
	struct throttle *by_policy;
};

/* The policy is beyond a bound now: an event was shed, or a series folded. 0 or -ENOMEM. */
int throttles_note(struct throttles *throttles, const char *policy, enum budget_part part,
		   uint32_t most, uint64_t now);

/* Looks at the clock. Returns whether throttles_report() tells otherwise than at the last review.
 */
bool throttles_review(struct throttles *throttles, uint64_t now);

/* Whether there is nothing to review before something is noted. */
bool throttles_are_quiet(const struct throttles *throttles);

/* Adds the policies that are beyond a bound. Returns 0 or -ENOMEM. */
int throttles_report(const struct throttles *throttles, struct report *report);

/* Writes how many events of each policy were shed, as samples of the family `name`. */
void throttles_write(const struct throttles *throttles, const char *name, struct text *out);

void throttles_free(struct throttles *throttles);

#endif
