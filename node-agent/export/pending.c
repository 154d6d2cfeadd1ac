// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/pending.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/export/enrich.h"

/* Sends an event on its way with this name, or without one. */
static void release(struct pending *pending, struct pending_event *waiting, const char *name)
{
	event_name_container(waiting->event, name);
	pending->release(pending->context, waiting->event);
	free(waiting->pod_uid);
	free(waiting->container_id);
}

static void drop_first(struct pending *pending, size_t count)
{
	pending->count -= count;
	if (count && pending->count)
		memmove(pending->events, pending->events + count,
			pending->count * sizeof(*pending->events));
	if (pending->count)
		return;
	free(pending->events);
	pending->events = NULL;
}

static bool make_room(struct pending *pending)
{
	struct pending_event *events;

	if (pending->count == PENDING_LIMIT) {
		release(pending, &pending->events[0], NULL);
		drop_first(pending, 1);
	}
	events = reallocarray(pending->events, pending->count + 1, sizeof(*events));
	if (events)
		pending->events = events;
	return events;
}

void pending_add(struct pending *pending, const char *pod_uid, const char *container_id,
		 cJSON *event, uint64_t now)
{
	struct pending_event waiting = {
		.pod_uid = strdup(pod_uid),
		.container_id = strdup(container_id),
		.event = event,
		.deadline = now + PENDING_WAIT_MS,
	};

	if (waiting.pod_uid && waiting.container_id && make_room(pending))
		pending->events[pending->count++] = waiting;
	else
		release(pending, &waiting, NULL);
}

static const char *find_name(const struct selected_pod *pod, const struct pending_event *waiting)
{
	if (strcmp(pod->uid, waiting->pod_uid) != 0)
		return NULL;
	for (size_t i = 0; i < pod->container_count; i++)
		if (strcmp(pod->containers[i].id, waiting->container_id) == 0)
			return pod->containers[i].name;
	return NULL;
}

void pending_resolve(struct pending *pending, const struct selected_pod *pod)
{
	size_t kept = 0;

	for (size_t i = 0; i < pending->count; i++) {
		const char *name = find_name(pod, &pending->events[i]);

		if (name)
			release(pending, &pending->events[i], name);
		else
			pending->events[kept++] = pending->events[i];
	}
	pending->count = kept;
	drop_first(pending, 0);
}

void pending_expire(struct pending *pending, uint64_t now)
{
	size_t expired = 0;

	while (expired < pending->count && pending->events[expired].deadline <= now)
		release(pending, &pending->events[expired++], NULL);
	drop_first(pending, expired);
}

void pending_flush(struct pending *pending)
{
	pending_expire(pending, UINT64_MAX);
}
