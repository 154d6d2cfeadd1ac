// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/self.h"

#include "lib/metrics/exposition.h"
#include "lib/metrics/process.h"

static void write_one(struct text *out, const char *name, enum metric_type type, const char *help,
		      double value)
{
	metrics_family(out, name, type, help);
	metrics_sample(out, name, NULL, 0, value);
}

static void write_build_info(const struct self_metrics *self, struct text *out)
{
	const struct metric_label label = {"version", self->version};

	metrics_family(out, "skep_agent_build_info", METRIC_GAUGE,
		       "The agent's version; always 1.");
	metrics_sample(out, "skep_agent_build_info", &label, 1, 1);
}

static void write_pods(const struct lifecycle_counts *counts, struct text *out)
{
	metrics_family(out, "skep_agent_pods", METRIC_GAUGE,
		       "Selected pods of this node, each by the worst state of its probes.");
	for (int state = PROBE_ATTACHED; state <= PROBE_UNSUPPORTED; state++) {
		const struct metric_label label = {"state",
						   probe_state_name((enum probe_state)state)};

		metrics_sample(out, "skep_agent_pods", &label, 1, (double)counts->pods[state]);
	}
}

#define EVENTS_LOST "skep_events_lost_total"

static void write_events(const struct exporter_stats *events, const struct throttles *throttles,
			 struct text *out)
{
	const struct metric_label label = {"stage", "export"};

	write_one(out, "skep_events_written_total", METRIC_COUNTER,
		  "Events written to standard output.", (double)events->written);
	metrics_family(out, EVENTS_LOST, METRIC_COUNTER,
		       "Events lost after the kernel had handed them over.");
	metrics_sample(out, EVENTS_LOST, &label, 1, (double)events->lost);
	throttles_write(throttles, EVENTS_LOST, out);
}

void self_metrics_write(const struct self_metrics *self, struct text *out)
{
	write_build_info(self, out);
	write_one(out, "skep_agent_starts_total", METRIC_COUNTER,
		  "Starts of the agent on this node.", (double)self->starts);
	write_one(out, "skep_agent_connected", METRIC_GAUGE,
		  "Whether there is a connection to the operator.", self->connected);
	write_one(out, "skep_agent_connections_lost_total", METRIC_COUNTER,
		  "Connections to the operator that ended or could not be made.",
		  (double)self->connections_lost);
	write_one(out, "skep_agent_revision", METRIC_GAUGE,
		  "Revision of the selection that is carried out.", (double)self->revision);
	write_pods(&self->counts, out);
	write_one(out, "skep_agent_programs_loaded", METRIC_GAUGE,
		  "Kinds of probes whose programs are loaded.",
		  (double)self->counts.programs_loaded);
	write_events(&self->events, self->throttles, out);
	write_one(out, "skep_agent_series", METRIC_GAUGE,
		  "Series of pods that the agent shows; each line of a histogram is one.",
		  (double)self->series);
	write_one(out, "skep_agent_peer_addresses", METRIC_GAUGE,
		  "Addresses that the operator is asked about.", (double)self->peers);
	write_one(out, "skep_agent_edges", METRIC_GAUGE,
		  "Edges between workloads that the operator is told of.", (double)self->edges);
	process_metrics_write(out);
}
