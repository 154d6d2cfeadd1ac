/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The operator's picture of the cluster: policies, quotas, namespaces, pods, nodes and Services
 * as the watches told them, with the pods and policies of a namespace and the pods of a node at
 * hand. No I/O, no decisions.
 */
#ifndef SKEP_OPERATOR_CLUSTER_H
#define SKEP_OPERATOR_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "lib/base/pointer_set.h"
#include "operator/labels.h"
#include "operator/pod.h"
#include "operator/policy.h"
#include "operator/quota.h"
#include "operator/service.h"

#define NODE_ADDRESSES_LIMIT 16 /* of one node; more are left out */

struct cluster_namespace {
	char *name;
	bool exists; /* false: only pods and policies speak of it so far, or it was deleted */
	struct labels labels;
	struct pod *pods;	 /* list, by namespace_next; those of a node side by side */
	struct policy *policies; /* list, by scope_next, oldest first */
	UT_hash_handle hh;
};

struct cluster_node {
	char *name;
	bool exists; /* false: only pods speak of it so far, or it was deleted */
	char *uid;   /* NULL while it does not exist, or for want of memory */
	struct labels labels;
	struct ip_address *addresses; /* internal and external ones */
	size_t address_count;
	struct pod *pods; /* list, by node_next */
	uint32_t turn;	  /* in which all of them were compiled, see on_compile() */
	UT_hash_handle hh;
};

struct cluster {
	struct policy *policies;	    /* by id */
	struct policy *cluster_policies;    /* those in no namespace: by scope_next, oldest first */
	struct quota *quotas;		    /* by name */
	struct pointer_set pods;	    /* of struct pod, by UID */
	struct pod_template *pod_templates; /* which the pods share */
	struct service *services;	    /* by id */
	struct cluster_node *nodes;	    /* by name */
	struct cluster_namespace *namespaces; /* by name */
};

struct policy *cluster_find_policy(const struct cluster *cluster, const char *id);
struct quota *cluster_find_quota(const struct cluster *cluster, const char *name);
struct pod *cluster_find_pod(const struct cluster *cluster, const char *uid);
struct service *cluster_find_service(const struct cluster *cluster, const char *id);
struct cluster_node *cluster_find_node(const struct cluster *cluster, const char *name);
struct cluster_namespace *cluster_find_namespace(const struct cluster *cluster, const char *name);

/* Adds an object that is not in yet and takes it. Returns 0, or -ENOMEM with the object freed. */
int cluster_add_policy(struct cluster *cluster, struct policy *policy);
int cluster_add_pod(struct cluster *cluster, struct pod *pod);
int cluster_add_quota(struct cluster *cluster, struct quota *quota);
int cluster_add_service(struct cluster *cluster, struct service *service);

/* Takes an object out and hands it to the caller. */
void cluster_take_policy(struct cluster *cluster, struct policy *policy);
void cluster_take_quota(struct cluster *cluster, struct quota *quota);
void cluster_take_pod(struct cluster *cluster, struct pod *pod);
void cluster_take_service(struct cluster *cluster, struct service *service);

/*
 * Sets the labels of a namespace and takes them. *ret_changed says whether they differ from those
 * before. Returns 0, or -ENOMEM with the labels freed.
 */
int cluster_set_namespace(struct cluster *cluster, const char *name, struct labels *labels,
			  bool *ret_changed);
void cluster_remove_namespace(struct cluster *cluster, const char *name);

/*
 * Sets a node's labels and takes them. *ret_changed says whether they differ from those before.
 * Returns 0, or -ENOMEM with the labels freed.
 */
int cluster_set_node(struct cluster *cluster, const char *name, struct labels *labels,
		     bool *ret_changed);

/* Sets the UID of a node that is in. Returns 0, or -ENOMEM with none set. */
int cluster_set_node_uid(struct cluster_node *node, const char *uid);

/* Whether a node that is in has the addresses that its object (core v1) tells. */
bool cluster_node_has_addresses(const struct cluster_node *node, const cJSON *object);

/* Sets them. Returns 0, or -ENOMEM with them as they were. */
int cluster_set_node_addresses(struct cluster_node *node, const cJSON *object);
void cluster_remove_node(struct cluster *cluster, const char *name);

/* Frees all that it holds; the cluster is empty afterwards. */
void cluster_clear(struct cluster *cluster);

#endif
