// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/conditions.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/json.h"
#include "lib/base/utf8.h"
#include "operator/timestamp.h"

static const char *const condition_names[CONDITIONS] = {
	[CONDITION_READY] = "Ready",	   [CONDITION_RECONCILING] = "Reconciling",
	[CONDITION_STALLED] = "Stalled",   [CONDITION_ACCEPTED] = "Accepted",
	[CONDITION_DEGRADED] = "Degraded", [CONDITION_THROTTLED] = "Throttled",
	[CONDITION_EXPIRED] = "Expired",
};

__attribute__((format(printf, 4, 5))) static void judge(struct verdict *verdict, bool holds,
							const char *reason, const char *format, ...)
{
	va_list arguments;

	verdict->holds = holds;
	verdict->reason = reason;
	va_start(arguments, format);
	vsnprintf(verdict->message, sizeof(verdict->message), format, arguments);
	va_end(arguments);
	utf8_make_printable(verdict->message);
}

static void copy_verdict(struct verdict *to, bool holds, const struct verdict *from)
{
	judge(to, holds, from->reason, "%s", from->message);
}

static void judge_not_expired(const struct policy *policy, struct verdict *expired)
{
	char moment[TIMESTAMP_SIZE];

	timestamp_format(policy->expires_at, moment);
	if (policy->expires_at)
		judge(expired, false, "NotExpired", "the policy ends its probes at %s", moment);
	else
		judge(expired, false, "NotExpired", "spec.expiresAfter is not set");
}

/* What holds unless something is found to be otherwise. */
static void judge_well(const struct policy *policy, struct verdict verdicts[CONDITIONS])
{
	judge(&verdicts[CONDITION_ACCEPTED], true, "Valid", "the policy can be carried out%s%s",
	      *policy->quota_note.message ? "; " : "", policy->quota_note.message);
	judge(&verdicts[CONDITION_RECONCILING], false, "Settled", "nothing is under way");
	judge(&verdicts[CONDITION_STALLED], false, "Settled", "nothing waits for a person");
	judge(&verdicts[CONDITION_DEGRADED], false, "NoFailures", "no probe failed");
	judge(&verdicts[CONDITION_THROTTLED], false, "WithinBounds",
	      "nothing is left out or added up for want of room");
	judge_not_expired(policy, &verdicts[CONDITION_EXPIRED]);
}

static void judge_refused(const struct policy *policy, struct verdict verdicts[CONDITIONS])
{
	struct verdict *accepted = &verdicts[CONDITION_ACCEPTED];

	if (policy->accepted)
		judge(accepted, false, "QuotaExceeded", "%s", policy->quota_refusal.message);
	else
		judge(accepted, false, "InvalidSpec", "%s", policy->refusal.message);
	copy_verdict(&verdicts[CONDITION_READY], false, accepted);
	copy_verdict(&verdicts[CONDITION_STALLED], true, accepted);
}

/* "s" where a count is not one. */
static const char *plural(unsigned int count)
{
	return count == 1 ? "" : "s";
}

#define UNHEARD_SIZE 384

/*
 * Where something may be attached though nothing should be, to be put behind that; "" for nowhere.
 * An agent that is away goes on with what it was told last.
 */
static void tell_unheard(const struct aggregate *aggregate, char out[UNHEARD_SIZE])
{
	unsigned int others = aggregate->unheard.count - 1;

	out[0] = '\0';
	if (aggregate->unheard.count == 0)
		return;
	snprintf(out, UNHEARD_SIZE, " (but node %.253s", aggregate->unheard.first);
	if (others)
		snprintf(out + strlen(out), UNHEARD_SIZE - strlen(out), " and %u other%s", others,
			 plural(others));
	snprintf(out + strlen(out), UNHEARD_SIZE - strlen(out),
		 " may go on as before until %s agent%s, which %s not connected, hear%s of it)",
		 others ? "their" : "its", plural(others + 1), others ? "are" : "is",
		 others ? "" : "s");
}

static void judge_suspended(const struct aggregate *aggregate, struct verdict *ready)
{
	char unheard[UNHEARD_SIZE];

	tell_unheard(aggregate, unheard);
	judge(ready, true, "Suspended", "spec.suspend is true: nothing is attached%s", unheard);
}

static void judge_expired(const struct policy *policy, const struct aggregate *aggregate,
			  struct verdict verdicts[CONDITIONS])
{
	struct verdict *expired = &verdicts[CONDITION_EXPIRED];
	char moment[TIMESTAMP_SIZE], after[DURATION_TEXT_SIZE], unheard[UNHEARD_SIZE];

	timestamp_format(policy->expires_at, moment);
	duration_format((uint64_t)policy->expires_after * DURATION_SECOND, after);
	tell_unheard(aggregate, unheard);
	judge(expired, true, "Expired",
	      "nothing is attached since %s%s, %s after the last change of spec, as "
	      "spec.expiresAfter says; to go on, change spec.expiresAfter, else delete the policy",
	      moment, unheard, after);
	copy_verdict(&verdicts[CONDITION_READY], false, expired);
	copy_verdict(&verdicts[CONDITION_STALLED], true, expired);
}

static void judge_failed(const struct aggregate *aggregate, const struct standing_counts *counts,
			 struct verdict verdicts[CONDITIONS])
{
	const struct aggregate_failure *first = &aggregate->failures[0];
	struct verdict *ready = &verdicts[CONDITION_READY];
	bool hopeless = counts->failed == aggregate->crowded && counts->pending == 0;

	judge(ready, false, first->reason,
	      "%u of %u pods are observed in full; node %s, pod %s/%s, probe %s: %s",
	      aggregate->pods.attached, aggregate->pods.matched, first->node, first->namespace,
	      first->pod, probe_type_name(first->probe), first->message);
	copy_verdict(&verdicts[CONDITION_DEGRADED], true, ready);
	if (hopeless)
		copy_verdict(&verdicts[CONDITION_STALLED], true, ready);
	else
		judge(&verdicts[CONDITION_RECONCILING], true, "Retrying",
		      "what failed is tried again");
}

static void judge_progressing(const struct aggregate *aggregate,
			      struct verdict verdicts[CONDITIONS])
{
	struct verdict *ready = &verdicts[CONDITION_READY];

	judge(ready, false, "Progressing", "%u of %u pods are observed; the agents are at work",
	      aggregate->pods.attached, aggregate->pods.matched);
	copy_verdict(&verdicts[CONDITION_RECONCILING], true, ready);
}

static const char *and_has_container(const struct policy *policy)
{
	return policy->containers.count ? " and has a container of spec.containers" : "";
}

static void judge_unmatched(const struct policy *policy, const struct aggregate *aggregate,
			    struct verdict *ready)
{
	if (aggregate->nodes.skipped)
		judge(ready, true, "NoMatchingNodes",
		      "spec.nodeSelector leaves out all %u node%s that have matching pods",
		      aggregate->nodes.skipped, plural(aggregate->nodes.skipped));
	else if (policy->scope == POLICY_NAMESPACED)
		judge(ready, true, "NoMatchingPods",
		      "no scheduled pod in namespace %s matches spec.selector%s", policy->namespace,
		      and_has_container(policy));
	else
		judge(ready, true, "NoMatchingPods",
		      "no scheduled pod in a namespace that spec.namespaceSelector takes matches "
		      "spec.selector%s",
		      and_has_container(policy));
}

/* What would be, in words; the reason is the same whatever that is. */
static void judge_preview(const struct policy *policy, const struct aggregate *aggregate,
			  struct verdict verdicts[CONDITIONS])
{
	struct verdict *ready = &verdicts[CONDITION_READY];
	char unheard[UNHEARD_SIZE];
	struct verdict unmatched;

	tell_unheard(aggregate, unheard);
	if (aggregate->pods.matched) {
		judge(ready, true, "Preview",
		      "nothing is attached, as spec.mode is Preview%s; %u pod%s on %u node%s would "
		      "be observed",
		      unheard, aggregate->pods.matched, plural(aggregate->pods.matched),
		      aggregate->nodes.matched, plural(aggregate->nodes.matched));
		return;
	}
	judge_unmatched(policy, aggregate, &unmatched);
	judge(ready, true, "Preview", "nothing would be attached%s: %s", unheard,
	      unmatched.message);
}

static void judge_attached(const struct aggregate *aggregate, struct verdict verdicts[CONDITIONS])
{
	struct verdict *ready = &verdicts[CONDITION_READY];
	unsigned int waiting = aggregate->pods.waiting;

	if (waiting)
		judge(ready, true, aggregate->pods.attached ? "Attached" : "WaitingForContainers",
		      "%u of %u pods are observed; %u wait%s for %s containers to start",
		      aggregate->pods.attached, aggregate->pods.matched, waiting,
		      waiting == 1 ? "s" : "", waiting == 1 ? "its" : "their");
	else
		judge(ready, true, "Attached", "%u pod%s on %u node%s observed",
		      aggregate->pods.matched, plural(aggregate->pods.matched),
		      aggregate->nodes.matched, aggregate->nodes.matched == 1 ? " is" : "s are");
}

/* Adds to what a verdict says. */
__attribute__((format(printf, 2, 3))) static void say_more(struct verdict *verdict,
							   const char *format, ...)
{
	size_t length = strlen(verdict->message);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(verdict->message + length, sizeof(verdict->message) - length, format, arguments);
	va_end(arguments);
}

/*
 * Whose bound it is, and what the owner of the policy can do, behind what happens. A bound that
 * nobody may set is that of the whole node.
 */
static void say_remedy(struct verdict *verdict, const struct policy *policy,
		       const struct aggregate *aggregate, enum budget_part part, const char *less)
{
	const struct policy_bound *bound = &policy->bounds[part];

	if (aggregate->throttled[part].most > budget_part_most(part))
		say_more(verdict, " (of all policies of a node, each namespace has its share); %s",
			 less);
	else if (*bound->quota)
		say_more(verdict,
			 " (ProbeQuota \"%s\"); %s, or ask whoever runs the cluster for more",
			 bound->quota, less);
	else if (bound->most)
		say_more(verdict, " (spec.budget.%s); raise that, or %s", budget_part_field(part),
			 less);
	else
		say_more(verdict, " (as many as any policy may have); %s", less);
}

static void say_events_shed(const struct policy *policy, const struct aggregate *aggregate,
			    struct verdict *throttled)
{
	unsigned int nodes = aggregate->throttled[BUDGET_EVENTS].nodes;
	uint64_t shed = aggregate->throttled[BUDGET_EVENTS].shed_per_second;

	say_more(throttled, "%u of %u node%s shed%s events", nodes, aggregate->nodes.matched,
		 plural(aggregate->nodes.matched), nodes == 1 ? "s" : "");
	if (shed)
		say_more(throttled, ", about %llu a second,", (unsigned long long)shed);
	say_more(throttled, " beyond %u a second on each",
		 aggregate->throttled[BUDGET_EVENTS].most);
	say_remedy(throttled, policy, aggregate, BUDGET_EVENTS, "ask for fewer");
}

static void say_series_folded(const struct policy *policy, const struct aggregate *aggregate,
			      struct verdict *throttled)
{
	unsigned int nodes = aggregate->throttled[BUDGET_SERIES].nodes;

	say_more(throttled, "%u of %u node%s add%s up what is beyond %u series in overflow series",
		 nodes, aggregate->nodes.matched, plural(aggregate->nodes.matched),
		 nodes == 1 ? "s" : "", aggregate->throttled[BUDGET_SERIES].most);
	say_remedy(throttled, policy, aggregate, BUDGET_SERIES,
		   "tell fewer apart (routes, selector)");
}

static void judge_throttled(const struct policy *policy, const struct aggregate *aggregate,
			    struct verdict *throttled)
{
	bool sheds = aggregate->throttled[BUDGET_EVENTS].nodes;
	bool folds = aggregate->throttled[BUDGET_SERIES].nodes;

	if (!sheds && !folds)
		return;
	judge(throttled, true, sheds ? "EventsShed" : "SeriesOverflowed", "%s", "");
	if (sheds)
		say_events_shed(policy, aggregate, throttled);
	if (folds) {
		say_more(throttled, "%s", sheds ? "; " : "");
		say_series_folded(policy, aggregate, throttled);
	}
}

static bool is_carried_out(const struct policy *policy)
{
	return policy->accepted && !policy->over_quota && !policy->expired && !policy->suspend &&
	       policy->mode == POLICY_ACTIVE;
}

void conditions_judge(const struct policy *policy, const struct aggregate *aggregate,
		      struct verdict verdicts[CONDITIONS])
{
	struct standing_counts counts = aggregate_totals(aggregate);

	judge_well(policy, verdicts);
	if (!policy->accepted || policy->over_quota)
		judge_refused(policy, verdicts);
	else if (policy->expired)
		judge_expired(policy, aggregate, verdicts);
	else if (policy->suspend)
		judge_suspended(aggregate, &verdicts[CONDITION_READY]);
	else if (policy->mode == POLICY_PREVIEW)
		judge_preview(policy, aggregate, verdicts);
	else if (counts.failed || counts.unsupported)
		judge_failed(aggregate, &counts, verdicts);
	else if (counts.pending)
		judge_progressing(aggregate, verdicts);
	else if (aggregate->pods.matched == 0)
		judge_unmatched(policy, aggregate, &verdicts[CONDITION_READY]);
	else
		judge_attached(aggregate, verdicts);
	if (is_carried_out(policy))
		judge_throttled(policy, aggregate, &verdicts[CONDITION_THROTTLED]);
}

const cJSON *condition_find(const cJSON *conditions, const char *type)
{
	const cJSON *condition;

	cJSON_ArrayForEach(condition, conditions) {
		if (strcmp(json_text(condition, "type"), type) == 0)
			return condition;
	}
	return NULL;
}

/* The time since when the condition has its status: as before, or `now` when it changed. */
static const char *transition_time(const cJSON *previous, const char *type, const char *status,
				   const char *now)
{
	const cJSON *before = condition_find(previous, type);
	const char *since = json_string(before, "lastTransitionTime");

	return since && strcmp(json_text(before, "status"), status) == 0 ? since : now;
}

static bool add_condition(cJSON *array, const char *type, const struct verdict *verdict,
			  int64_t generation, const cJSON *previous, const char *now)
{
	const char *status = verdict->holds ? "True" : "False";
	cJSON *item = json_append_object(array);

	return cJSON_AddStringToObject(item, "type", type) &&
	       cJSON_AddStringToObject(item, "status", status) &&
	       cJSON_AddNumberToObject(item, "observedGeneration", (double)generation) &&
	       cJSON_AddStringToObject(item, "lastTransitionTime",
				       transition_time(previous, type, status, now)) &&
	       cJSON_AddStringToObject(item, "reason", verdict->reason) &&
	       cJSON_AddStringToObject(item, "message", verdict->message);
}

bool conditions_add(cJSON *status, const struct policy *policy,
		    const struct verdict verdicts[CONDITIONS], const cJSON *previous, time_t now)
{
	cJSON *array = cJSON_AddArrayToObject(status, "conditions");
	char moment[TIMESTAMP_SIZE];

	timestamp_format(now, moment);
	for (int type = 0; type < CONDITIONS; type++)
		if (!add_condition(array, condition_names[type], &verdicts[type],
				   policy->generation, previous, moment))
			return false;
	return array != NULL;
}
