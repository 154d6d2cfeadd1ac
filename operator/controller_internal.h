/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the files of the controller share: its parts, and what one of them does for the others. */
#ifndef SKEP_OPERATOR_CONTROLLER_INTERNAL_H
#define SKEP_OPERATOR_CONTROLLER_INTERNAL_H

#include "lib/kube/informer.h"
#include "operator/addresses.h"
#include "operator/api.h"
#include "operator/certificate_files.h"
#include "operator/certificates.h"
#include "operator/cluster.h"
#include "operator/controller.h"
#include "operator/edges.h"
#include "operator/fleet.h"
#include "operator/lookups.h"
#include "operator/metrics.h"
#include "operator/node_book.h"
#include "operator/node_writer.h"
#include "operator/status_writer.h"

struct controller {
	uv_loop_t *loop;
	struct net_context *net;
	struct kube_client *client;
	struct controller_settings settings; /* its strings are owned */

	struct cluster cluster;
	struct addresses addresses; /* of what is in the cluster */
	struct fleet fleet;
	struct lookups lookups;
	struct edges edges;
	struct node_book nodes;
	struct certificates *certificates; /* one of the two is NULL */
	struct certificate_files *certificate_files;
	struct agents *agents; /* NULL until it leads for the first time */
	bool agents_open;
	struct api *api;       /* NULL until certificates and first lists are there */
	struct leader *leader; /* NULL until the first lists are there */
	bool leading;
	bool settled;	     /* all policies were looked at when that was over */
	uint64_t settled_ms; /* until then, agents are on their way from another leader */
	struct status_writer *status_writer;
	struct node_writer *node_writer;
	const struct pki_bundle *bundle;

	struct kube_informer *informers[WATCHES];
	unsigned int synced; /* informers whose first list is complete */

	bool compiling;	       /* all pods, from when it leads: agents are not let in yet */
	uint32_t compile_turn; /* see struct cluster_node */
	uv_timer_t compile_timer;
	uint32_t push_turn;    /* see struct fleet_node */
	uv_timer_t push_timer; /* runs once after each burst of changes */
	uv_timer_t tick;
	uint64_t compiled; /* pods compiled, ever */
	unsigned int closing;
};

/* What is watched, and what happens on what a watch tells; the context is the controller. */
struct controller_watch {
	const char *path;
	struct kube_informer_handlers handlers;
};

extern const struct controller_watch controller_watches[WATCHES];

/* Whether all first lists are complete and this operator leads. Else nothing is compiled or told.
 */
bool controller_is_at_work(const struct controller *controller);

/*
 * When the agent of a node of which nothing is known yet counts as heard of last: when this
 * operator has only begun to lead, agents have some time to notice.
 */
uint64_t controller_heard_ms(const struct controller *controller);

/* Tells agents what changed for them, once this burst of changes is over. */
void controller_push_soon(struct controller *controller);

/*
 * Compiling: a pod, or all pods of a namespace or node, whose selection may have changed. While all
 * are compiled, those of nodes whose turn has not come are left to it.
 */
void controller_compile(struct controller *controller, const struct pod *pod);
void controller_compile_namespace(struct controller *controller, const char *name);
void controller_compile_node(struct controller *controller, const char *name);

/* And all pods in reach of a policy, or of what it was before; either may be NULL. */
void controller_compile_reach(struct controller *controller, const struct policy *policy,
			      const struct policy *former);

/* The pod is gone: nothing is to be done on it any more. */
void controller_deselect(struct controller *controller, const struct pod *pod);

/*
 * Statuses: what is said of a pod, of a node's pods, of those of which its agent has told news, or
 * by policies, may have changed.
 */
void controller_touch_pod(struct controller *controller, const struct pod *pod);
void controller_touch_node(struct controller *controller, const char *name);
void controller_touch_news(struct controller *controller, struct fleet_node *node);

/* Not before it is known which quotas bind the policy's namespace. */
void controller_touch_policy(struct controller *controller, const struct policy *policy);
void controller_touch_namespace(struct controller *controller, const char *name);
void controller_touch_cluster_policies(struct controller *controller);
void controller_touch_all(struct controller *controller);

/* What watches tell of policies: handlers of an informer, whose context is the controller. */
void controller_on_policy(void *controller, const cJSON *object);
void controller_on_cluster_policy(void *controller, const cJSON *object);
void controller_on_policy_gone(void *controller, const char *namespace, const char *name,
			       const char *uid);

void controller_on_quota(void *controller, const cJSON *object);
void controller_on_quota_gone(void *controller, const char *namespace, const char *name,
			      const char *uid);

/*
 * Holds the policies of a namespace, or of all, against the quotas. Statuses of policies for which
 * that changes something are touched. The former returns whether there are any; the latter compiles
 * what they are about.
 */
bool controller_judge_namespace(struct controller *controller, const char *name);
void controller_judge_all(struct controller *controller);

/* Tells whoever wrote quotas that cannot be read, of all of these. */
void controller_tell_quotas(const struct controller *controller);

/* Ends the probes of policies whose time is over. */
void controller_check_expiry(struct controller *controller);

/* Starts to follow all that is watched; calls controller_synced() when all lists are complete. */
int controller_start_watches(struct controller *controller, struct error *error);
void controller_synced(struct controller *controller);

#endif
