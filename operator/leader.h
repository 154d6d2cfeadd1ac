/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Which of several operators works: the one that holds the Lease `skep-operator`. The others stand
 * by. The leader says where it is, so that agents and who asks for edges come to it.
 */
#ifndef SKEP_OPERATOR_LEADER_H
#define SKEP_OPERATOR_LEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/kube/client.h"

#define LEADER_LEASE "skep-operator"

struct leader;

struct leader_settings {
	const char *namespace; /* of the Lease */
	bool elect;	       /* false: there is no other, so this one leads without a Lease */
	const char *pod;       /* the name of this pod, "" outside of one */
	const char *pod_uid;
	const char *address; /* of this pod, "" not to publish where the leader is */
	int agents_port, api_port;
	uint32_t duration_ms, deadline_ms, retry_ms; /* see lib/kube/lease.h */
};

struct leader_handlers {
	void (*lead)(void *context);
	void (*stand_by)(
		void *context); /* after `lead`: what only a leader does must end at once */
};

/* Begins to try; `settings` are copied. No handler is called from within. */
int leader_new(struct kube_client *client, uv_loop_t *loop, const struct leader_settings *settings,
	       const struct leader_handlers *handlers, void *context, struct leader **ret_leader,
	       struct error *error);

/* Whether this process may do what only a leader may do, at this very moment. */
bool leader_is_leading(const struct leader *leader);

/* The name of the pod that was last seen to lead, "" where none is known. */
void leader_name(const struct leader *leader, char *name, size_t size);

/* The doors are open: publishes where they are. */
void leader_publish(struct leader *leader);

/* Gives the lead up, that another need not wait for it to run out; `done` is called once. */
void leader_resign(struct leader *leader, void (*done)(void *context), void *context);

/* To be called before kube_client_free(). Takes NULL, returns NULL. */
struct leader *leader_free(struct leader *leader);

#endif
