// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "lib/base/json.h"
#include "lib/kube/client_internal.h"
#include "lib/kube/event_memory.h"

/* What the API server has to be told of an Event now: how often it happened, or all of it. */
static void send_count(struct remembered_event *event);
static void send_again(struct remembered_event *event);

/* The server knows the Event, or refused it: then the next one of its kind is a new one. */
static void on_sent(void *context, const struct kube_response *response)
{
	struct remembered_event *event = context;

	if (response->reason)
		log_warn("an Event was not written: %s", response->reason);
	if (!event)
		return;
	event->is_under_way = false;
	event->known = event->told;
	if (response->reason)
		event_memory_forget(event);
	else if (event->told < event->count)
		send_count(event);
}

/* One that somebody deleted is written anew, with what has happened since it was last known. */
static void on_counted(void *context, const struct kube_response *response)
{
	struct remembered_event *event = context;

	if (response->status != 404) {
		on_sent(context, response);
		return;
	}
	event->is_under_way = false;
	event->count -= event->known;
	send_again(event);
}

static cJSON *count_json(const struct remembered_event *event)
{
	cleanup_json cJSON *patch = cJSON_CreateObject();
	char moment[KUBE_EVENT_TIME_SIZE];

	kube_event_format_time(moment, event->last);
	if (!cJSON_AddNumberToObject(patch, "count", event->count) ||
	    !cJSON_AddStringToObject(patch, "lastTimestamp", moment))
		return NULL;
	return take_pointer(patch);
}

static void send_count(struct remembered_event *event)
{
	cleanup_json cJSON *patch = count_json(event);
	struct error error = {"memory ran out"};

	if (!patch || kube_request(event->client, "PATCH", event->path, KUBE_MERGE_PATCH, patch,
				   on_counted, event, &error) < 0) {
		log_warn("an Event was not counted: %s", error.message);
		return;
	}
	event->told = event->count;
	event->is_under_way = true;
}

static void count_again(struct remembered_event *event, time_t now)
{
	event->count++;
	event->last = now;
	if (!event->is_under_way)
		send_count(event);
}

/* `remembered` may be NULL. */
static int post(struct kube_client *client, const cJSON *event, struct remembered_event *remembered,
		struct error *error)
{
	const char *namespace = json_text(event, "metadata", "namespace");
	char path[EVENT_PATH_SIZE];
	int result;

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/events", namespace);
	result = kube_request(client, "POST", path, KUBE_JSON, event, on_sent, remembered, error);
	if (result < 0 || !remembered)
		return result;
	remembered->client = client;
	remembered->is_under_way = true;
	snprintf(remembered->path, sizeof(remembered->path), "/api/v1/namespaces/%s/events/%s",
		 namespace, json_text(event, "metadata", "name"));
	return 0;
}

static void send_again(struct remembered_event *event)
{
	cleanup_json cJSON *again = kube_event_again(event->text, event->count, event->last,
						     event->client->event_serial++);
	struct error error = {"memory ran out"};

	event->told = event->count;
	if (again && post(event->client, again, event, &error) == 0)
		return;
	log_warn("an Event was not written: %s", error.message);
	event_memory_forget(event);
}

/* One whose text cannot be kept is written, and not remembered. */
static int send_new(struct kube_client *client, const cJSON *event,
		    struct remembered_event *remembered, struct error *error)
{
	if (remembered)
		remembered->text = cJSON_PrintUnformatted(event);
	if (remembered && !remembered->text) {
		event_memory_forget(remembered);
		remembered = NULL;
	}
	return post(client, event, remembered, error);
}

void kube_event_send(struct kube_client *client, const struct kube_object_reference *object,
		     bool warning, const char *reason, const char *message, const char *component)
{
	uint64_t key = event_key(object, warning, reason, message);
	time_t now = time(NULL);
	struct remembered_event *remembered = event_memory_find(&client->events, key, now);
	struct error error = {"memory ran out"};
	cleanup_json cJSON *event = NULL;

	if (remembered) {
		count_again(remembered, now);
		return;
	}
	event = kube_event_json(object, warning, reason, message, component, now,
				client->event_serial++);
	remembered = event_memory_take(&client->events, key, now);
	if (event && send_new(client, event, remembered, &error) == 0)
		return;
	log_warn("an Event about %s \"%s\" was not written: %s", object->kind, object->name,
		 error.message);
	if (remembered)
		event_memory_forget(remembered);
}
