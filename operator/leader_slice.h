/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Where the leader is: an EndpointSlice of the Service `skep-operator-leader`, which has no
 * selector, holds its address and no other. So what is sent to that Service reaches the leader.
 */
#ifndef SKEP_OPERATOR_LEADER_SLICE_H
#define SKEP_OPERATOR_LEADER_SLICE_H

#include <stdbool.h>

#include "lib/kube/client.h"

#define LEADER_SERVICE "skep-operator-leader"

struct leader_slice;

struct leader_slice_settings {
	const char *namespace;
	const char *address; /* of this pod: IPv4 or IPv6 */
	int agents_port, api_port;
};

/* The EndpointSlice as JSON (owned by the caller), or NULL when memory ran out. Pure. */
cJSON *leader_slice_json(const struct leader_slice_settings *settings, const char *version);

/* Copies the settings. Writes nothing before leader_slice_publish(). */
int leader_slice_new(struct kube_client *client, uv_loop_t *loop,
		     const struct leader_slice_settings *settings, struct leader_slice **ret_slice,
		     struct error *error);

/* Writes it, tries until that is done, and again every half minute, should somebody change it. */
void leader_slice_publish(struct leader_slice *slice);

/* Writes it no more. What is written stays until the next leader writes its own. */
void leader_slice_withdraw(struct leader_slice *slice);

/* To be called before kube_client_free(). Takes NULL, returns NULL. */
struct leader_slice *leader_slice_free(struct leader_slice *slice);

#endif
