/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The labels of a pod's series: OpenTelemetry's resource attributes in Prometheus' form. Pure. */
#ifndef SKEP_NODE_AGENT_EXPORT_LABELS_H
#define SKEP_NODE_AGENT_EXPORT_LABELS_H

#include <stddef.h>

#include "lib/link/selection.h"
#include "lib/metrics/exposition.h"

#define SERIES_LABELS_LIMIT 5

/* Whose series they are: those of all pods of a workload are one, or each pod has its own. */
enum series_level { SERIES_OF_WORKLOADS, SERIES_OF_PODS };

struct series_labels {
	struct metric_label labels[SERIES_LABELS_LIMIT];
	size_t count;
};

/*
 * Namespace, pod (at the level of workloads that of a pod of nobody only), workload (unless it is
 * the pod itself) and, unless NULL, container. The values are borrowed from `pod` and `container`.
 */
void series_labels_make(const struct selected_pod *pod, const char *container,
			enum series_level level, struct series_labels *ret_labels);

#endif
