/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The labels that tell a policy in the agent's metrics of itself. Pure. */
#ifndef SKEP_NODE_AGENT_BUDGET_POLICY_LABELS_H
#define SKEP_NODE_AGENT_BUDGET_POLICY_LABELS_H

#include "lib/metrics/exposition.h"

#define POLICY_LABELS	      2
#define POLICY_NAMESPACE_SIZE 254

struct policy_labels {
	char namespace[POLICY_NAMESPACE_SIZE];
	struct metric_label labels[POLICY_LABELS];
};

/* Of "namespace/name", or "name" of one of the cluster. The name is borrowed from `policy`. */
void policy_labels_make(const char *policy, struct policy_labels *ret_labels);

#endif
