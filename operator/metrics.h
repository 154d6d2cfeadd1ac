/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The operator's own metrics: figures in, Prometheus text out. Pure. */
#ifndef SKEP_OPERATOR_METRICS_H
#define SKEP_OPERATOR_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/text.h"
#include "lib/kube/informer.h"
#include "lib/link/server.h"
#include "operator/status_writer.h"

/* What the operator watches. */
enum watch {
	WATCH_POLICIES,
	WATCH_CLUSTER_POLICIES,
	WATCH_QUOTAS,
	WATCH_NAMESPACES,
	WATCH_PODS,
	WATCH_NODES,
	WATCH_SERVICES,
	WATCH_NODE_REPORTS,
};
#define WATCHES 8

struct operator_figures {
	unsigned int policies;
	unsigned int pods;
	unsigned int nodes;
	unsigned int services;
	size_t edges;	     /* that agents reported last */
	unsigned int agents; /* connected now */
	uint64_t compiled;   /* pods compiled, ever */
	bool leading;
	struct status_writer_stats status;
	struct status_writer_stats node_reports;
	struct link_server_stats link;
	struct kube_informer_stats watches[WATCHES];
};

void operator_metrics_write(const struct operator_figures *figures, struct text *out);

#endif
