// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/link/message.h"

struct fleet_node *fleet_find_node(const struct fleet *fleet, const char *name)
{
	struct fleet_node *node;

	HASH_FIND_STR(fleet->nodes, name, node);
	return node;
}

struct fleet_node *fleet_ensure_node(struct fleet *fleet, const char *name, uint64_t now_ms)
{
	struct fleet_node *node = fleet_find_node(fleet, name);

	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (node)
		node->name = strdup(name);
	if (!node || !node->name) {
		free(node);
		return NULL;
	}
	node->heard_ms = now_ms;
	HASH_ADD_KEYPTR(hh, fleet->nodes, node->name, strlen(node->name), node);
	return node;
}

static struct fleet_entry *find_entry(const struct fleet_node *node, const char *uid)
{
	struct fleet_entry *entry;

	HASH_FIND_STR(node->entries, uid, entry);
	return entry;
}

static void free_entry(struct fleet_node *node, struct fleet_entry *entry)
{
	HASH_DEL(node->entries, entry);
	free(entry->text);
	free(entry);
}

static int remove_entry(struct fleet_node *node, struct fleet_entry *entry)
{
	if (!entry)
		return false;
	/* An agent that is away gets a snapshot when it comes; what goes meanwhile is no news. */
	if (node->connected && strings_add(&node->removed, entry->uid) < 0)
		return -ENOMEM;
	free_entry(node, entry);
	node->changed = true;
	return true;
}

/* Takes `text`. */
static int add_entry(struct fleet_node *node, const char *uid, char *text)
{
	struct fleet_entry *entry = calloc(1, sizeof(*entry) + strlen(uid) + 1);

	if (!entry) {
		free(text);
		return -ENOMEM;
	}
	strcpy(entry->uid, uid);
	entry->text = text;
	entry->changed = true;
	for (int type = 0; type < PROBE_TYPES; type++)
		entry->since[type] = node->revision + 1;
	HASH_ADD_KEYPTR(hh, node->entries, entry->uid, strlen(uid), entry);
	node->changed = true;
	return true;
}

static struct selected_pod *read_text(const char *text)
{
	cleanup_json cJSON *json = cJSON_Parse(text);
	struct selected_pod *pod = NULL;

	/* It is our own text: only memory can be lacking. */
	return json && selected_pod_decode(json, &pod, NULL) == 0 ? pod : NULL;
}

static char *write_text(const struct selected_pod *pod)
{
	cleanup_json cJSON *json = selected_pod_encode(pod);

	return json ? cJSON_PrintUnformatted(json) : NULL;
}

/* Puts the new selection in the old one's place; probes that are as they were keep their revision.
 */
static int replace_entry(struct fleet_node *node, struct fleet_entry *entry,
			 const struct selected_pod *pod, char *text)
{
	struct selected_pod *former = read_text(entry->text);

	if (!former) {
		free(text);
		return -ENOMEM;
	}
	for (int type = 0; type < PROBE_TYPES; type++)
		if (!selected_probe_equal((enum probe_type)type, &former->probes[type],
					  &pod->probes[type]))
			entry->since[type] = node->revision + 1;
	selected_pod_free(former);
	free(entry->text);
	entry->text = text;
	entry->changed = true;
	node->changed = true;
	return true;
}

static int set_entry(struct fleet_node *node, const char *uid, const struct selected_pod *pod)
{
	struct fleet_entry *entry = find_entry(node, uid);
	char *text = write_text(pod);
	int result = false;

	if (!text)
		return -ENOMEM;
	if (!entry)
		result = add_entry(node, uid, text);
	else if (strcmp(entry->text, text) != 0)
		result = replace_entry(node, entry, pod, text);
	else
		free(text);
	entry = find_entry(node, uid);
	if (entry)
		entry->crowded = pod->crowded;
	return result;
}

int fleet_node_select(struct fleet_node *node, const char *uid, struct selected_pod *pod)
{
	int result;

	if (!pod)
		return remove_entry(node, find_entry(node, uid));
	result = set_entry(node, uid, pod);
	selected_pod_free(pod);
	return result;
}

/* An array of the node's pods, all or only the changed ones; all count as told from now on. */
static cJSON *encode_pods(struct fleet_node *node, bool only_changed)
{
	cleanup_json cJSON *array = cJSON_CreateArray();
	struct fleet_entry *entry, *next;

	HASH_ITER(hh, node->entries, entry, next) {
		cJSON *pod;

		if (only_changed && !entry->changed)
			continue;
		pod = cJSON_Parse(entry->text);
		if (!pod || !array || !cJSON_AddItemToArray(array, pod)) {
			cJSON_Delete(pod);
			return NULL;
		}
		entry->changed = false;
	}
	return take_pointer(array);
}

/* Starts the next revision when there is something to tell. */
static struct selection_version next_version(const struct fleet *fleet, struct fleet_node *node)
{
	if (node->changed)
		node->revision++;
	node->changed = false;
	return (struct selection_version){.epoch = fleet->epoch, .revision = node->revision};
}

static cJSON *encode_removed(const struct fleet_node *node)
{
	cleanup_json cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; array && i < node->removed.count; i++) {
		cJSON *uid = cJSON_CreateString(node->removed.items[i]);

		if (!uid || !cJSON_AddItemToArray(array, uid))
			return NULL;
	}
	return take_pointer(array);
}

cJSON *fleet_node_snapshot(const struct fleet *fleet, struct fleet_node *node)
{
	struct selection_version version = next_version(fleet, node);

	strings_free(&node->removed);
	return snapshot_encode(&version, encode_pods(node, false));
}

cJSON *fleet_node_delta(const struct fleet *fleet, struct fleet_node *node)
{
	struct selection_version version;
	uint64_t from = node->revision;
	cJSON *removed;

	if (!node->changed)
		return NULL;
	version = next_version(fleet, node);
	removed = encode_removed(node);
	strings_free(&node->removed);
	return delta_encode(&version, from, encode_pods(node, true), removed);
}

/* An agent is at work when it has reported on the connection that it has. */
static bool is_at_work(const struct fleet_node *node)
{
	return node->connected && node->report.epoch;
}

static void mark_all(struct fleet_node *node)
{
	for (struct fleet_entry *entry = node->entries; entry; entry = entry->hh.next)
		entry->news = true;
}

/* The pods of which a report says that something is not attached. */
static void mark_exceptions(struct fleet_node *node, const struct report *report)
{
	for (size_t i = 0; i < report->exception_count; i++) {
		struct fleet_entry *entry = find_entry(node, report->exceptions[i].pod_uid);

		if (entry)
			entry->news = true;
	}
}

/* Those with a probe that the agent had not answered by revision `from`. */
static void mark_since(struct fleet_node *node, uint64_t from)
{
	for (struct fleet_entry *entry = node->entries; entry; entry = entry->hh.next)
		for (int type = 0; type < PROBE_TYPES; type++)
			entry->news |= entry->since[type] > from;
}

static bool throttles_equal(const struct report_throttle *a, const struct report_throttle *b)
{
	if (!a || !b)
		return a == b;
	return budget_equal(&a->beyond, &b->beyond) && a->shed_per_second == b->shed_per_second;
}

/* Policies of which one report says otherwise than the other. */
static void mark_throttles(struct fleet_node *node, const struct report *report,
			   const struct report *other)
{
	for (size_t i = 0; i < report->throttle_count; i++) {
		const struct report_throttle *throttle = &report->throttles[i];

		if (throttles_equal(throttle, report_find_throttle(other, throttle->policy)))
			continue;
		if (strings_add_unique(&node->throttle_news, throttle->policy) < 0)
			log_error("out of memory: the status of policy %s may be late",
				  throttle->policy);
	}
}

/* What the report tells that the last one did not. */
static void mark_news(struct fleet_node *node, const struct report *report)
{
	if (!node->report.epoch || node->report.truncated || report->truncated) {
		mark_all(node);
		return;
	}
	mark_exceptions(node, &node->report);
	mark_exceptions(node, report);
	mark_since(node, node->report.revision);
}

bool fleet_node_news(struct fleet_node *node, const char *uid)
{
	struct fleet_entry *entry = find_entry(node, uid);
	bool news = entry && entry->news;

	if (entry)
		entry->news = false;
	return news;
}

void fleet_node_connect(struct fleet_node *node, bool connected, uint64_t now_ms)
{
	if (connected)
		report_free(&node->report); /* another process may have begun anew */
	else if (is_at_work(node))
		node->heard_ms = now_ms;
	node->connected = connected;
	mark_all(node);
}

bool fleet_node_is_absent(const struct fleet_node *node, uint64_t now_ms)
{
	return !is_at_work(node) && now_ms >= node->heard_ms + FLEET_AGENT_GRACE_MS;
}

void fleet_node_take_report(const struct fleet *fleet, struct fleet_node *node,
			    struct report *report)
{
	if (strcmp(report->epoch, fleet->epoch) != 0) {
		report_free(report);
		return;
	}
	mark_news(node, report);
	mark_throttles(node, report, &node->report);
	mark_throttles(node, &node->report, report);
	report_free(&node->report);
	node->report = *report;
	*report = (struct report){0};
}

static const struct report_exception *find_exception(const struct report *report, const char *uid,
						     enum probe_type type)
{
	for (size_t i = 0; i < report->exception_count; i++)
		if (report->exceptions[i].probe == type &&
		    strcmp(report->exceptions[i].pod_uid, uid) == 0)
			return &report->exceptions[i];
	return NULL;
}

static struct standing standing_of(const struct report_exception *exception)
{
	static const enum probe_standing standings[] = {
		[PROBE_ATTACHED] = STANDING_ATTACHED,
		[PROBE_WAITING] = STANDING_WAITING,
		[PROBE_FAILED] = STANDING_FAILED,
		[PROBE_UNSUPPORTED] = STANDING_UNSUPPORTED,
	};

	return (struct standing){.standing = standings[exception->state],
				 .reason = exception->reason,
				 .message = exception->message};
}

struct standing fleet_node_standing(const struct fleet_node *node, const char *uid,
				    enum probe_type type, uint64_t now_ms)
{
	const struct fleet_entry *entry = find_entry(node, uid);
	const struct report_exception *exception;

	if (fleet_node_is_absent(node, now_ms))
		return (struct standing){STANDING_FAILED, "AgentNotConnected",
					 "no agent of this node is at work; see whether its "
					 "skep-node-agent pod runs, and its log"};
	if (!entry || !node->report.epoch || node->report.revision < entry->since[type])
		return (struct standing){STANDING_PENDING, "Progressing", ""};
	exception = find_exception(&node->report, uid, type);
	if (exception)
		return standing_of(exception);
	if (node->report.truncated)
		return (struct standing){STANDING_PENDING, "Progressing", ""};
	return (struct standing){STANDING_ATTACHED, "Attached", ""};
}

bool fleet_node_leaves_out(const struct fleet_node *node, const char *uid, const char *policy)
{
	const struct fleet_entry *entry = find_entry(node, uid);
	struct selected_pod *pod = entry && entry->crowded ? read_text(entry->text) : NULL;
	bool named = !pod;

	for (int type = 0; type < PROBE_TYPES && !named; type++)
		named = strings_contain(&pod->probes[type].policies, policy);
	selected_pod_free(pod);
	return !named;
}

const struct report_throttle *fleet_node_throttle(const struct fleet_node *node, const char *policy)
{
	return report_find_throttle(&node->report, policy);
}

static void clear_node(struct fleet_node *node)
{
	struct fleet_entry *entry, *next;

	HASH_ITER(hh, node->entries, entry, next)
		free_entry(node, entry);
	strings_free(&node->removed);
	strings_free(&node->throttle_news);
	report_free(&node->report);
	free(node->name);
	free(node);
}

void fleet_remove_node(struct fleet *fleet, struct fleet_node *node)
{
	HASH_DEL(fleet->nodes, node);
	clear_node(node);
}

void fleet_clear(struct fleet *fleet)
{
	struct fleet_node *node, *next;

	HASH_ITER(hh, fleet->nodes, node, next)
		fleet_remove_node(fleet, node);
	free(fleet->epoch);
	fleet->epoch = NULL;
}
