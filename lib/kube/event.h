/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Writes Events (core v1) about an object, so that `kubectl describe` shows what became of it. */
#ifndef SKEP_LIB_KUBE_EVENT_H
#define SKEP_LIB_KUBE_EVENT_H

#include <stdbool.h>
#include <time.h>

#include "lib/kube/client.h"

/* The object that an event is about. */
struct kube_object_reference {
	const char *api_version;
	const char *kind;
	const char *namespace;
	const char *name;
	const char *uid;
};

/*
 * The Event as JSON (owned by the caller), or NULL when memory ran out. `serial` makes the names of
 * events of one second differ. Pure.
 */
cJSON *kube_event_json(const struct kube_object_reference *object, bool warning, const char *reason,
		       const char *message, const char *component, time_t now, unsigned int serial);

/*
 * The Event once more, `text` being its JSON as it was written first: under another name, as having
 * happened `count` times, the last one at `now`. NULL when memory ran out. Pure.
 */
cJSON *kube_event_again(const char *text, unsigned int count, time_t now, unsigned int serial);

/* A moment as the API writes it (RFC 3339), in UTC. */
#define KUBE_EVENT_TIME_SIZE 32
void kube_event_format_time(char text[KUBE_EVENT_TIME_SIZE], time_t time);

/*
 * Sends it: what is the same as an Event of the last ten minutes is counted in that one. A failure
 * is logged and no more, as an Event is a courtesy.
 */
void kube_event_send(struct kube_client *client, const struct kube_object_reference *object,
		     bool warning, const char *reason, const char *message, const char *component);

#endif
