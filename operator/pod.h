/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the operator keeps of a pod: what compiling needs, and its addresses. */
#ifndef SKEP_OPERATOR_POD_H
#define SKEP_OPERATOR_POD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/net/address.h"
#include "operator/labels.h"
#include "operator/pod_template.h"

#define POD_ADDRESSES_LIMIT 2 /* one of each family */

/* A container of the pod, init and ephemeral ones included, in the order of the pod's status. */
struct pod_container {
	const char *name;
	const char
		*id; /* at the runtime, without its scheme; NULL before the container was started */
};

/*
 * One allocation: a cluster has many. Texts lie behind it or, where the pods of a workload have
 * them in common, in the template.
 */
struct pod {
	const char *uid;
	const char *static_uid; /* of a static pod: the UID that the kubelet gave it; else NULL */
	const char *namespace;
	const char *name;
	const char *node; /* "" before it is scheduled */
	const char *workload_kind;
	const char *workload_name;
	struct pod_template *template;
	struct labels labels;		       /* the template's */
	const struct labels *namespace_labels; /* cluster: NULL before its namespace is known */
	struct pod_container *containers;
	int64_t started; /* seconds since 1970; 0 before the kubelet took it */
	/* Its own: none of a pod that is on its node's network, nor of one that has ended. */
	struct ip_address addresses[POD_ADDRESSES_LIMIT];
	uint8_t address_count;
	uint8_t container_count;
	bool finished; /* Succeeded or Failed: runs nothing any more */

	struct pod *namespace_prev, *namespace_next; /* cluster: pods of the namespace */
	struct pod *node_prev, *node_next;	     /* cluster: pods of the node */
};

/* Keeps what is needed of a Pod (core v1). Returns 0 with *ret_pod, -EINVAL for no pod, -ENOMEM. */
int pod_decode(const cJSON *object, struct pod **ret_pod);

/* The UID that the pod's cgroup is named after. */
const char *pod_cgroup_uid(const struct pod *pod);

bool pod_has_container(const struct pod *pod, const char *name);

/* Whether two versions of a pod are the same in all that is kept. */
bool pod_equal(const struct pod *a, const struct pod *b);

/* Whether two versions of a pod hold the same addresses under the same identity. */
bool pod_holds_same(const struct pod *a, const struct pod *b);

/* Lets it share its template with the others in `table`. */
void pod_share_template(struct pod *pod, struct pod_template **table);

/* Returns NULL. The pod must be in no list or table. */
struct pod *pod_free(struct pod *pod);

#endif
