/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The agents' door: lets an agent in by its service-account token, which binds it to the node of
 * its pod and which it shows again as long as it stays, gives it the selection of that node and no
 * other, tells it whose the addresses are that it asks about, and takes its reports.
 */
#ifndef SKEP_OPERATOR_AGENTS_H
#define SKEP_OPERATOR_AGENTS_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "lib/link/server.h"
#include "operator/addresses.h"
#include "operator/cluster.h"
#include "operator/edges.h"
#include "operator/fleet.h"
#include "operator/lookups.h"
#include "operator/node_book.h"
#include "operator/pki.h"

#define AGENTS_AUDIENCE "skep-operator"

struct agents;

struct agents_times {
	uint64_t stay_ms;	/* how long an agent may stay without showing a token again */
	uint64_t show_least_ms; /* between tokens of one agent that are looked at */
};

extern const struct agents_times agents_times; /* 15 minutes, 10 s */

struct agents_settings {
	struct agents_times times;
	const char *address; /* to listen on; "" for all */
	int port;
	const char *service_account; /* "namespace:name" that agents run as */
};

/* Something that the fleet knows of `node` changed: its agent came, went, or reported. */
typedef void (*agents_handler)(void *context, struct fleet_node *node);

/* What agents are let in by, told from, and what they say goes into. All must outlive the door. */
struct agents_books {
	const struct cluster *cluster;	   /* which pod is on which node */
	const struct addresses *addresses; /* whose an address is */
	struct fleet *fleet;		   /* selections and reports */
	struct lookups *lookups;	   /* which agent asked about which address */
	struct edges *edges;		   /* who talks to whom */
	struct node_book *nodes;	   /* what agents say of their nodes */
};

/* Opens the door. `books` and strings are copied. Returns 0 with *ret_agents. */
int agents_new(struct net_context *net, struct kube_client *client,
	       const struct agents_settings *settings, const struct pki_bundle *bundle,
	       const struct agents_books *books, agents_handler changed, void *context,
	       struct agents **ret_agents, struct error *error);

/*
 * Shuts the door: every agent is cut off. And opens it again; what the books hold may be another by
 * then.
 */
void agents_shut(struct agents *agents, const char *why);
int agents_reopen(struct agents *agents, struct error *error);

/* Serves agents that come from now on with another certificate. */
int agents_set_certificate(struct agents *agents, const struct pki_bundle *bundle,
			   struct error *error);

/* To be called after kube_client_free(). Returns NULL. */
struct agents *agents_free(struct agents *agents);

/* Sends a node's agent what changed in its selection, if it is connected and there is anything. */
void agents_push(struct agents *agents, struct fleet_node *node);

/* Tells each agent which of the addresses that it asked about changed hands. */
void agents_push_peers(struct agents *agents);

struct link_server_stats agents_link_stats(const struct agents *agents);

#endif
