/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Which address is whose: of pods, Services and nodes, both families. Where several claim one
 * address, pods go before cluster addresses of Services, these before nodes, and those before
 * external addresses, which whoever may edit a Service may write. No I/O.
 */
#ifndef SKEP_OPERATOR_ADDRESSES_H
#define SKEP_OPERATOR_ADDRESSES_H

#include "lib/base/pointer_set.h"
#include "lib/link/peers.h"
#include "lib/net/address.h"
#include "operator/cluster.h"
#include "operator/pod.h"
#include "operator/service.h"

struct addresses {
	struct pointer_set holders; /* the first one of each address */
	/* Somebody else holds the address now, or nobody. May be NULL. */
	void (*changed)(void *context, const struct ip_address *address);
	void *context;
};

/*
 * Adds what an object holds; it must stay as it is until it is taken out again. Returns 0 or
 * -ENOMEM: what has been added by then stays and is taken out with the rest.
 */
int addresses_add_pod(struct addresses *addresses, const struct pod *pod);
int addresses_add_service(struct addresses *addresses, const struct service *service);
int addresses_add_node(struct addresses *addresses, const struct cluster_node *node);

/* Takes out what was added. */
void addresses_take_pod(struct addresses *addresses, const struct pod *pod);
void addresses_take_service(struct addresses *addresses, const struct service *service);
void addresses_take_node(struct addresses *addresses, const struct cluster_node *node);

/* Puts another version of a pod in the place of one that holds the same (pod_holds_same()). */
void addresses_renew_pod(struct addresses *addresses, const struct pod *old, const struct pod *pod);

/* Whose an address is; PEER_EXTERNAL if nobody's. Strings belong to the holder. */
struct peer addresses_find(const struct addresses *addresses, const struct ip_address *address);

/* Forgets all; nothing is told to be changed. */
void addresses_clear(struct addresses *addresses);

#endif
