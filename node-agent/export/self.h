/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The agent's metrics of itself. */
#ifndef SKEP_NODE_AGENT_EXPORT_SELF_H
#define SKEP_NODE_AGENT_EXPORT_SELF_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/text.h"
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
};

/* What the kernel says of this process. */
struct process_metrics {
	uint64_t resident_bytes;
	uint64_t descriptors;
	double cpu_seconds;
	double start_time_seconds; /* since 1970 */
};

/* Reads them from /proc; what cannot be read is 0. */
void process_metrics_read(struct process_metrics *ret_metrics);

void self_metrics_write(const struct self_metrics *self, const struct process_metrics *process,
			struct text *out);

#endif
