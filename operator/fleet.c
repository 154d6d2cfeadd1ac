// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
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
	if (!fleet->forms)
		fleet->forms = calloc(1, sizeof(*fleet->forms));
	if (!fleet->forms)
		return NULL;
	node = calloc(1, sizeof(*node));
	if (node)
		node->name = strdup(name);
	if (!node || !node->name) {
		free(node);
		return NULL;
	}
	node->forms = fleet->forms;
	node->heard_ms = now_ms;
	HASH_ADD_KEYPTR(hh, fleet->nodes, node->name, strlen(node->name), node);
	if (is_in_table(node))
		return node;
	free(node->name);
	free(node);
	return NULL;
}

static uint64_t entry_hash(const void *item)
{
	const struct fleet_entry *entry = item;

	return pointer_set_hash(entry->own, strlen(entry->own));
}

static bool entry_equal(const void *item, const void *uid)
{
	const struct fleet_entry *entry = item;

	return strcmp(entry->own, uid) == 0;
}

static const struct pointer_set_kind entries_kind = {entry_hash, entry_equal};

static struct fleet_entry *find_entry(const struct fleet_node *node, const char *uid)
{
	return pointer_set_find(&node->entries, &entries_kind, uid,
				pointer_set_hash(uid, strlen(uid)));
}

/* The node's entry that lies in slot *at or behind it, *at going on there; or NULL. */
static struct fleet_entry *next_entry(const struct fleet_node *node, size_t *at)
{
	while (*at < node->entries.capacity) {
		struct fleet_entry *entry = node->entries.slots[(*at)++];

		if (entry)
			return entry;
	}
	return NULL;
}

#define for_each_entry(node, entry, at) for (size_t at = 0; (entry = next_entry(node, &at));)

/* It is in no table. */
static void free_entry(struct fleet_entry *entry)
{
	fleet_form_release(entry->form);
	free(entry);
}

static int remove_entry(struct fleet_node *node, struct fleet_entry *entry)
{
	if (!entry)
		return false;
	/* An agent that is away gets a snapshot when it comes; what goes meanwhile is no news. */
	if (node->connected && strings_add(&node->removed, entry->own) < 0)
		return -ENOMEM;
	pointer_set_remove(&node->entries, &entries_kind, entry);
	free_entry(entry);
	node->changed = true;
	return true;
}

/* As a new pod has it; NULL: no memory. */
static struct fleet_entry *make_entry(const struct fleet_node *node, const struct selected_pod *pod)
{
	cleanup_text struct text own = TEXT_EMPTY;
	struct fleet_entry *entry = NULL;

	fleet_form_append_own(pod, &own);
	if (!own.failed)
		entry = calloc(1, sizeof(*entry) + own.length);
	if (!entry)
		return NULL;
	entry->form = fleet_form_of(node->forms, pod);
	if (!entry->form) {
		free(entry);
		return NULL;
	}
	entry->own_size = (uint32_t)own.length;
	memcpy(entry->own, own.data, own.length);
	entry->changed = true;
	entry->crowded = pod->crowded;
	for (int type = 0; type < PROBE_TYPES; type++)
		entry->since[type] = node->revision + 1;
	return entry;
}

/* Takes `entry`. */
static int add_entry(struct fleet_node *node, struct fleet_entry *entry)
{
	if (pointer_set_add(&node->entries, &entries_kind, entry) < 0) {
		free_entry(entry);
		return -ENOMEM;
	}
	node->changed = true;
	return true;
}

static bool entries_equal(const struct fleet_entry *a, const struct fleet_entry *b)
{
	return a->form == b->form && a->own_size == b->own_size &&
	       memcmp(a->own, b->own, a->own_size) == 0;
}

static struct selected_pod *read_entry(const struct fleet_entry *entry)
{
	cleanup_json cJSON *json = fleet_form_fill(entry->form, entry->own);
	struct selected_pod *pod = NULL;

	/* It is our own text: only memory can be lacking. */
	return json && selected_pod_decode(json, &pod, NULL) == 0 ? pod : NULL;
}

/* Probes that are as they were keep their revision. */
static int keep_revisions(struct fleet_entry *entry, const struct fleet_entry *former,
			  const struct selected_pod *pod, uint64_t revision)
{
	struct selected_pod *before;

	memcpy(entry->since, former->since, sizeof(entry->since));
	if (entry->form == former->form)
		return 0;
	before = read_entry(former);
	if (!before)
		return -ENOMEM;
	for (int type = 0; type < PROBE_TYPES; type++)
		if (!selected_probe_equal((enum probe_type)type, &before->probes[type],
					  &pod->probes[type]))
			entry->since[type] = revision;
	selected_pod_free(before);
	return 0;
}

/* Puts the new entry, which it takes, in the old one's place. */
static int replace_entry(struct fleet_node *node, struct fleet_entry *former,
			 struct fleet_entry *entry, const struct selected_pod *pod)
{
	if (keep_revisions(entry, former, pod, node->revision + 1) < 0) {
		free_entry(entry);
		return -ENOMEM;
	}
	entry->news = former->news;
	pointer_set_replace(&node->entries, &entries_kind, former, entry);
	free_entry(former);
	node->changed = true;
	return true;
}

static int set_entry(struct fleet_node *node, const char *uid, const struct selected_pod *pod)
{
	struct fleet_entry *former = find_entry(node, uid);
	struct fleet_entry *entry = make_entry(node, pod);

	if (!entry)
		return -ENOMEM;
	if (!former)
		return add_entry(node, entry);
	if (!entries_equal(former, entry))
		return replace_entry(node, former, entry, pod);
	former->crowded = pod->crowded;
	free_entry(entry);
	return false;
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

/* An array of the node's pods, all or only the changed ones. */
static cJSON *encode_pods(const struct fleet_node *node, bool only_changed)
{
	cleanup_json cJSON *array = cJSON_CreateArray();
	const struct fleet_entry *entry;

	for_each_entry(node, entry, at)
	{
		if (only_changed && !entry->changed)
			continue;
		if (!json_append_item(array, fleet_form_fill(entry->form, entry->own)))
			return NULL;
	}
	return take_pointer(array);
}

/* The next revision when there is something to tell. */
static struct selection_version next_version(const struct fleet *fleet,
					     const struct fleet_node *node)
{
	return (struct selection_version){.epoch = fleet->epoch,
					  .revision = node->revision + node->changed};
}

/* All that there is has been put into a message of this version; without memory for it, nothing. */
static cJSON *count_as_told(struct fleet_node *node, const struct selection_version *version,
			    cJSON *message)
{
	struct fleet_entry *entry;

	if (!message)
		return NULL;
	for_each_entry(node, entry, at) entry->changed = false;
	strings_free(&node->removed);
	node->revision = version->revision;
	node->changed = false;
	return message;
}

static cJSON *encode_removed(const struct fleet_node *node)
{
	cleanup_json cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < node->removed.count; i++)
		if (!json_append_item(array, cJSON_CreateString(node->removed.items[i])))
			return NULL;
	return take_pointer(array);
}

cJSON *fleet_node_snapshot(const struct fleet *fleet, struct fleet_node *node)
{
	struct selection_version version = next_version(fleet, node);

	return count_as_told(node, &version, snapshot_encode(&version, encode_pods(node, false)));
}

cJSON *fleet_node_delta(const struct fleet *fleet, struct fleet_node *node)
{
	struct selection_version version = next_version(fleet, node);

	if (!node->changed)
		return NULL;
	return count_as_told(node, &version,
			     delta_encode(&version, node->revision, encode_pods(node, true),
					  encode_removed(node)));
}

/* An agent is at work when it has reported on the connection that it has. */
static bool is_at_work(const struct fleet_node *node)
{
	return node->connected && node->report.epoch;
}

static void mark_all(struct fleet_node *node)
{
	struct fleet_entry *entry;

	for_each_entry(node, entry, at) entry->news = true;
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
	struct fleet_entry *entry;

	for_each_entry(node, entry, at) for (int type = 0; type < PROBE_TYPES; type++)
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
	if (is_at_work(node))
		node->heard_ms = now_ms;
	if (connected)
		report_free(&node->report); /* another process may have begun anew */
	node->connected = connected;
	mark_all(node);
}

bool fleet_node_is_absent(const struct fleet_node *node, uint64_t now_ms)
{
	return !is_at_work(node) && now_ms >= node->heard_ms + FLEET_AGENT_GRACE_MS;
}

bool fleet_lacks_agent(const struct fleet *fleet, const char *node_name, uint64_t now_ms)
{
	const struct fleet_node *node = fleet_find_node(fleet, node_name);

	return node ? fleet_node_is_absent(node, now_ms) : now_ms >= fleet->settled_ms;
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

	return entry && entry->crowded && !fleet_form_names(entry->form, policy);
}

const struct report_throttle *fleet_node_throttle(const struct fleet_node *node, const char *policy)
{
	return report_find_throttle(&node->report, policy);
}

static void clear_node(struct fleet_node *node)
{
	struct fleet_entry *entry;

	for_each_entry(node, entry, at) free_entry(entry);
	pointer_set_free(&node->entries);
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
	free(fleet->forms);
	free(fleet->epoch);
	fleet->forms = NULL;
	fleet->epoch = NULL;
}
