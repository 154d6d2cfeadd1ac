/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Events of containers whose name has not come yet: a container runs before the pod's status, which
 * names it, is known. They wait a little, in order. Pure: time comes in, events go out through a
 * function.
 */
#ifndef SKEP_NODE_AGENT_EXPORT_PENDING_H
#define SKEP_NODE_AGENT_EXPORT_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/link/selection.h"

#define PENDING_LIMIT	1000 /* events that wait; beyond, the oldest goes without a name */
#define PENDING_WAIT_MS 5000 /* after which an event goes without a name */

struct pending_event {
	char *pod_uid;
	char *container_id;
	cJSON *event;
	uint64_t deadline;
};

/* A zeroed struct (but for `release`) is empty. */
struct pending {
	/* Takes an event that waits no longer. */
	void (*release)(void *context, cJSON *event);
	void *context;
	struct pending_event *events; /* oldest first */
	size_t count;
};

/* Lets an enriched event wait (takes it, also when memory runs out: then it goes at once). */
void pending_add(struct pending *pending, const char *pod_uid, const char *container_id,
		 cJSON *event, uint64_t now);

/* The pod's selection has come: what it names goes. */
void pending_resolve(struct pending *pending, const struct selected_pod *pod);

/* What has waited long enough by `now` goes. */
void pending_expire(struct pending *pending, uint64_t now);

/* Everything goes. */
void pending_flush(struct pending *pending);

#endif
