// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/status.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "operator/conditions.h"
#include "operator/timestamp.h"

/* "TCP" or "TCP,Exec": the probes that the policy asks for. */
static void join_probes(const struct policy *policy, char *out, size_t size)
{
	size_t length = 0;

	out[0] = '\0';
	for (int type = 0; type < PROBE_TYPES && length < size; type++)
		if (policy->probes[type].wanted)
			length += (size_t)snprintf(out + length, size - length, "%s%s",
						   length ? "," : "",
						   probe_type_name((enum probe_type)type));
}

static bool add_pods(cJSON *status, const struct aggregate *aggregate)
{
	cJSON *pods = cJSON_AddObjectToObject(status, "pods");
	cJSON *nodes = cJSON_AddObjectToObject(status, "nodes");

	return cJSON_AddNumberToObject(pods, "matched", aggregate->pods.matched) &&
	       cJSON_AddNumberToObject(pods, "attached", aggregate->pods.attached) &&
	       cJSON_AddNumberToObject(nodes, "matched", aggregate->nodes.matched) &&
	       cJSON_AddNumberToObject(nodes, "ready", aggregate->nodes.ready) &&
	       cJSON_AddNumberToObject(nodes, "failed", aggregate->nodes.failed) &&
	       cJSON_AddNumberToObject(nodes, "skipped", aggregate->nodes.skipped) &&
	       cJSON_AddNumberToObject(nodes, "unsupported", aggregate->nodes.unsupported);
}

/* An empty text is left out: server-side apply before Kubernetes 1.21 makes null of it. */
static bool add_text(cJSON *object, const char *name, const char *text)
{
	return !*text || cJSON_AddStringToObject(object, name, text);
}

/* One word for all pods of a probe: the worst that any of them is in. */
static const char *probe_word(const struct standing_counts *counts)
{
	if (counts->failed)
		return "Failed";
	if (counts->unsupported)
		return "Unsupported";
	if (counts->pending)
		return "Progressing";
	if (counts->waiting)
		return "Waiting";
	return counts->attached ? "Attached" : "Idle";
}

static bool add_probes(cJSON *status, const struct policy *policy,
		       const struct aggregate *aggregate)
{
	cJSON *array = cJSON_AddArrayToObject(status, "probes");

	for (int type = 0; type < PROBE_TYPES; type++) {
		const struct standing_counts *counts = &aggregate->probes[type];
		cJSON *item;

		if (!policy->probes[type].wanted)
			continue;
		item = json_append_object(array);
		if (!cJSON_AddStringToObject(item, "type",
					     probe_type_name((enum probe_type)type)) ||
		    !cJSON_AddNumberToObject(item, "pods", counts->attached) ||
		    !cJSON_AddStringToObject(item, "state", probe_word(counts)))
			return false;
	}
	return array != NULL;
}

static bool add_failures(cJSON *status, const struct aggregate *aggregate)
{
	cJSON *array = cJSON_AddArrayToObject(status, "failures");

	for (unsigned int i = 0; i < aggregate->failure_count; i++) {
		const struct aggregate_failure *failure = &aggregate->failures[i];
		cJSON *item = json_append_object(array);

		if (!cJSON_AddStringToObject(item, "node", failure->node) ||
		    !cJSON_AddStringToObject(item, "namespace", failure->namespace) ||
		    !cJSON_AddStringToObject(item, "pod", failure->pod) ||
		    !cJSON_AddStringToObject(item, "probe", probe_type_name(failure->probe)) ||
		    !add_text(item, "reason", failure->reason) ||
		    !add_text(item, "message", failure->message))
			return false;
	}
	return array != NULL;
}

/*
 * What `kubectl get` shows: its columns can hold a string, but cannot join two numbers or a list.
 */
static bool add_summary(cJSON *status, const struct policy *policy,
			const struct aggregate *aggregate)
{
	cJSON *summary = cJSON_AddObjectToObject(status, "summary");
	char probes[128], pods[32], nodes[32];

	join_probes(policy, probes, sizeof(probes));
	snprintf(pods, sizeof(pods), "%u/%u", aggregate->pods.attached, aggregate->pods.matched);
	snprintf(nodes, sizeof(nodes), "%u/%u", aggregate->nodes.ready, aggregate->nodes.matched);
	return add_text(summary, "probes", probes) &&
	       cJSON_AddStringToObject(summary, "pods", pods) &&
	       cJSON_AddStringToObject(summary, "nodes", nodes);
}

static bool add_expiry(cJSON *status, const struct policy *policy)
{
	char moment[TIMESTAMP_SIZE];

	if (policy->expires_at == 0)
		return true;
	timestamp_format(policy->expires_at, moment);
	return cJSON_AddStringToObject(status, "expiresAt", moment);
}

cJSON *status_make(const struct policy *policy, const struct aggregate *aggregate,
		   const cJSON *previous, time_t now)
{
	cleanup_json cJSON *status = cJSON_CreateObject();
	const struct aggregate nothing = {0};
	struct verdict verdicts[CONDITIONS];

	if (!policy->accepted)
		aggregate = &nothing;
	conditions_judge(policy, aggregate, verdicts);
	if (cJSON_AddNumberToObject(status, "observedGeneration", (double)policy->generation) &&
	    conditions_add(status, policy, verdicts, json_find(previous, "conditions"), now) &&
	    add_expiry(status, policy) && add_pods(status, aggregate) &&
	    add_probes(status, policy, aggregate) && add_failures(status, aggregate) &&
	    add_summary(status, policy, aggregate))
		return take_pointer(status);
	return NULL;
}

static bool says(const cJSON *status, const char *type, const char *word)
{
	const cJSON *condition = condition_find(json_find(status, "conditions"), type);

	return strcmp(json_text(condition, "status"), word) == 0;
}

bool status_is_passing(const cJSON *status, const cJSON *previous)
{
	if (!says(status, "Reconciling", "True"))
		return false;
	return says(status, "Degraded", "False") ||
	       (says(previous, "Throttled", "True") && says(status, "Throttled", "False"));
}

bool status_is_settled(const cJSON *status, const struct policy *policy)
{
	return json_integer(status, 0, "observedGeneration") == policy->generation &&
	       (says(status, "Ready", "True") || says(status, "Degraded", "True"));
}

static bool holds_members(const cJSON *written, const cJSON *status)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, written) {
		const cJSON *other = cJSON_GetObjectItemCaseSensitive(status, item->string);

		if (strcmp(item->string, "conditions") != 0 && !cJSON_Compare(item, other, true))
			return false;
	}
	return true;
}

bool status_holds(const cJSON *written, const cJSON *status)
{
	const cJSON *others = json_find(status, "conditions"), *condition;

	if (!holds_members(written, status))
		return false;
	cJSON_ArrayForEach(condition, json_find(written, "conditions")) {
		const cJSON *other = condition_find(others, json_text(condition, "type"));

		if (!cJSON_Compare(condition, other, true))
			return false;
	}
	return true;
}

bool status_conditions_differ(const cJSON *a, const cJSON *b)
{
	const cJSON *condition, *other;

	if (json_integer(a, 0, "observedGeneration") != json_integer(b, 0, "observedGeneration"))
		return true;
	cJSON_ArrayForEach(condition, json_find(b, "conditions")) {
		other = condition_find(json_find(a, "conditions"), json_text(condition, "type"));
		if (strcmp(json_text(condition, "status"), json_text(other, "status")) != 0 ||
		    strcmp(json_text(condition, "reason"), json_text(other, "reason")) != 0)
			return true;
	}
	return false;
}

size_t status_transitions(const cJSON *previous, const cJSON *status,
			  struct status_transition transitions[STATUS_TRANSITIONS_LIMIT])
{
	/* Told when they change; the second word is the status that is wished for. */
	static const char *const told[][2] = {{"Accepted", "True"},
					      {"Ready", "True"},
					      {"Degraded", "False"},
					      {"Throttled", "False"}};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		const cJSON *before = condition_find(json_find(previous, "conditions"), told[i][0]);
		const cJSON *after = condition_find(json_find(status, "conditions"), told[i][0]);
		bool good = strcmp(json_text(after, "status"), told[i][1]) == 0;

		if (before && strcmp(json_text(before, "status"), json_text(after, "status")) == 0)
			continue;
		/* The first status is news where it is Ready, or in trouble; not on the way. */
		if (!before && good != (strcmp(told[i][0], "Ready") == 0))
			continue;
		/* What falls for one reason (Ready and Degraded, mostly) is one thing to tell. */
		if (count && strcmp(transitions[count - 1].reason, json_text(after, "reason")) == 0)
			continue;
		transitions[count++] = (struct status_transition){
			.type = told[i][0],
			.reason = json_text(after, "reason"),
			.message = json_text(after, "message"),
			.good = good,
		};
	}
	return count;
}
