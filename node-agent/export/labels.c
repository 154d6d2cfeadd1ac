// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/labels.h"

#include <string.h>

static void add_label(struct series_labels *labels, const char *name, const char *value)
{
	labels->labels[labels->count++] = (struct metric_label){name, value};
}

/*
 * The label of a workload, by its kind. An owner can be of any kind that a tenant makes up, and a
 * label that stands twice spoils the scrape: other kinds are told by two labels that are our own.
 */
static const char *workload_label(const char *kind)
{
	static const char *const labels[][2] = {
		{"CronJob", "k8s_cronjob_name"},
		{"DaemonSet", "k8s_daemonset_name"},
		{"Deployment", "k8s_deployment_name"},
		{"Job", "k8s_job_name"},
		{"ReplicaSet", "k8s_replicaset_name"},
		{"ReplicationController", "k8s_replicationcontroller_name"},
		{"StatefulSet", "k8s_statefulset_name"},
	};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcmp(kind, labels[i][0]) == 0)
			return labels[i][1];
	return NULL;
}

static void add_workload(struct series_labels *labels, const struct selected_pod *pod)
{
	const char *label = workload_label(pod->workload_kind);

	if (label) {
		add_label(labels, label, pod->workload_name);
		return;
	}
	add_label(labels, "k8s_workload_kind", pod->workload_kind);
	add_label(labels, "k8s_workload_name", pod->workload_name);
}

void series_labels_make(const struct selected_pod *pod, const char *container,
			enum series_level level, struct series_labels *ret_labels)
{
	bool is_its_own = strcmp(pod->workload_kind, "Pod") == 0;

	ret_labels->count = 0;
	add_label(ret_labels, "k8s_namespace_name", pod->namespace);
	if (is_its_own || level == SERIES_OF_PODS)
		add_label(ret_labels, "k8s_pod_name", pod->name);
	if (!is_its_own)
		add_workload(ret_labels, pod);
	if (container)
		add_label(ret_labels, "k8s_container_name", container);
}
