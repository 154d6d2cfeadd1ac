// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/aggregate.h"

#include <string.h>

static void count_standing(struct standing_counts *counts, enum probe_standing standing)
{
	switch (standing) {
	case STANDING_ATTACHED:
		counts->attached++;
		break;
	case STANDING_PENDING:
		counts->pending++;
		break;
	case STANDING_WAITING:
		counts->waiting++;
		break;
	case STANDING_FAILED:
		counts->failed++;
		break;
	case STANDING_UNSUPPORTED:
		counts->unsupported++;
		break;
	}
}

static void add_counts(struct standing_counts *sum, const struct standing_counts *counts)
{
	sum->attached += counts->attached;
	sum->pending += counts->pending;
	sum->waiting += counts->waiting;
	sum->failed += counts->failed;
	sum->unsupported += counts->unsupported;
}

struct standing_counts aggregate_totals(const struct aggregate *aggregate)
{
	struct standing_counts sum = {0};

	for (int type = 0; type < PROBE_TYPES; type++)
		add_counts(&sum, &aggregate->probes[type]);
	return sum;
}

static bool comes_before(const struct aggregate_failure *a, const struct aggregate_failure *b)
{
	int order = strcmp(a->node, b->node);

	if (order == 0)
		order = strcmp(a->namespace, b->namespace);
	if (order == 0)
		order = strcmp(a->pod, b->pod);
	return order < 0 || (order == 0 && a->probe < b->probe);
}

/*
 * Keeps the first failures by node, namespace, pod and probe, so that the same failures are told in
 * the same order whatever order they came in.
 */
static void add_failure(struct aggregate *aggregate, const struct pod *pod, enum probe_type type,
			const struct standing *standing)
{
	const struct aggregate_failure failure = {
		.node = pod->node,
		.namespace = pod->namespace,
		.pod = pod->name,
		.probe = type,
		.reason = standing->reason,
		.message = standing->message,
	};
	unsigned int at = aggregate->failure_count;

	aggregate->failure_total++;
	while (at > 0 && comes_before(&failure, &aggregate->failures[at - 1]))
		at--;
	if (at == AGGREGATE_FAILURES_LIMIT)
		return;
	if (aggregate->failure_count < AGGREGATE_FAILURES_LIMIT)
		aggregate->failure_count++;
	memmove(&aggregate->failures[at + 1], &aggregate->failures[at],
		(aggregate->failure_count - at - 1) * sizeof(failure));
	aggregate->failures[at] = failure;
}

/* A node that the fleet has not met yet has everything pending. */
static struct standing pod_standing(const struct fleet_node *node, const struct pod *pod,
				    enum probe_type type, uint64_t now_ms)
{
	if (!node)
		return (struct standing){STANDING_PENDING, "Progressing", ""};
	return fleet_node_standing(node, pod_cgroup_uid(pod), type, now_ms);
}

/* Adds one pod to the policy's sums; returns how its probes stand. Those of a preview do not. */
static struct standing_counts add_pod(struct aggregate *aggregate, const struct policy *policy,
				      const struct pod *pod, const struct fleet_node *node,
				      uint64_t now_ms)
{
	struct standing_counts counts = {0};

	aggregate->pods.matched++;
	if (policy->mode == POLICY_PREVIEW)
		return counts;
	for (int type = 0; type < PROBE_TYPES; type++) {
		struct standing standing;

		if (!policy->probes[type].wanted)
			continue;
		standing = pod_standing(node, pod, (enum probe_type)type, now_ms);
		count_standing(&counts, standing.standing);
		count_standing(&aggregate->probes[type], standing.standing);
		if (standing.standing == STANDING_FAILED ||
		    standing.standing == STANDING_UNSUPPORTED)
			add_failure(aggregate, pod, (enum probe_type)type, &standing);
	}
	if (counts.pending + counts.failed + counts.unsupported == 0) {
		aggregate->pods.attached += counts.waiting == 0;
		aggregate->pods.waiting += counts.waiting > 0;
	}
	return counts;
}

static void add_node(struct aggregate *aggregate, const struct policy *policy,
		     const struct standing_counts *counts)
{
	aggregate->nodes.matched++;
	if (policy->mode == POLICY_PREVIEW)
		return;
	if (counts->failed)
		aggregate->nodes.failed++;
	else if (counts->unsupported)
		aggregate->nodes.unsupported++;
	else if (!counts->pending)
		aggregate->nodes.ready++;
}

/* Adds the policy's pods on one node; `pod` is the first of a list by node_next. */
static void add_pods_of_node(struct aggregate *aggregate, const struct policy *policy,
			     const struct cluster_node *node, const struct fleet *fleet,
			     uint64_t now_ms)
{
	const struct fleet_node *fleet_node = fleet_find_node(fleet, node->name);
	bool taken = policy_selects_node(policy, &node->labels);
	struct standing_counts sum = {0};
	bool matched = false;

	for (const struct pod *pod = node->pods; pod; pod = pod->node_next) {
		struct standing_counts counts;

		if (!policy_matches_pod(policy, pod))
			continue;
		matched = true;
		if (!taken)
			break;
		counts = add_pod(aggregate, policy, pod, fleet_node, now_ms);
		add_counts(&sum, &counts);
	}
	if (matched && taken)
		add_node(aggregate, policy, &sum);
	else if (matched)
		aggregate->nodes.skipped++;
}

struct aggregate aggregate_policy(const struct policy *policy, const struct cluster *cluster,
				  const struct fleet *fleet, uint64_t now_ms)
{
	struct aggregate aggregate = {0};

	for (const struct cluster_node *node = cluster->nodes; node; node = node->hh.next)
		add_pods_of_node(&aggregate, policy, node, fleet, now_ms);
	return aggregate;
}
