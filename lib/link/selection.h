/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The selection of a node: which of its pods are to be observed and how. The operator compiles it,
 * the link carries it, the agent carries it out. Here are its parts and their JSON.
 */
#ifndef SKEP_LIB_LINK_SELECTION_H
#define SKEP_LIB_LINK_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/base/strings.h"
#include "lib/intent/budget.h"
#include "lib/intent/intent.h"

#define SELECTION_STRING_LIMIT	   253	/* bytes of a name, kind, UID or container ID */
#define SELECTION_CONTAINERS_LIMIT 128	/* containers of one pod */
#define SELECTION_POLICIES_LIMIT   256	/* policies on one pod */
#define SELECTION_NAMES_LIMIT	   8192 /* bytes of their names together */
#define SELECTION_BUDGETS_LIMIT	   SELECTION_POLICIES_LIMIT

/* One probe on one pod: the union of what all policies ask of it. */
struct selected_probe {
	bool wanted;
	struct strings containers; /* only these, sorted by name; empty: every one */
	struct strings policies;   /* that ask for it, "namespace/name" or "name", sorted */
	union probe_settings settings;
};

/* A container that has been started: its name in the pod and its ID at the runtime. */
struct selected_container {
	char *name;
	char *id; /* without "containerd://" */
};

/* What one of the policies may take of the node. */
struct selected_budget {
	char *policy;
	struct budget budget;
};

struct selected_pod {
	char *uid;
	char *namespace;
	char *name;
	char *workload_kind; /* "Deployment"; "Pod" for a pod of nobody */
	char *workload_name;
	struct selected_container *containers;
	size_t container_count;
	struct selected_probe probes[PROBE_TYPES]; /* by enum probe_type */
	struct selected_budget *budgets; /* of its policies that have one, sorted by policy */
	size_t budget_count;
	bool crowded; /* more policies ask than one pod can have; not sent */
};

/*
 * Returns 0 with *ret_pod (owned by the caller), or -EINVAL for what is no selected pod, -ENOMEM.
 */
int selected_pod_decode(const cJSON *json, struct selected_pod **ret_pod, struct error *error);

/* Adds the budget of a policy (copied). Returns 0 or -ENOMEM. */
int selected_pod_add_budget(struct selected_pod *pod, const char *policy,
			    const struct budget *budget);

/* The pod as JSON, owned by the caller; NULL when memory ran out. */
cJSON *selected_pod_encode(const struct selected_pod *pod);

/* Both not wanted, or the same in every part. */
bool selected_probe_equal(enum probe_type type, const struct selected_probe *a,
			  const struct selected_probe *b);

/* Same in every part, names of containers and policies included. */
bool selected_pod_equal(const struct selected_pod *a, const struct selected_pod *b);

/* Returns NULL. */
struct selected_pod *selected_pod_free(struct selected_pod *pod);

#endif
