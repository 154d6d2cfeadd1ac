// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/labels.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void add_label(struct series_labels *labels, const char *name, const char *value)
{
	labels->labels[labels->count++] = (struct metric_label){name, value};
}

/* "Deployment" → "k8s_deployment_name"; what no label may hold becomes an underscore. */
static void name_workload_label(const char *kind, char label[WORKLOAD_LABEL_SIZE])
{
	snprintf(label, WORKLOAD_LABEL_SIZE, "k8s_%.64s_name", kind);
	for (char *at = label; *at; at++)
		*at = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '_';
}

void series_labels_make(const struct selected_pod *pod, const char *container,
			struct series_labels *ret_labels)
{
	ret_labels->count = 0;
	add_label(ret_labels, "k8s_namespace_name", pod->namespace);
	add_label(ret_labels, "k8s_pod_name", pod->name);
	name_workload_label(pod->workload_kind, ret_labels->workload_label);
	if (strcmp(ret_labels->workload_label, "k8s_pod_name") != 0)
		add_label(ret_labels, ret_labels->workload_label, pod->workload_name);
	if (container)
		add_label(ret_labels, "k8s_container_name", container);
}
