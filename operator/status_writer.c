// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/status_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "lib/base/table.h"
#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/kube/event.h"
#include "lib/kube/transfer.h"
#include "operator/aggregate.h"
#include "operator/api_group.h"
#include "operator/status.h"

#define LOOK_AGAIN_MS	  100	     /* at what had to wait */
#define WORK_NS		  8000000ULL /* of computing at one time; agents wait meanwhile */
#define REST_MS		  24	     /* after that */
#define WRITES_LIMIT	  8	     /* under way at one time; the Lease goes among them */
#define NOT_FOUND	  404
#define RETRY_FIRST_MS	  500
#define RETRY_LIMIT_MS	  10000
#define RETRY_SHIFT_LIMIT 6

struct record {
	char *id; /* of the policy */
	struct status_writer *writer;
	cJSON *known;			/* the status that the API server has, as far as we know */
	cJSON *sent;			/* the one that is being written, or NULL */
	struct kube_transfer *transfer; /* that writes it */
	bool due;			/* to be computed again */
	bool gone;			/* to be freed when the write under way is over */
	uint64_t passing_since_ms;	/* unsaid; 0 when it is not */
	uint64_t written_ms;
	cJSON *foreign;		/* a status that others have written; NULL: it is as we wrote it */
	uint64_t repair_ms;	/* when that is to be put right, and was last */
	unsigned int repairs;	/* in a row */
	uint64_t not_before_ms; /* after a failure */
	unsigned int failures;	/* in a row */
	bool queued;
	struct record *prev, *next; /* in the queue */
	UT_hash_handle hh;
	LIST_ENTRY(record) gone_entry;
};

struct status_writer {
	struct kube_client *client;
	const struct cluster *cluster;
	const struct fleet *fleet;
	uv_loop_t *loop;
	uv_timer_t timer;
	status_writer_guard may_write;
	void *context;
	bool resting;
	uint64_t settled_ms;
	struct record *records;
	struct record *queue; /* of those that are due and not being written */
	unsigned int queue_length;
	unsigned int writes; /* under way */
	uint64_t rest_until_ms;
	LIST_HEAD(, record) gone; /* which wait for their write to be over */
	struct status_writer_stats stats;
};

static struct record *find_record(const struct status_writer *writer, const char *id)
{
	struct record *record;

	HASH_FIND_STR(writer->records, id, record);
	return record;
}

static void enqueue(struct status_writer *writer, struct record *record)
{
	if (record->queued)
		return;
	record->queued = true;
	DL_APPEND(writer->queue, record);
	writer->queue_length++;
}

static void dequeue(struct status_writer *writer, struct record *record)
{
	if (!record->queued)
		return;
	record->queued = false;
	DL_DELETE(writer->queue, record);
	writer->queue_length--;
}

static void free_record(struct record *record)
{
	cJSON_Delete(record->known);
	cJSON_Delete(record->sent);
	cJSON_Delete(record->foreign);
	free(record->id);
	free(record);
}

static void free_gone(struct record *record)
{
	LIST_REMOVE(record, gone_entry);
	free_record(record);
}

static void tell_transitions(const struct policy *policy, struct kube_client *client,
			     const cJSON *before, const cJSON *after)
{
	const struct kube_object_reference object = {.api_version = API_VERSION,
						     .kind = policy_kinds[policy->scope].kind,
						     .namespace = policy->namespace,
						     .name = policy->name,
						     .uid = policy->uid};
	struct status_transition transitions[STATUS_TRANSITIONS_LIMIT];
	size_t count = status_transitions(before, after, transitions);

	for (size_t i = 0; i < count; i++)
		kube_event_send(client, &object, !transitions[i].good, transitions[i].reason,
				transitions[i].message, FIELD_MANAGER);
}

static void on_timer(uv_timer_t *timer);

static void look_soon(struct status_writer *writer, uint64_t delay_ms)
{
	uint64_t now_ms = uv_now(writer->loop);

	if (now_ms + delay_ms < writer->rest_until_ms)
		delay_ms = writer->rest_until_ms - now_ms;
	if (uv_is_active((uv_handle_t *)&writer->timer) &&
	    uv_timer_get_due_in(&writer->timer) <= delay_ms)
		return;
	uv_timer_start(&writer->timer, on_timer, delay_ms, 0);
}

/*
 * 404: the policy was deleted, as the watch will say; or the API server has only begun, and does
 * not serve policies yet.
 */
static void write_failed(struct record *record, const struct kube_response *response)
{
	unsigned int shift =
		record->failures < RETRY_SHIFT_LIMIT ? record->failures : RETRY_SHIFT_LIMIT;
	uint64_t delay_ms = (uint64_t)RETRY_FIRST_MS << shift;

	record->writer->stats.failures++;
	if (delay_ms > RETRY_LIMIT_MS)
		delay_ms = RETRY_LIMIT_MS;
	if (delay_ms < (uint64_t)response->retry_after_seconds * 1000)
		delay_ms = (uint64_t)response->retry_after_seconds * 1000;
	if (response->status != NOT_FOUND)
		log_warn("status of policy %s: %s; trying again in %llu ms", record->id,
			 response->reason, (unsigned long long)delay_ms);
	record->failures++;
	record->not_before_ms = uv_now(record->writer->loop) + delay_ms;
	record->due = true;
}

static void write_succeeded(struct record *record)
{
	struct status_writer *writer = record->writer;
	const struct policy *policy = cluster_find_policy(writer->cluster, record->id);

	writer->stats.writes++;
	record->failures = 0;
	record->written_ms = uv_now(writer->loop);
	if (policy)
		tell_transitions(policy, writer->client, record->known, record->sent);
	cJSON_Delete(record->known);
	record->known = take_pointer(record->sent);
	if (record->foreign && status_holds(record->known, record->foreign))
		cJSON_Delete(take_pointer(record->foreign)); /* it was our own, come back early */
}

static void on_written(void *context, const struct kube_response *response)
{
	struct record *record = context;
	struct status_writer *writer = record->writer;

	record->transfer = NULL;
	writer->writes--;
	if (response->reason)
		write_failed(record, response);
	else
		write_succeeded(record);
	cJSON_Delete(record->sent);
	record->sent = NULL;
	if (record->gone) {
		free_gone(record);
	} else if (record->due) {
		enqueue(writer, record);
	}
	if (writer->queue)
		look_soon(writer, 0);
}

/* What server-side apply sends: the object's identity and the whole status. */
static cJSON *apply_body(const struct policy *policy, const cJSON *status)
{
	cleanup_json cJSON *body = cJSON_CreateObject();
	cJSON *metadata;

	if (!cJSON_AddStringToObject(body, "apiVersion", API_VERSION) ||
	    !cJSON_AddStringToObject(body, "kind", policy_kinds[policy->scope].kind))
		return NULL;
	metadata = cJSON_AddObjectToObject(body, "metadata");
	/* With the UID, the status of a deleted policy never lands on a new one of its name. */
	if ((policy->namespace &&
	     !cJSON_AddStringToObject(metadata, "namespace", policy->namespace)) ||
	    !cJSON_AddStringToObject(metadata, "name", policy->name) ||
	    !cJSON_AddStringToObject(metadata, "uid", policy->uid))
		return NULL;
	if (!cJSON_AddItemReferenceToObject(body, "status", (cJSON *)status))
		return NULL;
	return take_pointer(body);
}

static void format_path(const struct policy *policy, char *path, size_t size)
{
	bool namespaced = policy->scope == POLICY_NAMESPACED;

	snprintf(path, size,
		 API_PATH "/%s%s%s%s/%s/status?fieldManager=" FIELD_MANAGER "&force=true",
		 namespaced ? "namespaces/" : "", namespaced ? policy->namespace : "",
		 namespaced ? "/" : "", policy_kinds[policy->scope].resource, policy->name);
}

/* Starts the write of `status`, and takes it. */
static void write_status(struct record *record, const struct policy *policy, cJSON *status)
{
	cleanup_json cJSON *body = apply_body(policy, status);
	char path[1024];
	const struct kube_transfer_request request = {
		.method = "PATCH",
		.path = path,
		.content_type = KUBE_APPLY,
		.body = body,
		.done = on_written,
		.context = record,
	};
	struct error error;

	format_path(policy, path, sizeof(path));
	record->sent = status;
	if (body &&
	    kube_transfer_start(record->writer->client, &request, &record->transfer, &error) == 0) {
		record->writer->writes++;
		return;
	}
	log_warn("status of policy %s cannot be sent: %s", record->id,
		 body ? error.message : "out of memory");
	cJSON_Delete(take_pointer(record->sent));
	record->failures++;
	record->not_before_ms = uv_now(record->writer->loop) + RETRY_LIMIT_MS;
	record->due = true;
}

/* Whether `status` is to be held back for now, see status_writer.h. */
static bool must_wait(struct record *record, const struct policy *policy, const cJSON *status,
		      uint64_t now_ms)
{
	const struct status_writer *writer = record->writer;

	if (status_is_settled(record->known, policy) && status_is_passing(status, record->known)) {
		if (record->passing_since_ms == 0)
			record->passing_since_ms = now_ms;
		if (now_ms - record->passing_since_ms < STATUS_PATIENCE_MS ||
		    now_ms < writer->settled_ms)
			return true;
	} else {
		record->passing_since_ms = 0;
	}
	if (now_ms < record->not_before_ms)
		return true;
	return !status_conditions_differ(record->known, status) &&
	       now_ms - record->written_ms < STATUS_PACE_MS;
}

static cJSON *compute_status(const struct status_writer *writer, const struct policy *policy,
			     const cJSON *known, uint64_t now_ms)
{
	struct aggregate aggregate =
		aggregate_policy(policy, writer->cluster, writer->fleet, now_ms);

	return status_make(policy, &aggregate, known, time(NULL));
}

static void look_at(struct status_writer *writer, struct record *record)
{
	const struct policy *policy = cluster_find_policy(writer->cluster, record->id);
	uint64_t now_ms = uv_now(writer->loop);
	cleanup_json cJSON *status = NULL;

	if (!policy)
		return;
	status = compute_status(writer, policy, record->known, now_ms);
	if (!status) {
		log_error("status of policy %s: out of memory", record->id);
		return;
	}
	if (cJSON_Compare(status, record->known, true)) {
		record->due = false;
		record->passing_since_ms = 0;
		return;
	}
	if (must_wait(record, policy, status, now_ms) || !writer->may_write(writer->context))
		return;
	record->due = false;
	write_status(record, policy, take_pointer(status));
}

/*
 * Looks at what is queued, each record once and for a bounded time: with many policies in motion,
 * as when all agents come back, statuses would take the whole loop.
 */
static void on_timer(uv_timer_t *timer)
{
	struct status_writer *writer = timer->data;
	unsigned int left = writer->queue_length;
	uint64_t end = uv_hrtime() + WORK_NS;

	if (writer->resting)
		return;
	for (; left && uv_hrtime() < end && writer->writes < WRITES_LIMIT; left--) {
		struct record *record = writer->queue;

		dequeue(writer, record);
		look_at(writer, record);
		if (record->due && !record->sent)
			enqueue(writer, record);
	}
	if (writer->writes == WRITES_LIMIT)
		return; /* the end of a write leads on */
	if (left) {
		uv_update_time(writer->loop);
		writer->rest_until_ms = uv_now(writer->loop) + REST_MS;
	}
	if (writer->queue)
		look_soon(writer, left ? 0 : LOOK_AGAIN_MS);
}

/* Drops what is under way and what has to be told later. */
static void rest_record(struct status_writer *writer, struct record *record)
{
	dequeue(writer, record);
	if (record->transfer)
		writer->writes--;
	record->transfer = kube_transfer_cancel(record->transfer);
	cJSON_Delete(take_pointer(record->sent));
	cJSON_Delete(take_pointer(record->foreign));
	record->due = false;
	record->passing_since_ms = record->not_before_ms = 0;
	record->repairs = 0;
	record->failures = 0;
}

void status_writer_rest(struct status_writer *writer)
{
	struct record *record, *next;

	writer->resting = true;
	uv_timer_stop(&writer->timer);
	HASH_ITER(hh, writer->records, record, next)
		rest_record(writer, record);
}

void status_writer_wake(struct status_writer *writer, uint64_t settled_ms)
{
	writer->resting = false;
	writer->settled_ms = settled_ms;
}

/* After how long the next change by others is put right. */
static uint64_t repair_delay_ms(const struct record *record, uint64_t now_ms)
{
	uint64_t delay_ms = STATUS_REPAIR_FIRST_MS;

	if (now_ms - record->repair_ms >= 2 * STATUS_REPAIR_LIMIT_MS)
		return delay_ms;
	for (unsigned int i = 0; i < record->repairs && delay_ms < STATUS_REPAIR_LIMIT_MS; i++)
		delay_ms *= 2;
	return delay_ms < STATUS_REPAIR_LIMIT_MS ? delay_ms : STATUS_REPAIR_LIMIT_MS;
}

/*
 * The status is not what we wrote: others have changed it, or an older write of our own comes back
 * late, after which the newer one comes as well. So it is only noted, and put right by and by.
 */
static void note_foreign(struct record *record, const cJSON *status)
{
	uint64_t now_ms = uv_now(record->writer->loop);
	bool is_first = !record->foreign;

	cJSON_Delete(record->foreign);
	record->foreign = status ? cJSON_Duplicate(status, true) : cJSON_CreateObject();
	if (is_first) {
		uint64_t delay_ms = repair_delay_ms(record, now_ms);

		if (delay_ms == STATUS_REPAIR_FIRST_MS)
			record->repairs = 0;
		record->repair_ms = now_ms + delay_ms;
	}
}

static void learn_again(struct record *record, const cJSON *status)
{
	if (!record->writer->resting && !status_holds(record->known, status)) {
		note_foreign(record, status);
		return;
	}
	cJSON_Delete(take_pointer(record->foreign));
	if (!record->writer->resting)
		return;
	cJSON_Delete(record->known);
	record->known = status ? cJSON_Duplicate(status, true) : NULL;
}

/* What is there is known from now on, so that what should be there differs from it. */
static void repair(struct status_writer *writer, struct record *record)
{
	log_warn("status of policy %s was changed by somebody else; it is written again",
		 record->id);
	writer->stats.repairs++;
	record->repairs++;
	cJSON_Delete(record->known);
	record->known = take_pointer(record->foreign);
	status_writer_touch(writer, record->id);
}

void status_writer_tick(struct status_writer *writer)
{
	uint64_t now_ms = uv_now(writer->loop);
	struct record *record = writer->records;

	for (; record && !writer->resting; record = record->hh.next)
		if (record->foreign && !record->sent && now_ms >= record->repair_ms)
			repair(writer, record);
}

void status_writer_learn(struct status_writer *writer, const char *policy_id, const cJSON *status)
{
	struct record *record = find_record(writer, policy_id);

	if (record) {
		learn_again(record, status);
		return;
	}
	record = calloc(1, sizeof(*record));
	if (record)
		record->id = strdup(policy_id);
	if (!record || !record->id) {
		free(record);
		log_error("status of policy %s: out of memory", policy_id);
		return;
	}
	record->writer = writer;
	record->known = status ? cJSON_Duplicate(status, true) : NULL;
	HASH_ADD_KEYPTR(hh, writer->records, record->id, strlen(record->id), record);
	if (is_in_table(record))
		return;
	log_error("status of policy %s: out of memory", policy_id);
	free_record(record);
}

void status_writer_touch(struct status_writer *writer, const char *policy_id)
{
	struct record *record = find_record(writer, policy_id);

	if (!record)
		return;
	record->due = true;
	if (record->sent)
		return; /* the end of the write leads back here */
	enqueue(writer, record);
	look_soon(writer, 0);
}

void status_writer_forget(struct status_writer *writer, const char *policy_id)
{
	struct record *record = find_record(writer, policy_id);

	if (!record)
		return;
	HASH_DEL(writer->records, record);
	dequeue(writer, record);
	if (record->sent) {
		record->gone = true;
		LIST_INSERT_HEAD(&writer->gone, record, gone_entry);
	} else {
		free_record(record);
	}
}

struct status_writer_stats status_writer_stats(const struct status_writer *writer)
{
	return writer->stats;
}

int status_writer_new(struct kube_client *client, uv_loop_t *loop, const struct cluster *cluster,
		      const struct fleet *fleet, status_writer_guard may_write, void *context,
		      struct status_writer **ret_writer, struct error *error)
{
	struct status_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_set(error, ENOMEM, "out of memory");
	writer->client = client;
	writer->cluster = cluster;
	writer->fleet = fleet;
	writer->loop = loop;
	writer->may_write = may_write;
	writer->context = context;
	writer->resting = true;
	uv_timer_init(loop, &writer->timer);
	writer->timer.data = writer;
	*ret_writer = writer;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct status_writer *writer = handle->data;
	struct record *record, *next;

	HASH_ITER(hh, writer->records, record, next) {
		HASH_DEL(writer->records, record);
		free_record(record);
	}
	while (!LIST_EMPTY(&writer->gone))
		free_gone(LIST_FIRST(&writer->gone));
	free(writer);
}

struct status_writer *status_writer_free(struct status_writer *writer)
{
	if (writer)
		uv_close((uv_handle_t *)&writer->timer, on_closed);
	return NULL;
}
