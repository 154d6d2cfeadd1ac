// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/event.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

/* Limits of the API: names (RFC 1123 subdomain) and an Event's note. */
#define NAME_LIMIT    253
#define MESSAGE_LIMIT 1024

/* Events of what is in no namespace go here, as those of nodes do. */
#define NAMESPACE_OF_CLUSTER_SCOPED "default"

static const char *namespace_of(const struct kube_object_reference *object)
{
	return object->namespace && *object->namespace ? object->namespace
						       : NAMESPACE_OF_CLUSTER_SCOPED;
}

/* "object.time-serial"; the end is what makes it unique, so the object's name is what is cut. */
static void format_name(char name[NAME_LIMIT + 1], const char *object, time_t now,
			unsigned int serial)
{
	char end[32];
	int length = snprintf(end, sizeof(end), ".%llx-%x", (unsigned long long)now, serial);

	snprintf(name, NAME_LIMIT + 1, "%.*s%s", NAME_LIMIT - length, object, end);
}

/* Copies at most MESSAGE_LIMIT bytes and cuts no UTF-8 character in two (RFC 3629, 3). */
static void cut_message(char cut[MESSAGE_LIMIT + 1], const char *message)
{
	size_t length = strnlen(message, MESSAGE_LIMIT);

	while (length && ((unsigned char)message[length] & 0xc0) == 0x80)
		length--;
	memcpy(cut, message, length);
	cut[length] = '\0';
}

static bool add_string(cJSON *object, const char *name, const char *value)
{
	return !value || cJSON_AddStringToObject(object, name, value);
}

static bool add_metadata(cJSON *event, const struct kube_object_reference *object, time_t now,
			 unsigned int serial)
{
	cJSON *metadata = cJSON_AddObjectToObject(event, "metadata");
	char name[NAME_LIMIT + 1];

	format_name(name, object->name, now, serial);
	return add_string(metadata, "name", name) &&
	       add_string(metadata, "namespace", namespace_of(object));
}

static bool add_involved_object(cJSON *event, const struct kube_object_reference *object)
{
	cJSON *involved = cJSON_AddObjectToObject(event, "involvedObject");

	return add_string(involved, "apiVersion", object->api_version) &&
	       add_string(involved, "kind", object->kind) &&
	       add_string(involved, "namespace", object->namespace) &&
	       add_string(involved, "name", object->name) &&
	       add_string(involved, "uid", object->uid);
}

static bool add_source(cJSON *event, const char *component)
{
	cJSON *source = cJSON_AddObjectToObject(event, "source");

	return add_string(source, "component", component) &&
	       add_string(event, "reportingComponent", component);
}

void kube_event_format_time(char text[KUBE_EVENT_TIME_SIZE], time_t time)
{
	struct tm parts;

	gmtime_r(&time, &parts);
	strftime(text, KUBE_EVENT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static bool add_times(cJSON *event, time_t now)
{
	char moment[KUBE_EVENT_TIME_SIZE];

	kube_event_format_time(moment, now);
	return add_string(event, "firstTimestamp", moment) &&
	       add_string(event, "lastTimestamp", moment) &&
	       cJSON_AddNumberToObject(event, "count", 1);
}

cJSON *kube_event_json(const struct kube_object_reference *object, bool warning, const char *reason,
		       const char *message, const char *component, time_t now, unsigned int serial)
{
	cleanup_json cJSON *event = cJSON_CreateObject();
	char cut[MESSAGE_LIMIT + 1];

	cut_message(cut, message);
	if (!add_string(event, "apiVersion", "v1") || !add_string(event, "kind", "Event") ||
	    !add_metadata(event, object, now, serial) || !add_involved_object(event, object) ||
	    !add_string(event, "type", warning ? "Warning" : "Normal") ||
	    !add_string(event, "reason", reason) || !add_string(event, "message", cut) ||
	    !add_source(event, component) || !add_times(event, now))
		return NULL;
	return take_pointer(event);
}

cJSON *kube_event_again(const char *text, unsigned int count, time_t now, unsigned int serial)
{
	cleanup_json cJSON *former = cJSON_Parse(text);
	const struct kube_object_reference object = {
		.api_version = json_string(former, "involvedObject", "apiVersion"),
		.kind = json_string(former, "involvedObject", "kind"),
		.namespace = json_string(former, "involvedObject", "namespace"),
		.name = json_string(former, "involvedObject", "name"),
		.uid = json_string(former, "involvedObject", "uid"),
	};
	cJSON *event;

	if (!former)
		return NULL;
	event = kube_event_json(&object, strcmp(json_text(former, "type"), "Warning") == 0,
				json_text(former, "reason"), json_text(former, "message"),
				json_text(former, "source", "component"), now, serial);
	if (event)
		cJSON_SetNumberValue(cJSON_GetObjectItem(event, "count"), count);
	return event;
}
