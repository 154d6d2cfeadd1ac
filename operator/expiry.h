/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * When a policy expires: spec.expiresAfter after the last change of its spec. The moment is kept in
 * its status (status.expiresAt), so that it outlives the operator. Pure: the wall clock comes in.
 */
#ifndef SKEP_OPERATOR_EXPIRY_H
#define SKEP_OPERATOR_EXPIRY_H

#include <stdbool.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "operator/policy.h"

/*
 * Sets when a policy that has just been read expires: as its status (or NULL) tells, if that is
 * about this generation; else counted from now on, as the spec has just changed.
 */
void expiry_begin(struct policy *policy, const cJSON *status, time_t now);

/*
 * Looks at the clock again. A clock that was set back does not make a policy last longer than its
 * spec says from now on; one that was wrongly ahead does not end it for good. Returns whether
 * anything changed.
 */
bool expiry_check(struct policy *policy, time_t now);

#endif
