/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The way of the data through the operator: what the watches tell goes into the cluster's picture,
 * what that changes is compiled into the selections of nodes and pushed to their agents, and what
 * the agents report goes into the status of policies and the graph of edges. It decides nothing by
 * itself.
 */
#ifndef SKEP_OPERATOR_CONTROLLER_H
#define SKEP_OPERATOR_CONTROLLER_H

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/kube/client.h"
#include "lib/net/context.h"
#include "operator/agents.h"
#include "operator/api.h"
#include "operator/certificate_files.h"
#include "operator/leader.h"

struct controller;

struct controller_settings {
	const char *namespace; /* the operator's own */
	struct agents_settings agents;
	struct api_settings api;
	/* Of these, strings must outlive the controller. */
	struct leader_settings leader;
	struct pki_lives lives;			    /* of certificates that are made here */
	struct certificate_paths certificate_paths; /* of those that are given; "": none are */
};

/* Starts to watch: `settings` are copied. End it with controller_free(). */
int controller_new(struct net_context *net, struct kube_client *client,
		   const struct controller_settings *settings, struct controller **ret_controller,
		   struct error *error);

/* To be called after kube_client_free(), which ends the requests under way. Returns NULL. */
struct controller *controller_free(struct controller *controller);

/*
 * Does no more what a leader does, and lets another one lead; `done` is called once, maybe from
 * within. To be called before controller_stop(), where there is time for it.
 */
void controller_retire(struct controller *controller, void (*done)(void *context), void *context);

/* Ends the watches; to be called before kube_client_free(). */
void controller_stop(struct controller *controller);

/* The first lists are complete and the API answers; where this operator leads, agents are let in.
 */
bool controller_is_ready(const struct controller *controller);

/* Writes the operator's metrics. */
void controller_collect(const struct controller *controller, struct text *out);

#endif
