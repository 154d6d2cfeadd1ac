// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/event_memory.h"

#include <stddef.h>
#include <stdlib.h>

/* FNV-1a, 64 bits (RFC 9923). */
#define FNV_START 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

/* The end of a text counts as well, so that two texts are not taken for another two. */
static uint64_t mix(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)(text && *text ? *text : 0)) * FNV_PRIME;
	while (text && *text++);
	return hash;
}

uint64_t event_key(const struct kube_object_reference *object, bool warning, const char *reason,
		   const char *message)
{
	uint64_t hash = mix(FNV_START, object->kind);

	hash = mix(hash, object->namespace);
	hash = mix(hash, object->name);
	hash = mix(hash, object->uid);
	hash = mix(hash, warning ? "Warning" : "Normal");
	hash = mix(hash, reason);
	hash = mix(hash, message);
	return hash ? hash : 1;
}

struct remembered_event *event_memory_find(struct event_memory *memory, uint64_t key, time_t now)
{
	for (size_t i = 0; i < EVENT_MEMORY_LIMIT; i++) {
		struct remembered_event *event = &memory->events[i];

		if (event->key == key && now - event->last <= EVENT_MEMORY_SECONDS)
			return event;
	}
	return NULL;
}

struct remembered_event *event_memory_take(struct event_memory *memory, uint64_t key, time_t now)
{
	struct remembered_event *oldest = NULL;

	for (size_t i = 0; i < EVENT_MEMORY_LIMIT; i++) {
		struct remembered_event *event = &memory->events[i];

		if (!event->is_under_way && (!oldest || event->last < oldest->last))
			oldest = event;
	}
	if (!oldest)
		return NULL;
	event_memory_forget(oldest);
	*oldest = (struct remembered_event){.key = key, .count = 1, .told = 1, .last = now};
	return oldest;
}

void event_memory_forget(struct remembered_event *event)
{
	free(event->text);
	*event = (struct remembered_event){0};
}

void event_memory_clear(struct event_memory *memory)
{
	for (size_t i = 0; i < EVENT_MEMORY_LIMIT; i++)
		event_memory_forget(&memory->events[i]);
}
