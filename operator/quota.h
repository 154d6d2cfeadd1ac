/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * ProbeQuotas: what the policies of the namespaces that they select may ask for. Policies of the
 * cluster are bound by none, as whoever writes these writes the quotas. Pure.
 */
#ifndef SKEP_OPERATOR_QUOTA_H
#define SKEP_OPERATOR_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/base/error.h"
#include "lib/intent/budget.h"
#include "lib/intent/intent.h"
#include "operator/labels.h"
#include "operator/policy.h"
#include "operator/selector.h"

/* Policies of a namespace that are carried out where no quota says how many. */
#define QUOTA_POLICIES_DEFAULT 1000

struct quota {
	char *uid;
	char *name;
	struct selector namespaces;
	bool allows[PROBE_TYPES];
	int64_t policies; /* in one namespace; INT64_MAX: it does not say */
	enum probe_text text;
	struct budget budget; /* of each policy, on each node */
	struct error
		trouble; /* what could not be read and is taken for the strictest; "": nothing */

	UT_hash_handle hh; /* cluster: all quotas by name */
};

/*
 * Reads a ProbeQuota. What cannot be read in it is taken for the strictest that it could mean: a
 * bad selector for every namespace. Returns 0 with *ret_quota; -EINVAL for an object without name
 * or UID, -ENOMEM.
 */
int quota_decode(const cJSON *object, struct quota **ret_quota);

/* Whether the quota holds for namespaces with these labels. */
bool quota_binds(const struct quota *quota, const struct labels *namespace_labels);

/* Returns NULL. The quota must be in no table. */
struct quota *quota_free(struct quota *quota);

/* What holds in one namespace: each bound is the strictest of all quotas, and says whose it is. */
struct quota_bounds {
	const struct quota *forbids[PROBE_TYPES]; /* NULL: the probe is allowed */
	const struct quota *policies;		  /* NULL: QUOTA_POLICIES_DEFAULT */
	const struct quota *text;		  /* NULL: any text */
	const struct quota *budget[BUDGET_PARTS]; /* NULL: no bound */
};

/* `quotas` are a table by name; of several that are as strict, the first by name is told. */
struct quota_bounds quota_bounds_of(const struct quota *quotas,
				    const struct labels *namespace_labels);

/*
 * Holds a policy of the namespace against the bounds, `older` being how many policies of the
 * namespace were there before it: refuses it (policy->over_quota), or lowers what it asks for by
 * default (policy->probes[].text_most, policy->bounds). Returns whether that has changed anything.
 */
bool quota_judge(const struct quota_bounds *bounds, size_t older, struct policy *policy);

#endif
