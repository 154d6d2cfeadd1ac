// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/addresses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What makes an address an object's; the greater one goes first. */
enum claim { CLAIM_EXTERNAL, CLAIM_NODE, CLAIM_CLUSTER, CLAIM_POD };

struct address_holder {
	struct ip_address address;
	enum claim claim;
	union {
		const void *object;
		const struct pod *pod;
		const struct service *service;
		const struct cluster_node *node;
	};
	struct address_holder *next; /* another one of the same address */
};

static uint64_t holder_hash(const void *item)
{
	const struct address_holder *holder = item;

	return pointer_set_hash(&holder->address, sizeof(holder->address));
}

static bool holder_equal(const void *item, const void *address)
{
	const struct address_holder *holder = item;

	return memcmp(&holder->address, address, sizeof(holder->address)) == 0;
}

static const struct pointer_set_kind holders_kind = {holder_hash, holder_equal};

static struct address_holder *find_first(const struct addresses *addresses,
					 const struct ip_address *address)
{
	return pointer_set_find(&addresses->holders, &holders_kind, address,
				pointer_set_hash(address, sizeof(*address)));
}

/* A pod that was started later got the address from one that is over, whatever its status says. */
static bool pod_goes_before(const struct pod *a, const struct pod *b)
{
	if (a->started != b->started)
		return a->started > b->started;
	return strcmp(a->uid, b->uid) > 0;
}

/* A Service that was there first cannot be robbed. */
static bool service_goes_before(const struct service *a, const struct service *b)
{
	if (a->created != b->created)
		return a->created < b->created;
	return strcmp(a->id, b->id) < 0;
}

static bool goes_before(const struct address_holder *a, const struct address_holder *b)
{
	if (a->claim != b->claim)
		return a->claim > b->claim;
	switch (a->claim) {
	case CLAIM_POD:
		return pod_goes_before(a->pod, b->pod);
	case CLAIM_NODE:
		return strcmp(a->node->name, b->node->name) < 0;
	default:
		return service_goes_before(a->service, b->service);
	}
}

static const struct address_holder *find_best(const struct addresses *addresses,
					      const struct ip_address *address)
{
	const struct address_holder *best = find_first(addresses, address), *holder;

	for (holder = best; holder; holder = holder->next)
		if (goes_before(holder, best))
			best = holder;
	return best;
}

static void tell(const struct addresses *addresses, const struct ip_address *address)
{
	if (addresses->changed)
		addresses->changed(addresses->context, address);
}

static int add(struct addresses *addresses, const struct ip_address *address, enum claim claim,
	       const void *object)
{
	struct address_holder *holder = calloc(1, sizeof(*holder));
	struct address_holder *first = find_first(addresses, address);

	if (!holder)
		return -ENOMEM;
	holder->address = *address;
	holder->claim = claim;
	holder->object = object;
	if (first) {
		holder->next = first->next;
		first->next = holder;
	} else if (pointer_set_add(&addresses->holders, &holders_kind, holder) < 0) {
		free(holder);
		return -ENOMEM;
	}
	if (find_best(addresses, address) == holder)
		tell(addresses, address);
	return 0;
}

static int add_all(struct addresses *addresses, const struct ip_address list[], size_t count,
		   enum claim claim, const void *object)
{
	int result = 0;

	for (size_t i = 0; i < count && result == 0; i++)
		result = add(addresses, &list[i], claim, object);
	return result;
}

/* Takes a holder out of the others of its address; `link` is what leads to it. */
static void unlink_holder(struct addresses *addresses, struct address_holder *holder,
			  struct address_holder **link)
{
	if (link) {
		*link = holder->next;
		return;
	}
	if (holder->next)
		pointer_set_replace(&addresses->holders, &holders_kind, holder, holder->next);
	else
		pointer_set_remove(&addresses->holders, &holders_kind, holder);
}

/* Finds the holder of an address on behalf of an object; *ret_link is NULL for the first one. */
static struct address_holder *find_holder(const struct addresses *addresses,
					  const struct ip_address *address, enum claim claim,
					  const void *object, struct address_holder ***ret_link)
{
	struct address_holder *holder = find_first(addresses, address);

	*ret_link = NULL;
	while (holder && (holder->claim != claim || holder->object != object)) {
		*ret_link = &holder->next;
		holder = holder->next;
	}
	return holder;
}

static void take(struct addresses *addresses, const struct ip_address *address, enum claim claim,
		 const void *object)
{
	struct address_holder **link;
	struct address_holder *holder = find_holder(addresses, address, claim, object, &link);
	bool was_best;

	if (!holder)
		return;
	was_best = find_best(addresses, address) == holder;
	unlink_holder(addresses, holder, link);
	free(holder);
	if (was_best)
		tell(addresses, address);
}

static void take_all(struct addresses *addresses, const struct ip_address list[], size_t count,
		     enum claim claim, const void *object)
{
	for (size_t i = 0; i < count; i++)
		take(addresses, &list[i], claim, object);
}

int addresses_add_pod(struct addresses *addresses, const struct pod *pod)
{
	return add_all(addresses, pod->addresses, pod->address_count, CLAIM_POD, pod);
}

void addresses_take_pod(struct addresses *addresses, const struct pod *pod)
{
	take_all(addresses, pod->addresses, pod->address_count, CLAIM_POD, pod);
}

void addresses_renew_pod(struct addresses *addresses, const struct pod *old, const struct pod *pod)
{
	struct address_holder **link;

	for (size_t i = 0; i < old->address_count; i++) {
		struct address_holder *holder =
			find_holder(addresses, &old->addresses[i], CLAIM_POD, old, &link);

		if (holder)
			holder->pod = pod;
	}
}

int addresses_add_service(struct addresses *addresses, const struct service *service)
{
	int result = add_all(addresses, service->cluster, service->cluster_count, CLAIM_CLUSTER,
			     service);

	if (result < 0)
		return result;
	return add_all(addresses, service->external, service->external_count, CLAIM_EXTERNAL,
		       service);
}

void addresses_take_service(struct addresses *addresses, const struct service *service)
{
	take_all(addresses, service->cluster, service->cluster_count, CLAIM_CLUSTER, service);
	take_all(addresses, service->external, service->external_count, CLAIM_EXTERNAL, service);
}

int addresses_add_node(struct addresses *addresses, const struct cluster_node *node)
{
	return add_all(addresses, node->addresses, node->address_count, CLAIM_NODE, node);
}

void addresses_take_node(struct addresses *addresses, const struct cluster_node *node)
{
	take_all(addresses, node->addresses, node->address_count, CLAIM_NODE, node);
}

static void name_holder(const struct address_holder *holder, struct peer *peer)
{
	switch (holder->claim) {
	case CLAIM_POD:
		peer->kind = PEER_POD;
		peer->namespace = holder->pod->namespace;
		peer->name = holder->pod->name;
		peer->uid = holder->pod->uid;
		peer->workload_kind = holder->pod->workload_kind;
		peer->workload_name = holder->pod->workload_name;
		return;
	case CLAIM_NODE:
		peer->kind = PEER_NODE;
		peer->name = holder->node->name;
		return;
	case CLAIM_CLUSTER:
	case CLAIM_EXTERNAL:
		peer->kind = PEER_SERVICE;
		peer->namespace = holder->service->namespace;
		peer->name = holder->service->name;
	}
}

struct peer addresses_find(const struct addresses *addresses, const struct ip_address *address)
{
	const struct address_holder *holder = find_best(addresses, address);
	struct peer peer = {
		.address = *address,
		.kind = PEER_EXTERNAL,
		.namespace = "",
		.name = "",
		.uid = "",
		.workload_kind = "",
		.workload_name = "",
	};

	if (holder)
		name_holder(holder, &peer);
	return peer;
}

void addresses_clear(struct addresses *addresses)
{
	for (size_t i = 0; i < addresses->holders.capacity; i++) {
		struct address_holder *holder = addresses->holders.slots[i];

		while (holder) {
			struct address_holder *next = holder->next;

			free(holder);
			holder = next;
		}
	}
	pointer_set_free(&addresses->holders);
}
