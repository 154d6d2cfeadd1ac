// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/node_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "operator/api_group.h"
#include "operator/timestamp.h"

#define MESSAGE_SIZE 768
#define KIB	     1024

static const char *const condition_names[NODE_CONDITIONS] = {
	[NODE_READY] = "Ready",
	[NODE_CAPABLE] = "Capable",
};

/* Where a figure is in a status. Memory is a text, as Kubernetes writes quantities. */
struct figure_place {
	const char *group;
	const char *name;
	bool is_memory;
};

static const struct figure_place places[NODE_FIGURES] = {
	[NODE_MEMORY_PROGRAMS] = {"kernelMemory", "programs", true},
	[NODE_MEMORY_MAPS] = {"kernelMemory", "maps", true},
	[NODE_LOST_RATE_LIMITED] = {"lost", "rateLimited", false},
	[NODE_LOST_RING_FULL] = {"lost", "ringFull", false},
	[NODE_LOST_TABLE_FULL] = {"lost", "tableFull", false},
	[NODE_LOST_DECODE] = {"lost", "decode", false},
	[NODE_LOST_EXPORT] = {"lost", "export", false},
};

static uint64_t figure_read(const cJSON *status, enum node_figure figure)
{
	const struct figure_place *place = &places[figure];
	const cJSON *item = json_find(status, place->group, place->name);
	int64_t number = json_integer_of(item, 0);

	if (place->is_memory)
		return strtoull(json_text_of(item), NULL, 10);
	return number > 0 ? (uint64_t)number : 0;
}

static bool figure_write(cJSON *status, enum node_figure figure, uint64_t value)
{
	const struct figure_place *place = &places[figure];
	cJSON *group = cJSON_GetObjectItemCaseSensitive(status, place->group);
	char text[32];

	cJSON_DeleteItemFromObjectCaseSensitive(group, place->name);
	if (!place->is_memory)
		return cJSON_AddNumberToObject(group, place->name, (double)value);
	snprintf(text, sizeof(text), "%lluKi", (unsigned long long)value);
	return cJSON_AddStringToObject(group, place->name, text);
}

/* Whether a figure has moved so far that it is worth a write. */
static bool has_moved(uint64_t told, uint64_t value)
{
	uint64_t more = value > told ? value - told : told - value;

	return more && (!told || !value || more >= (told + 9) / 10);
}

/* What the API server has. */

static const cJSON *find_condition(const cJSON *status, enum node_condition type)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, json_find(status, "conditions"))
		if (strcmp(json_text(item, "type"), condition_names[type]) == 0)
			return item;
	return NULL;
}

struct node_told node_told_read(const cJSON *status)
{
	struct node_told told = {
		.exists = status != NULL,
		.digest = json_digest(status),
		.revision = json_integer(status, -1, "revision"),
	};

	for (enum node_figure i = 0; i < NODE_FIGURES; i++)
		told.figures[i] = figure_read(status, i);
	for (enum node_condition i = 0; i < NODE_CONDITIONS; i++) {
		const cJSON *condition = find_condition(status, i);

		snprintf(told.conditions[i].status, sizeof(told.conditions[i].status), "%s",
			 json_text(condition, "status"));
		told.conditions[i].since =
			timestamp_parse(json_text(condition, "lastTransitionTime"));
	}
	return told;
}

/* Facts. */

/* Bytes, as an agent says them, to KiB, as people read them. */
static bool write_memory(cJSON *facts, const cJSON *agent_facts, enum node_figure figure)
{
	int64_t bytes = json_integer(agent_facts, 0, places[figure].group, places[figure].name);

	return figure_write(facts, figure, (uint64_t)(bytes > 0 ? bytes + KIB - 1 : 0) / KIB);
}

cJSON *node_report_facts(const cJSON *agent_facts)
{
	cleanup_json cJSON *facts = cJSON_Duplicate(agent_facts, true);

	if (!facts)
		return NULL;
	if (json_find(facts, "kernelMemory") &&
	    (!write_memory(facts, agent_facts, NODE_MEMORY_PROGRAMS) ||
	     !write_memory(facts, agent_facts, NODE_MEMORY_MAPS)))
		return NULL;
	return take_pointer(facts);
}

cJSON *node_report_facts_of_status(const cJSON *status)
{
	cJSON *facts = cJSON_Duplicate(status, true);

	cJSON_DeleteItemFromObjectCaseSensitive(facts, "conditions");
	cJSON_DeleteItemFromObjectCaseSensitive(facts, "summary");
	return facts;
}

/* What people see first. */

static void join_missing(const cJSON *status, char *out, size_t size)
{
	size_t length = 0;
	const cJSON *item;

	out[0] = '\0';
	cJSON_ArrayForEach(item, json_find(status, "capabilities", "missing"))
		if (length < size)
			length += (size_t)snprintf(out + length, size - length, "%s%s",
						   length ? "," : "", json_text(item, "name"));
}

static bool add_pods(cJSON *summary, const cJSON *status)
{
	char pods[64];

	snprintf(pods, sizeof(pods), "%lld/%lld",
		 (long long)json_integer(status, 0, "pods", "attached"),
		 (long long)json_integer(status, 0, "pods", "selected"));
	return cJSON_AddStringToObject(summary, "pods", pods);
}

static bool add_figures(cJSON *summary, const cJSON *status)
{
	unsigned long long kib = figure_read(status, NODE_MEMORY_PROGRAMS);
	uint64_t lost = 0;
	char memory[32];

	kib += figure_read(status, NODE_MEMORY_MAPS);
	for (enum node_figure i = NODE_LOST_RATE_LIMITED; i <= NODE_LOST_EXPORT; i++)
		lost += figure_read(status, i);
	snprintf(memory, sizeof(memory), "%lluKi", kib);
	return cJSON_AddStringToObject(summary, "kernelMemory", memory) &&
	       cJSON_AddNumberToObject(summary, "lost", (double)lost);
}

/* Columns of `kubectl get` can hold a text or a number, but cannot join two or count a list. */
static bool add_summary(cJSON *status)
{
	cJSON *summary = cJSON_AddObjectToObject(status, "summary");
	char missing[MESSAGE_SIZE];

	join_missing(status, missing, sizeof(missing));
	return add_pods(summary, status) &&
	       cJSON_AddNumberToObject(summary, "programs",
				       cJSON_GetArraySize(json_find(status, "programs"))) &&
	       add_figures(summary, status) &&
	       (!*missing || cJSON_AddStringToObject(summary, "missing", missing));
}

/* Conditions. */

struct node_verdict {
	const char *status;
	const char *reason;
	char message[MESSAGE_SIZE];
};

static void judge_absence(const struct node_now *now, struct node_verdict *verdict)
{
	verdict->status = "Unknown";
	verdict->reason = "AgentNotConnected";
	snprintf(verdict->message, sizeof(verdict->message),
		 "no agent of this node is at work; all else in this report is what it said last. "
		 "See whether its pod runs, and its log: kubectl -n %s get pods -o wide -l "
		 "app.kubernetes.io/name=skep-node-agent --field-selector spec.nodeName=%s",
		 now->namespace, now->node);
}

static void judge_pods(const cJSON *facts, struct node_verdict *verdict)
{
	int64_t failed = json_integer(facts, 0, "pods", "failed");
	int64_t unsupported = json_integer(facts, 0, "pods", "unsupported");

	if (failed + unsupported == 0) {
		verdict->status = "True";
		verdict->reason = "AgentAtWork";
		snprintf(verdict->message, sizeof(verdict->message),
			 "an agent is at work, and no probe has failed");
		return;
	}
	verdict->status = "False";
	verdict->reason = "ProbesFailed";
	snprintf(verdict->message, sizeof(verdict->message),
		 "a probe could not be attached to %lld of %lld pods, and the kernel lacks what a "
		 "probe needs for %lld; the status.failures of the policies that select them say "
		 "which, why, and what to do",
		 (long long)failed, (long long)json_integer(facts, 0, "pods", "selected"),
		 (long long)unsupported);
}

static void judge_capabilities(const cJSON *facts, struct node_verdict *verdict)
{
	char missing[MESSAGE_SIZE / 2];

	join_missing(facts, missing, sizeof(missing));
	verdict->status = *missing ? "False" : "True";
	verdict->reason = *missing ? "CapabilitiesMissing" : "AllCapabilities";
	if (*missing)
		snprintf(verdict->message, sizeof(verdict->message),
			 "missing: %s; status.capabilities.missing says for each which probes it "
			 "affects and what to do",
			 missing);
	else
		snprintf(verdict->message, sizeof(verdict->message),
			 "this node has all that the probes need");
}

static bool add_condition(cJSON *conditions, enum node_condition type,
			  const struct node_verdict *verdict, const struct node_now *now,
			  const struct node_told *told)
{
	bool holds = strcmp(told->conditions[type].status, verdict->status) == 0;
	cJSON *item = json_append_object(conditions);
	char since[TIMESTAMP_SIZE];

	timestamp_format(holds ? told->conditions[type].since : now->time, since);
	return cJSON_AddStringToObject(item, "type", condition_names[type]) &&
	       cJSON_AddStringToObject(item, "status", verdict->status) &&
	       cJSON_AddStringToObject(item, "reason", verdict->reason) &&
	       cJSON_AddStringToObject(item, "message", verdict->message) &&
	       cJSON_AddStringToObject(item, "lastTransitionTime", since);
}

static bool add_conditions(cJSON *status, const struct node_now *now, const struct node_told *told)
{
	struct node_verdict ready, capable;
	cJSON *conditions;

	if (now->absent)
		judge_absence(now, &ready);
	else
		judge_pods(status, &ready);
	judge_capabilities(status, &capable);
	conditions = cJSON_AddArrayToObject(status, "conditions");
	return add_condition(conditions, NODE_READY, &ready, now, told) &&
	       add_condition(conditions, NODE_CAPABLE, &capable, now, told);
}

/* Figures that have not moved are told as they were. */
static bool settle_figures(cJSON *status, const struct node_told *told)
{
	for (enum node_figure i = 0; i < NODE_FIGURES; i++)
		if (told->exists && json_find(status, places[i].group) &&
		    !has_moved(told->figures[i], figure_read(status, i)) &&
		    !figure_write(status, i, told->figures[i]))
			return false;
	return true;
}

/* While the agent has not said, the last word holds. */
static bool set_revision(cJSON *status, const struct node_now *now, const struct node_told *told)
{
	int64_t revision = now->applied ? (int64_t)now->revision : told->revision;

	cJSON_DeleteItemFromObjectCaseSensitive(status, "revision");
	if (!now->applied && (!told->exists || revision < 0))
		return true;
	return cJSON_AddNumberToObject(status, "revision", (double)revision);
}

cJSON *node_report_status(const cJSON *facts, const struct node_now *now,
			  const struct node_told *told)
{
	cleanup_json cJSON *status = cJSON_Duplicate(facts, true);

	if (!status || !settle_figures(status, told) || !set_revision(status, now, told) ||
	    !add_conditions(status, now, told) || !add_summary(status))
		return NULL;
	return take_pointer(status);
}

/* What differs. */

bool node_report_differs(const cJSON *status, const struct node_told *told)
{
	return !told->exists || json_digest(status) != told->digest;
}

bool node_report_differs_by_revision(cJSON *status, const struct node_told *told)
{
	cJSON *revision = cJSON_GetObjectItemCaseSensitive(status, "revision");
	double now = cJSON_GetNumberValue(revision);
	bool differs;

	if (!told->exists || !revision || told->revision < 0)
		return false;
	cJSON_SetNumberValue(revision, (double)told->revision);
	differs = node_report_differs(status, told);
	cJSON_SetNumberValue(revision, now);
	return !differs;
}

bool node_report_turns(const cJSON *status, const struct node_told *told)
{
	for (enum node_condition i = 0; i < NODE_CONDITIONS; i++)
		if (strcmp(json_text(find_condition(status, i), "status"),
			   told->conditions[i].status) != 0)
			return true;
	return false;
}

/* The object. */

static bool add_owner(cJSON *metadata, const char *node, const char *node_uid)
{
	cJSON *owner = json_append_object(cJSON_AddArrayToObject(metadata, "ownerReferences"));

	return cJSON_AddStringToObject(owner, "apiVersion", "v1") &&
	       cJSON_AddStringToObject(owner, "kind", "Node") &&
	       cJSON_AddStringToObject(owner, "name", node) &&
	       cJSON_AddStringToObject(owner, "uid", node_uid);
}

cJSON *node_report_object(const char *node, const char *node_uid, cJSON *status)
{
	cleanup_json cJSON *object = cJSON_CreateObject();
	cJSON *metadata;

	if (!json_add_item(object, "status", status) ||
	    !cJSON_AddStringToObject(object, "apiVersion", API_VERSION) ||
	    !cJSON_AddStringToObject(object, "kind", "NodeProbeReport"))
		return NULL;
	metadata = cJSON_AddObjectToObject(object, "metadata");
	if (!cJSON_AddStringToObject(metadata, "name", node) ||
	    !add_owner(metadata, node, node_uid))
		return NULL;
	return take_pointer(object);
}
