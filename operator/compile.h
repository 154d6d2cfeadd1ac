/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Compiles policies: from what they say to what is done on one pod. Pure. */
#ifndef SKEP_OPERATOR_COMPILE_H
#define SKEP_OPERATOR_COMPILE_H

#include "lib/link/selection.h"
#include "operator/labels.h"
#include "operator/pod.h"
#include "operator/policy.h"

/* Policies that may be about a pod: two lists by scope_next, oldest first. */
struct policy_lists {
	const struct policy *of_namespace; /* of the pod's */
	const struct policy *of_cluster;
};

/*
 * The union of what policies ask of `pod`, which is on a node with `node_labels`: of the first
 * SELECTION_POLICIES_LIMIT, with names of SELECTION_NAMES_LIMIT bytes together, those of the
 * cluster before those of the namespace; beyond, the result is `crowded`. So the pods of a node fit
 * into a message, whatever the owners of one namespace write. Returns 0 with *ret_pod, owned by the
 * caller, NULL when nobody asks for anything; or -ENOMEM.
 */
int compile_pod(const struct policy_lists *policies, const struct pod *pod,
		const struct labels *node_labels, struct selected_pod **ret_pod);

#endif
