// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/selection/desired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "node-agent/pods/naming.h"

static struct desired_pod *find_entry(const struct desired *desired, const char *uid)
{
	struct desired_pod *found;

	HASH_FIND(hh, desired->pods, uid, strlen(uid), found);
	return found;
}

static void retire(struct desired *desired, struct desired_pod *entry)
{
	HASH_DEL(desired->pods, entry);
	LL_PREPEND(desired->retired, entry);
}

const struct selected_pod *desired_find(const struct desired *desired, const char *uid)
{
	struct desired_pod *entry = find_entry(desired, uid);

	return entry ? entry->pod : NULL;
}

struct selection_version desired_version(const struct desired *desired)
{
	return (struct selection_version){
		.epoch = desired->epoch ? desired->epoch : "",
		.revision = desired->revision,
	};
}

/* Reads one pod. Returns 0 with *ret_pod, -EINVAL for one that cannot be read, or -ENOMEM. */
static int decode_pod(const cJSON *json, struct selected_pod **ret_pod, struct error *error)
{
	struct selected_pod *pod = NULL;
	int result = selected_pod_decode(json, &pod, error);

	if (result < 0)
		return result;
	if (!pod_uid_is_valid(pod->uid)) {
		selected_pod_free(pod);
		return error_set(error, EINVAL, "selected pod: its uid is none");
	}
	*ret_pod = pod;
	return 0;
}

/*
 * What is not in `unreadable` counts as attached: so there has to be room for the pod in it. A
 * complaint may be lost.
 */
static int leave_out(struct desired *desired, const char *uid, const char *why,
		     struct strings *complaints)
{
	(void)strings_add(complaints, why);
	return strings_add(&desired->unreadable, uid);
}

/* Puts a pod into the selection (takes it) and notes whether that changed anything. */
static int put_pod(struct desired *desired, struct selected_pod *pod, struct strings *changed)
{
	struct desired_pod *old = find_entry(desired, pod->uid), *entry;

	if (old && selected_pod_equal(old->pod, pod)) {
		selected_pod_free(pod);
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry || strings_add(changed, pod->uid) < 0) {
		free(entry);
		selected_pod_free(pod);
		return -ENOMEM;
	}
	if (old)
		retire(desired, old);
	entry->pod = pod;
	HASH_ADD_KEYPTR(hh, desired->pods, pod->uid, strlen(pod->uid), entry);
	if (is_in_table(entry))
		return 0;
	free(entry);
	selected_pod_free(pod);
	return -ENOMEM;
}

static int drop_pod(struct desired *desired, struct desired_pod *entry, struct strings *changed)
{
	if (strings_add(changed, entry->pod->uid) < 0)
		return -ENOMEM;
	retire(desired, entry);
	return 0;
}

static int drop_listed(struct desired *desired, const cJSON *uids, struct strings *changed)
{
	const cJSON *uid;

	cJSON_ArrayForEach(uid, uids) {
		struct desired_pod *entry = find_entry(desired, json_text_of(uid));

		strings_remove(&desired->unreadable, json_text_of(uid));
		if (entry && drop_pod(desired, entry, changed) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A set of the UIDs that a snapshot names. */
struct named_uid {
	UT_hash_handle hh;
};

static int note_uid(struct named_uid **set, const char *uid)
{
	struct named_uid *named;

	HASH_FIND(hh, *set, uid, strlen(uid), named);
	if (named)
		return 0;
	named = calloc(1, sizeof(*named));
	if (!named)
		return -ENOMEM;
	HASH_ADD_KEYPTR(hh, *set, uid, strlen(uid), named);
	if (is_in_table(named))
		return 0;
	free(named);
	return -ENOMEM;
}

static int note_named(struct named_uid **set, const cJSON *pods)
{
	const cJSON *json;

	cJSON_ArrayForEach(json, pods) {
		const char *uid = json_string(json, "uid");

		if (uid && note_uid(set, uid) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Drops every pod that a snapshot does not name. */
static int drop_unnamed(struct desired *desired, const cJSON *pods, struct strings *changed)
{
	struct named_uid *set = NULL, *named, *next_named;
	struct desired_pod *entry, *next;
	int result = note_named(&set, pods);

	HASH_ITER(hh, desired->pods, entry, next) {
		HASH_FIND(hh, set, entry->pod->uid, strlen(entry->pod->uid), named);
		if (!named && result == 0)
			result = drop_pod(desired, entry, changed);
	}
	HASH_ITER(hh, set, named, next_named) {
		HASH_DEL(set, named);
		free(named);
	}
	return result;
}

static int put_listed(struct desired *desired, const cJSON *pods, struct strings *changed,
		      struct strings *complaints)
{
	const cJSON *json;
	int result = 0;

	cJSON_ArrayForEach(json, pods) {
		const char *uid = json_text(json, "uid");
		struct selected_pod *pod = NULL;
		struct error why;

		if (result < 0)
			break;
		strings_remove(&desired->unreadable, uid);
		result = decode_pod(json, &pod, &why);
		if (result == 0)
			result = put_pod(desired, pod, changed);
		else if (result != -ENOMEM)
			result = leave_out(desired, uid, why.message, complaints);
	}
	return result;
}

static bool builds_on(const struct desired *desired, const struct selection_change *change)
{
	return change->snapshot || (desired->epoch && change->from == desired->revision &&
				    strcmp(change->version.epoch, desired->epoch) == 0);
}

int desired_apply(struct desired *desired, const struct selection_change *change,
		  struct strings *changed, struct strings *complaints, struct error *error)
{
	char *epoch;
	int result;

	if (!builds_on(desired, change))
		return error_set(error, ESTALE, "the change does not build on what is here");
	if (cJSON_GetArraySize(change->upsert) > DESIRED_PODS_LIMIT)
		return error_set(error, E2BIG, "more than %d pods for one node",
				 DESIRED_PODS_LIMIT);
	epoch = strdup(change->version.epoch);
	if (!epoch)
		return error_set(error, ENOMEM, "out of memory");
	if (change->snapshot)
		strings_free(&desired->unreadable);
	result = change->snapshot ? drop_unnamed(desired, change->upsert, changed)
				  : drop_listed(desired, change->remove, changed);
	if (result == 0)
		result = put_listed(desired, change->upsert, changed, complaints);
	free(desired->epoch);
	desired->epoch = epoch;
	desired->revision = change->version.revision;
	if (result == 0)
		return 0;
	/* Half of a change is no version: the next hello asks for all of it. */
	free(desired->epoch);
	desired->epoch = NULL;
	desired->revision = 0;
	return error_set(error, -result, "out of memory");
}

cJSON *desired_encode(const struct desired *desired)
{
	struct selection_version version = desired_version(desired);
	cleanup_json cJSON *pods = cJSON_CreateArray();
	struct desired_pod *entry, *next;

	if (!pods)
		return NULL;
	HASH_ITER(hh, desired->pods, entry, next) {
		cJSON *pod = selected_pod_encode(entry->pod);

		if (!pod || !cJSON_AddItemToArray(pods, pod))
			return NULL;
	}
	return snapshot_encode(&version, take_pointer(pods));
}

int desired_report_unreadable(const struct desired *desired, struct report *report)
{
	int result = 0;

	for (size_t i = 0; i < desired->unreadable.count; i++)
		for (int type = 0; type < PROBE_TYPES && result == 0; type++)
			result = report_add(report, desired->unreadable.items[i],
					    (enum probe_type)type, PROBE_UNSUPPORTED,
					    "NotUnderstood",
					    "the agent cannot read what is asked of this pod; run "
					    "agent and operator of one version");
	return result;
}

void desired_release_retired(struct desired *desired)
{
	struct desired_pod *entry, *next;

	LL_FOREACH_SAFE(desired->retired, entry, next) {
		selected_pod_free(entry->pod);
		free(entry);
	}
	desired->retired = NULL;
}

void desired_free(struct desired *desired)
{
	struct desired_pod *entry, *next;

	HASH_ITER(hh, desired->pods, entry, next)
		retire(desired, entry);
	desired_release_retired(desired);
	strings_free(&desired->unreadable);
	free(desired->epoch);
	*desired = (struct desired){0};
}
