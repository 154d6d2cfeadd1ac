/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The conditions of a policy: what is judged, and in which words. Ready, Reconciling and Stalled
 * mean what kstatus takes them for (sigs.k8s.io/cli-utils/pkg/kstatus). Pure.
 */
#ifndef SKEP_OPERATOR_CONDITIONS_H
#define SKEP_OPERATOR_CONDITIONS_H

#include <stdbool.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "operator/aggregate.h"
#include "operator/policy.h"

enum condition_type {
	CONDITION_READY,
	CONDITION_RECONCILING,
	CONDITION_STALLED,
	CONDITION_ACCEPTED,
	CONDITION_DEGRADED,
	CONDITION_THROTTLED,
	CONDITION_EXPIRED,
};
#define CONDITIONS 7

struct verdict {
	bool holds;
	const char *reason;
	char message[ERROR_MESSAGE_SIZE + 256];
};

/* Judges every condition of `policy`; `verdicts` are by enum condition_type. */
void conditions_judge(const struct policy *policy, const struct aggregate *aggregate,
		      struct verdict verdicts[CONDITIONS]);

/* Adds "conditions" to `status`; transition times as status_make() says. False: no memory. */
bool conditions_add(cJSON *status, const struct policy *policy,
		    const struct verdict verdicts[CONDITIONS], const cJSON *previous, time_t now);

/* The condition of this type in an array of conditions, or NULL. */
const cJSON *condition_find(const cJSON *conditions, const char *type);

#endif
