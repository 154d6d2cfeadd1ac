/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* An ObservabilityPolicy or a ClusterObservabilityPolicy, read and checked. */
#ifndef SKEP_OPERATOR_POLICY_H
#define SKEP_OPERATOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/base/error.h"
#include "lib/base/strings.h"
#include "lib/intent/budget.h"
#include "lib/intent/intent.h"
#include "operator/labels.h"
#include "operator/pod.h"
#include "operator/selector.h"

#define POLICY_CONTAINERS_LIMIT 32
#define POLICY_NAME_LIMIT	253 /* as of any object's name */
#define POLICY_ID_SIZE		(2 * POLICY_NAME_LIMIT + 2)

/* Which pods a policy may be about: those of its own namespace, or of all namespaces it selects. */
enum policy_scope { POLICY_NAMESPACED, POLICY_CLUSTER };
#define POLICY_SCOPES 2

/* How the API calls policies of one scope. */
struct policy_kind {
	const char *kind;     /* "ObservabilityPolicy" */
	const char *resource; /* "observabilitypolicies" */
};

extern const struct policy_kind policy_kinds[POLICY_SCOPES];

/* Bounds of spec.expiresAfter, in seconds. */
#define POLICY_EXPIRES_LEAST 1
#define POLICY_EXPIRES_MOST  (720 * 3600)

/* Whether a policy is carried out, or only told what it would match. */
enum policy_mode { POLICY_ACTIVE, POLICY_PREVIEW };

/* What a policy asks of one probe. */
struct policy_probe {
	bool wanted;
	bool text_given;	   /* it says itself how much text may leave the node */
	enum probe_text text_most; /* by the quotas; what `settings` ask for beyond is not done */
	union probe_settings settings;
};

/* How much of a budget's part a policy has on each node, and whose word that is. */
struct policy_bound {
	uint32_t most;			   /* 0: no bound of its own */
	char quota[POLICY_NAME_LIMIT + 1]; /* "": the policy itself says so */
};

struct policy {
	enum policy_scope scope;
	char *uid;
	char *namespace; /* NULL for one of the cluster */
	char *name;
	char *id; /* as policy_format_id() makes it */
	int64_t generation;
	int64_t created; /* seconds since 1970 */

	bool accepted;
	struct error refusal; /* why not: the field and the remedy */

	/* Meaningful only when it is accepted. */
	struct selector namespace_selector; /* of one of the cluster */
	struct selector selector;
	struct selector node_selector;
	struct strings containers; /* empty: every container */
	struct policy_probe probes[PROBE_TYPES];
	bool suspend;
	enum policy_mode mode;
	int64_t expires_after; /* seconds; 0: it does not */
	struct budget budget;  /* that it asks for itself */

	/* What quotas say, see quota.h. */
	bool over_quota;
	struct error quota_refusal; /* which bound of which quota, and the remedy */
	struct error quota_note;    /* what it gets less of than it would without; "": nothing */
	struct policy_bound bounds[BUDGET_PARTS]; /* by enum budget_part; spec.budget included */

	/* See expiry.h. */
	int64_t expires_at; /* seconds since 1970; 0: it does not */
	bool expired;

	UT_hash_handle hh;			/* cluster: all policies by id */
	struct policy *scope_prev, *scope_next; /* cluster: those of its namespace, or of none */
};

/*
 * Writes the name under which metrics and events know a policy: "namespace/name", or "name" alone
 * for one of the cluster (`namespace` is NULL or ""). No two policies share one, as no name holds a
 * slash.
 */
void policy_format_id(const char *namespace, const char *name, char id[POLICY_ID_SIZE]);

/*
 * Reads a policy of this scope. A spec that cannot be carried out gives a policy that is not
 * accepted, with the reason. Returns 0 with *ret_policy; -EINVAL for an object without name or UID,
 * -ENOMEM.
 */
int policy_decode(const cJSON *object, enum policy_scope scope, struct policy **ret_policy);

/*
 * Whether pods of this namespace are within the policy's reach. `namespace_labels` is NULL while
 * the namespace is not known: what might be forbidden there is not done.
 */
bool policy_reaches(const struct policy *policy, const char *namespace,
		    const struct labels *namespace_labels);

/*
 * Whether an accepted policy is about this pod, whatever node it is on, while it is carried out.
 */
bool policy_concerns_pod(const struct policy *policy, const struct pod *pod);

/*
 * Whether the policy is about this pod now. One that is suspended, over a quota
 * or has expired is about none; one that names containers is about pods that have one of them.
 */
bool policy_matches_pod(const struct policy *policy, const struct pod *pod);

/* Whether it is about this pod and to be carried out there, which a preview is not. */
bool policy_selects_pod(const struct policy *policy, const struct pod *pod);

/* Whether the policy is to be carried out on a node with these labels. */
bool policy_selects_node(const struct policy *policy, const struct labels *node_labels);

/* What the policy may take of each node, by itself and by quotas. */
struct budget policy_budget(const struct policy *policy);

/* Which of two policies of one scope is older: < 0: a. Of one second, the first by name. */
int policy_compare_age(const struct policy *a, const struct policy *b);

/* Returns NULL. The policy must be in no list or table. */
struct policy *policy_free(struct policy *policy);

#endif
