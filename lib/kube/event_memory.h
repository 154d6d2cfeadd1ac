/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The Events that were written lately, so that what happens again is counted in the Event that is
 * there instead of filling the namespace with further ones.
 */
#ifndef SKEP_LIB_KUBE_EVENT_MEMORY_H
#define SKEP_LIB_KUBE_EVENT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/kube/event.h"

/* Bounds: Events that are remembered, and for how long after they last happened. */
#define EVENT_MEMORY_LIMIT   64
#define EVENT_MEMORY_SECONDS 600

/* Names and namespaces of the API have at most 253 and 63 bytes. */
#define EVENT_PATH_SIZE 384

struct remembered_event {
	uint64_t key;		    /* what happened to what; 0: the place is free */
	char path[EVENT_PATH_SIZE]; /* of the Event */
	char *text;		    /* owned: the Event as JSON, should it be deleted */
	unsigned int count;	    /* how often it happened */
	unsigned int told;	    /* how often, as the last request says */
	unsigned int known;	    /* how often, as the API server is known to have it */
	time_t last;
	bool is_under_way; /* a request about it is: it must stay where it is */
	struct kube_client *client;
};

struct event_memory {
	struct remembered_event events[EVENT_MEMORY_LIMIT];
};

/* What happened to what, as a number that is not 0. */
uint64_t event_key(const struct kube_object_reference *object, bool warning, const char *reason,
		   const char *message);

/* The Event of that key, or NULL when it is not known or too long ago. */
struct remembered_event *event_memory_find(struct event_memory *memory, uint64_t key, time_t now);

/* A place for a new Event, in place of the oldest one; NULL when all are under way. */
struct remembered_event *event_memory_take(struct event_memory *memory, uint64_t key, time_t now);

/* Frees the place. */
void event_memory_forget(struct remembered_event *event);

/* Frees all places. */
void event_memory_clear(struct event_memory *memory);

#endif
