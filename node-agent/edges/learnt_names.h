/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The names by which pods looked addresses up, each pod for itself: two pods may know one address
 * by different names. Pure; time comes in.
 */
#ifndef SKEP_NODE_AGENT_EDGES_LEARNT_NAMES_H
#define SKEP_NODE_AGENT_EDGES_LEARNT_NAMES_H

#include <stdint.h>

#include "lib/base/table.h"

#include "lib/net/address.h"

#define LEARNT_NAMES_POD_LIMIT 256    /* of one pod; the one not used longest makes room */
#define LEARNT_NAMES_LIMIT     8192   /* of all pods; likewise, of the namespace that has most */
#define LEARNT_NAMES_SIZE      254    /* of a name, its NUL included (RFC 1035, 3.1: 253 as text) */
#define LEARNT_NAMES_KEEP_MS   300000 /* a name outlives its last use by so much, */
#define LEARNT_NAMES_TTL_LIMIT 86400  /* and its lookup by its TTL, up to so many seconds */

struct name_pod;
struct name_namespace;

/* A zeroed struct is empty. */
struct learnt_names {
	struct name_pod *pods;		   /* by UID */
	struct name_namespace *namespaces; /* of these pods, by name */
	size_t count;
};

/*
 * The pod, of this namespace, has looked up `name` and got the address. What is no printable ASCII,
 * or too long for a name, is not learnt.
 */
void learnt_names_add(struct learnt_names *names, const char *namespace, const char *pod_uid,
		      const struct ip_address *address, const char *name, uint32_t ttl_s,
		      uint64_t now);

/* The name by which the pod looked the address up last, "" for none; the table's, until it changes.
 */
const char *learnt_names_find(struct learnt_names *names, const char *pod_uid,
			      const struct ip_address *address, uint64_t now);

/* The pod has gone. */
void learnt_names_forget_pod(struct learnt_names *names, const char *pod_uid);

/* The table is empty afterwards. */
void learnt_names_clear(struct learnt_names *names);

#endif
