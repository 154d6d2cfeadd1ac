/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The labels of a pod's series: OpenTelemetry's resource attributes in Prometheus' form. Pure. */
#ifndef SKEP_NODE_AGENT_EXPORT_LABELS_H
#define SKEP_NODE_AGENT_EXPORT_LABELS_H

#include <stddef.h>

#include "lib/link/selection.h"
#include "lib/metrics/exposition.h"

#define SERIES_LABELS_LIMIT 5

struct series_labels {
	struct metric_label labels[SERIES_LABELS_LIMIT];
	size_t count;
};

/*
 * Namespace, pod, workload (unless it is the pod itself) and, unless NULL, container. The values
 * are borrowed from `pod` and `container`.
 */
void series_labels_make(const struct selected_pod *pod, const char *container,
			struct series_labels *ret_labels);

#endif
