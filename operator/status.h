/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The status of a policy as its owner reads it: conditions with reasons and words, counts, the
 * first failures. Pure. Reasons are part of the API (docs/api.md): once released, they do not
 * change.
 */
#ifndef SKEP_OPERATOR_STATUS_H
#define SKEP_OPERATOR_STATUS_H

#include <stdbool.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "operator/aggregate.h"
#include "operator/policy.h"

/* A condition that changed its status, worth an Event. Strings belong to the two statuses. */
struct status_transition {
	const char *type;
	const char *reason;
	const char *message;
	bool good; /* the new status is the one that is wished for */
};

#define STATUS_TRANSITIONS_LIMIT 8

/*
 * The status of `policy`, whose pods stand as `aggregate` says (unused when it is not accepted).
 * A condition whose status is that in `previous` (the last status, or NULL) keeps its transition
 * time; others get `now`. Owned by the caller; NULL when memory ran out.
 */
cJSON *status_make(const struct policy *policy, const struct aggregate *aggregate,
		   const cJSON *previous, time_t now);

/*
 * Whether `status` may be over in moments, as agents have yet to say how things are: it only waits
 * for them, or it has something failed and is Throttled no more, unlike `previous`.
 */
bool status_is_passing(const cJSON *status, const cJSON *previous);

/* Whether it says how this generation of the policy fares: Ready, or Degraded. */
bool status_is_settled(const cJSON *status, const struct policy *policy);

/*
 * Whether `status` says all that `written` says, which it does not when somebody changed it. What
 * others have added beside it, of their own, is theirs. Either may be NULL.
 */
bool status_holds(const cJSON *written, const cJSON *status);

/* Whether two statuses differ in the status or reason of a condition, or in the generation. */
bool status_conditions_differ(const cJSON *a, const cJSON *b);

/*
 * Fills `transitions` with the changes of Accepted, Ready, Degraded and Throttled from `previous`
 * (may be NULL) to `status`, and returns how many.
 */
size_t status_transitions(const cJSON *previous, const cJSON *status,
			  struct status_transition transitions[STATUS_TRANSITIONS_LIMIT]);

#endif
