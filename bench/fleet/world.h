/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A cluster that exists on paper: nodes, pods, policies, Services and namespaces of any number,
 * kept as a few bytes each and written as the JSON of the API when somebody asks, with a log of all
 * changes for watches.
 *
 * Each node has one pod of the agent and one of the DaemonSet "log" in the namespace "everywhere";
 * the others belong to as many Deployments as there are policies, but one, five to a namespace,
 * spread over all nodes. Each Deployment has a policy of its own, and the last policy selects the
 * DaemonSet. So every pod but the agents' is selected, by one policy.
 */
#ifndef SKEP_BENCH_FLEET_WORLD_H
#define SKEP_BENCH_FLEET_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/text.h"

#define WORLD_NAMESPACE_POLICIES 5 /* of one namespace, as many as its Deployments */
#define WORLD_NAME_SIZE		 64
#define WORLD_SETTINGS		 3 /* that edits of a policy go through in turn */

enum world_kind {
	WORLD_POLICIES,
	WORLD_PODS,
	WORLD_NODES,
	WORLD_SERVICES,
	WORLD_NAMESPACES,
};
#define WORLD_KINDS 5

struct world_sizes {
	uint32_t counts[WORLD_KINDS]; /* namespaces and Services follow from the policies */
};

/* Where a pod is in its life. */
enum world_stage { STAGE_RUNNING, STAGE_ABSENT, STAGE_PENDING, STAGE_SCHEDULED, STAGE_ENDING };

struct world_object {
	uint64_t version;
	uint32_t incarnation; /* of a pod, how often it was replaced; of a policy, its generation */
	uint8_t stage;	      /* of a pod */
	char *status;	      /* of a policy, as it was written; NULL at first */
};

enum world_change_type { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };

struct world_change {
	uint64_t version;
	uint32_t index;
	uint32_t incarnation;
	uint8_t kind;
	uint8_t type;
	uint8_t stage;
};

struct world {
	struct world_sizes sizes;
	bool hidden[WORLD_KINDS]; /* there are none yet, for measuring without */
	struct world_object *objects[WORLD_KINDS];
	uint64_t version; /* of the last change */
	struct world_change *changes;
	size_t change_count, change_room;
	void (*changed)(void *context); /* there are new changes */
	void *context;
};

/* All of it is hidden at first. */
void world_make(struct world *world, const struct world_sizes *sizes);
void world_free(struct world *world);

/* Writes an object in the state that `object` tells: the one that it has now, or had. */
void world_write(const struct world *world, enum world_kind kind, uint32_t index,
		 const struct world_object *object, struct text *out);

/* Whether an object is there for lists. */
bool world_has(const struct world *world, enum world_kind kind, uint32_t index);

/*
 * Ends the hiding of a kind, which world_make() began. Each object of it is a change: it is added,
 * and a pod goes on to run.
 */
void world_reveal(struct world *world, enum world_kind kind);

/* Edits a policy: its Exec probe now has the arguments that world_arguments() tells. */
void world_edit_policy(struct world *world, uint32_t policy);

/* The word that stands in a policy of this generation. */
const char *world_arguments(uint32_t generation);

/*
 * Keeps the status (JSON) of the policy of this namespace and name. Says whether it is another one
 * than before; that it changed is to be told by world_tell_policy() where the world is the truth.
 */
bool world_set_status(struct world *world, const char *namespace, const char *name,
		      const char *status);
void world_tell_policy(struct world *world, const char *namespace, const char *name);

/* Whether the status of a policy says that it is Ready in its present generation. */
bool world_policy_is_ready(const struct world *world, uint32_t policy);

/* A heartbeat of a node's kubelet: only its status changes. */
void world_beat_node(struct world *world, uint32_t node);

/* Moves a pod to a stage; to ABSENT ends it, and what comes after that is its successor. */
void world_move_pod(struct world *world, uint32_t pod, enum world_stage stage);

/* Where a pod is, whose it is. */
uint32_t world_node_of(const struct world *world, uint32_t pod);
uint32_t world_agent_pod(const struct world *world, uint32_t node);

/* The policy that selects a pod, or the count of policies for none. */
uint32_t world_policy_of(const struct world *world, uint32_t pod);

/* How many pods a policy selects, all of which are on different nodes. */
uint32_t world_selected(const struct world *world, uint32_t policy);

/* Reads whose pod's name it is, and which of those that were there in turn. */
bool world_read_pod_name(const char *name, uint32_t *ret_pod, uint32_t *ret_incarnation);

/* "pods" and the like, as they stand in paths. */
const char *world_kind_name(enum world_kind kind);

/* Names of objects, and the UIDs that pods have where nobody else gives them. */
void world_node_name(uint32_t node, char name[WORLD_NAME_SIZE]);
void world_pod_uid(uint32_t pod, uint32_t incarnation, char uid[WORLD_NAME_SIZE]);

#endif
