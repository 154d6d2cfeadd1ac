// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/budget/policy_labels.h"

#include <stdio.h>
#include <string.h>

void policy_labels_make(const char *policy, struct policy_labels *ret_labels)
{
	const char *slash = strchr(policy, '/');

	snprintf(ret_labels->namespace, sizeof(ret_labels->namespace), "%.*s",
		 slash ? (int)(slash - policy) : 0, policy);
	ret_labels->labels[0] = (struct metric_label){"k8s_namespace_name", ret_labels->namespace};
	ret_labels->labels[1] = (struct metric_label){"policy", slash ? slash + 1 : policy};
}
