// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/metrics.h"

#include "lib/metrics/exposition.h"

static void write_one(struct text *out, const char *name, enum metric_type type, const char *help,
		      double value)
{
	metrics_family(out, name, type, help);
	metrics_sample(out, name, NULL, 0, value);
}

/* One family with a sample for each watch; `member` picks the figure. */
static void write_watches(struct text *out, const char *name, enum metric_type type,
			  const char *help, const struct operator_figures *figures,
			  uint64_t (*member)(const struct kube_informer_stats *))
{
	static const char *const resources[WATCHES] = {
		[WATCH_POLICIES] = "observabilitypolicies",
		[WATCH_CLUSTER_POLICIES] = "clusterobservabilitypolicies",
		[WATCH_QUOTAS] = "probequotas",
		[WATCH_NAMESPACES] = "namespaces",
		[WATCH_PODS] = "pods",
		[WATCH_NODES] = "nodes",
		[WATCH_SERVICES] = "services",
		[WATCH_NODE_REPORTS] = "nodeprobereports",
	};

	metrics_family(out, name, type, help);
	for (int i = 0; i < WATCHES; i++) {
		const struct metric_label label = {"resource", resources[i]};

		metrics_sample(out, name, &label, 1, (double)member(&figures->watches[i]));
	}
}

static uint64_t watch_lists(const struct kube_informer_stats *stats)
{
	return stats->lists;
}

static uint64_t watch_events(const struct kube_informer_stats *stats)
{
	return stats->events;
}

static uint64_t watch_failures(const struct kube_informer_stats *stats)
{
	return stats->failures;
}

static uint64_t watch_bad_objects(const struct kube_informer_stats *stats)
{
	return stats->bad_objects;
}

static void write_objects(const struct operator_figures *figures, struct text *out)
{
	write_one(out, "skep_operator_policies", METRIC_GAUGE,
		  "Policies in the cluster, of both scopes.", figures->policies);
	write_one(out, "skep_operator_pods", METRIC_GAUGE, "Pods in the cluster.", figures->pods);
	write_one(out, "skep_operator_nodes", METRIC_GAUGE, "Nodes in the cluster.",
		  figures->nodes);
	write_one(out, "skep_operator_services", METRIC_GAUGE, "Services in the cluster.",
		  figures->services);
	write_one(out, "skep_operator_edges", METRIC_GAUGE,
		  "Edges that agents reported and that are kept, of all nodes.",
		  (double)figures->edges);
	write_one(out, "skep_operator_agents_connected", METRIC_GAUGE, "Agents connected now.",
		  figures->agents);
	write_one(out, "skep_operator_agents_refused_total", METRIC_COUNTER,
		  "Connections turned away on the agents' port.", (double)figures->link.refused);
	write_one(out, "skep_operator_agent_messages_bad_total", METRIC_COUNTER,
		  "Messages of agents that were too long or no JSON.",
		  (double)figures->link.bad_messages);
	write_one(out, "skep_operator_pods_compiled_total", METRIC_COUNTER,
		  "Times a pod's selection was computed.", (double)figures->compiled);
	write_one(out, "skep_operator_status_writes_total", METRIC_COUNTER,
		  "Statuses written to the API server.", (double)figures->status.writes);
	write_one(out, "skep_operator_status_failures_total", METRIC_COUNTER,
		  "Statuses that could not be written and were tried again.",
		  (double)figures->status.failures);
	write_one(out, "skep_operator_status_repairs_total", METRIC_COUNTER,
		  "Statuses that others had changed and that were written again.",
		  (double)figures->status.repairs);
	write_one(out, "skep_operator_node_report_writes_total", METRIC_COUNTER,
		  "NodeProbeReports written to the API server.",
		  (double)figures->node_reports.writes);
	write_one(out, "skep_operator_node_report_failures_total", METRIC_COUNTER,
		  "NodeProbeReports that could not be written and were tried again.",
		  (double)figures->node_reports.failures);
}

void operator_metrics_write(const struct operator_figures *figures, struct text *out)
{
	const struct metric_label version = {"version", SKEP_VERSION};

	metrics_family(out, "skep_operator_build_info", METRIC_GAUGE, "The version that runs.");
	metrics_sample(out, "skep_operator_build_info", &version, 1, 1);
	write_one(out, "skep_operator_leader", METRIC_GAUGE,
		  "1 of the operator that works, 0 of those that stand by.", figures->leading);
	write_objects(figures, out);
	write_watches(out, "skep_operator_lists_total", METRIC_COUNTER,
		      "Complete lists, the first one included.", figures, watch_lists);
	write_watches(out, "skep_operator_watch_events_total", METRIC_COUNTER,
		      "Watch events handled.", figures, watch_events);
	write_watches(out, "skep_operator_watch_failures_total", METRIC_COUNTER,
		      "Lists and watches that failed and were tried again.", figures,
		      watch_failures);
	write_watches(out, "skep_operator_objects_bad_total", METRIC_COUNTER,
		      "Objects that could not be read.", figures, watch_bad_objects);
}
