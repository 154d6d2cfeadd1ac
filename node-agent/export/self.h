/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The agent's metrics of itself. */
#ifndef SKEP_NODE_AGENT_EXPORT_SELF_H
#define SKEP_NODE_AGENT_EXPORT_SELF_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/text.h"
#include "node-agent/budget/throttles.h"
#include "node-agent/export/exporter.h"
#include "node-agent/lifecycle/lifecycle.h"

/* What the metrics tell. */
struct self_metrics {
	const char *version;
	uint64_t starts; /* of the agent on this node, ever */
	bool connected;	 /* to the operator */
	uint64_t connections_lost;
	uint64_t revision; /* of the selection that is carried out */
	struct lifecycle_counts counts;
	struct exporter_stats events;
	const struct throttles *throttles; /* whose events were shed */
	size_t series;
	size_t peers; /* addresses that the operator is asked about */
	size_t edges; /* that the operator is told of */
};

/* Writes them, those of the process included. */
void self_metrics_write(const struct self_metrics *self, struct text *out);

#endif
