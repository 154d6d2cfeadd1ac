/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* An ObservabilityPolicy, read and checked. */
#ifndef SKEP_OPERATOR_POLICY_H
#define SKEP_OPERATOR_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <uthash.h>

#include "lib/base/error.h"
#include "lib/base/strings.h"
#include "lib/intent/intent.h"
#include "operator/labels.h"
#include "operator/pod.h"
#include "operator/selector.h"

#define POLICY_CONTAINERS_LIMIT 32
#define POLICY_NAME_LIMIT	253 /* as of any object's name */

/* What a policy asks of one probe. */
struct policy_probe {
	bool wanted;
	union probe_settings settings;
};

struct policy {
	char *uid;
	char *namespace;
	char *name;
	char *id; /* "namespace/name" */
	int64_t generation;

	bool accepted;
	struct error refusal; /* why not: the field and the remedy */

	/* Meaningful only when it is accepted. */
	struct selector selector;
	struct selector node_selector;
	struct strings containers; /* empty: every container */
	struct policy_probe probes[PROBE_TYPES];
	bool suspend;

	UT_hash_handle hh;				/* cluster: all policies by id */
	struct policy *namespace_prev, *namespace_next; /* cluster: those of the namespace */
};

/*
 * Reads an ObservabilityPolicy. A spec that cannot be carried out gives a policy that is not
 * accepted, with the reason. Returns 0 with *ret_policy; -EINVAL for an object without name or UID,
 * -ENOMEM.
 */
int policy_decode(const cJSON *object, struct policy **ret_policy);

/*
 * Whether the policy is about this pod, whatever node it is on. A suspended one is about none; one
 * that names containers is about pods that have one of them.
 */
bool policy_selects_pod(const struct policy *policy, const struct pod *pod);

/* Whether the policy is to be carried out on a node with these labels. */
bool policy_selects_node(const struct policy *policy, const struct labels *node_labels);

/* Returns NULL. The policy must be in no list or table. */
struct policy *policy_free(struct policy *policy);

#endif
