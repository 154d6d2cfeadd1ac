/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the operator keeps of a Service: its addresses, and which pods and ports are behind it. */
#ifndef SKEP_OPERATOR_SERVICE_H
#define SKEP_OPERATOR_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/net/address.h"
#include "operator/labels.h"

/* Bounds on what one object may cost; more is left out. */
#define SERVICE_CLUSTER_ADDRESSES_LIMIT	 2 /* one of each family */
#define SERVICE_EXTERNAL_ADDRESSES_LIMIT 16
#define SERVICE_PORTS_LIMIT		 128

struct service_port {
	char protocol[8]; /* "tcp", "udp", "sctp" */
	uint16_t port;
	uint16_t target; /* 0: a name, which each pod may give another number */
};

struct service {
	char *id; /* "namespace/name" */
	char *namespace;
	char *name;
	int64_t created; /* seconds since 1970 */
	struct ip_address cluster[SERVICE_CLUSTER_ADDRESSES_LIMIT];
	size_t cluster_count;
	struct ip_address *external; /* external and load-balancer addresses */
	size_t external_count;
	struct labels selector; /* empty: what is behind it is not told by labels */
	struct service_port *ports;
	size_t port_count;

	UT_hash_handle hh; /* cluster: by id */
};

/* Keeps what is needed of a Service (core v1). Returns 0, -EINVAL for no Service, -ENOMEM. */
int service_decode(const cJSON *object, struct service **ret_service);

/* Whether two versions of a Service are the same in all that is kept. */
bool service_equal(const struct service *a, const struct service *b);

/* The port of this number and protocol, or NULL. */
const struct service_port *service_find_port(const struct service *service, const char *protocol,
					     uint16_t port);

/* Returns NULL. The Service must be in no table. */
struct service *service_free(struct service *service);

#endif
