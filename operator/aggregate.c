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

#define TEXT(number)	TEXT_OF(number)
#define TEXT_OF(number) #number

static const char too_many[] = "TooManyPolicies";
static const char too_many_says[] =
	"the policies that go before this one observe the pod, and there is no room for more: a "
	"pod can have " TEXT(SELECTION_POLICIES_LIMIT) ", with names of " TEXT(
		SELECTION_NAMES_LIMIT) " bytes together, first those of the cluster, then the "
				       "oldest; join or delete some of them";

/* A node that the fleet has not met yet has everything pending. */
static struct standing pod_standing(const struct fleet_node *node, const struct policy *policy,
				    const struct pod *pod, enum probe_type type, uint64_t now_ms)
{
	if (!node)
		return (struct standing){STANDING_PENDING, "Progressing", ""};
	if (fleet_node_leaves_out(node, pod_cgroup_uid(pod), policy->id))
		return (struct standing){STANDING_FAILED, too_many, too_many_says};
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
		standing = pod_standing(node, policy, pod, (enum probe_type)type, now_ms);
		aggregate->crowded += standing.reason == too_many;
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

/* What the node's agent says of the policy's bounds. */
static void add_throttle(struct aggregate *aggregate, const struct report_throttle *throttle)
{
	for (int part = 0; throttle && part < BUDGET_PARTS; part++) {
		uint32_t most = throttle->beyond.most[part];

		if (!most)
			continue;
		if (!aggregate->throttled[part].nodes || most < aggregate->throttled[part].most)
			aggregate->throttled[part].most = most;
		aggregate->throttled[part].nodes++;
		if (part == BUDGET_EVENTS)
			aggregate->throttled[part].shed_per_second += throttle->shed_per_second;
	}
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

/* What a policy finds on one node. */
struct node_sum {
	const struct fleet_node *fleet_node;
	bool taken;   /* by the policy's nodeSelector */
	bool matched; /* it has a matching pod */
	struct standing_counts counts;
};

static struct node_sum node_sum_start(const struct policy *policy, const struct cluster_node *node,
				      const struct fleet *fleet)
{
	return (struct node_sum){.fleet_node = fleet_find_node(fleet, node->name),
				 .taken = policy_selects_node(policy, &node->labels)};
}

/* Adds a matching pod of the node. */
static void node_sum_add(struct node_sum *sum, struct aggregate *aggregate,
			 const struct policy *policy, const struct pod *pod, uint64_t now_ms)
{
	struct standing_counts counts;

	sum->matched = true;
	if (!sum->taken)
		return;
	counts = add_pod(aggregate, policy, pod, sum->fleet_node, now_ms);
	add_counts(&sum->counts, &counts);
}

static void node_sum_end(const struct node_sum *sum, struct aggregate *aggregate,
			 const struct policy *policy)
{
	if (sum->matched && sum->taken) {
		add_node(aggregate, policy, &sum->counts);
		if (sum->fleet_node)
			add_throttle(aggregate, fleet_node_throttle(sum->fleet_node, policy->id));
	} else if (sum->matched) {
		aggregate->nodes.skipped++;
	}
}

/* The pods of one namespace; those of a node lie side by side there. */
static void add_pods_of_namespace(struct aggregate *aggregate, const struct policy *policy,
				  const struct cluster *cluster, const struct fleet *fleet,
				  uint64_t now_ms)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(cluster, policy->namespace);
	const struct pod *pod = namespace ? namespace->pods : NULL;
	struct node_sum sum = {0};
	const char *node = "";

	for (; pod; pod = pod->namespace_next) {
		if (!policy_matches_pod(policy, pod))
			continue;
		if (strcmp(pod->node, node) != 0) {
			node_sum_end(&sum, aggregate, policy);
			node = pod->node;
			sum = node_sum_start(policy, cluster_find_node(cluster, node), fleet);
		}
		node_sum_add(&sum, aggregate, policy, pod, now_ms);
	}
	node_sum_end(&sum, aggregate, policy);
}

static void add_pods_of_node(struct aggregate *aggregate, const struct policy *policy,
			     const struct cluster_node *node, const struct fleet *fleet,
			     uint64_t now_ms)
{
	struct node_sum sum = node_sum_start(policy, node, fleet);

	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		if (policy_matches_pod(policy, pod))
			node_sum_add(&sum, aggregate, policy, pod, now_ms);
	node_sum_end(&sum, aggregate, policy);
}

static bool has_pod_of(const struct cluster_node *node, const struct policy *policy)
{
	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		if (policy_concerns_pod(policy, pod))
			return true;
	return false;
}

/* Of a policy that attaches nothing: where something may be attached nevertheless. */
static void add_unheard(struct aggregate *aggregate, const struct policy *policy,
			const struct cluster *cluster, const struct fleet *fleet, uint64_t now_ms)
{
	const struct cluster_node *node = cluster->nodes;
	const char *first = NULL;

	for (; node; node = node->hh.next) {
		if (!fleet_lacks_agent(fleet, node->name, now_ms) ||
		    !policy_selects_node(policy, &node->labels) || !has_pod_of(node, policy))
			continue;
		aggregate->unheard.count++;
		if (!first || strcmp(node->name, first) < 0)
			first = node->name;
	}
	aggregate->unheard.first = first;
}

struct aggregate aggregate_policy(const struct policy *policy, const struct cluster *cluster,
				  const struct fleet *fleet, uint64_t now_ms)
{
	struct aggregate aggregate = {0};
	const struct cluster_node *node = cluster->nodes;

	if (policy->suspend || policy->expired || policy->mode == POLICY_PREVIEW)
		add_unheard(&aggregate, policy, cluster, fleet, now_ms);
	if (policy->scope == POLICY_NAMESPACED) {
		add_pods_of_namespace(&aggregate, policy, cluster, fleet, now_ms);
		return aggregate;
	}
	for (; node; node = node->hh.next)
		add_pods_of_node(&aggregate, policy, node, fleet, now_ms);
	return aggregate;
}
