/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Whose address is this? The agent asks for the addresses that its pods talk to (`lookup`), the
 * operator tells whose they are, at once and whenever it changes (`peers`).
 */
#ifndef SKEP_LIB_LINK_PEERS_H
#define SKEP_LIB_LINK_PEERS_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/net/address.h"

#define LOOKUP_LIMIT	  512 /* addresses of one list of one message */
#define PEER_STRING_LIMIT 253 /* bytes of a name, kind or UID */

/* What an agent wants to know from now on, and what it needs no more. */
struct lookup {
	struct ip_address addresses[LOOKUP_LIMIT];
	size_t address_count;
	struct ip_address forget[LOOKUP_LIMIT];
	size_t forget_count;
};

/* Returns 0, or -EINVAL for too many addresses or what is none: *ret_lookup is then of no use. */
int lookup_decode(const cJSON *message, struct lookup *ret_lookup, struct error *error);

/* {"type": "lookup", ...}, owned by the caller; NULL when memory ran out. */
cJSON *lookup_encode(const struct lookup *lookup);

enum peer_kind {
	PEER_UNKNOWN, /* the operator cannot tell */
	PEER_EXTERNAL,
	PEER_NODE,
	PEER_SERVICE,
	PEER_POD,
};

const char *peer_kind_name(enum peer_kind kind);

/* Whose an address is. Strings are "" where the kind has none, and belong to who made it. */
struct peer {
	struct ip_address address;
	enum peer_kind kind;
	const char *namespace;	   /* of pods and Services */
	const char *name;	   /* of pods, Services and nodes */
	const char *uid;	   /* of pods: another pod of the same name has another */
	const char *workload_kind; /* of pods: what owns it; "Pod" for a pod of nobody */
	const char *workload_name;
};

/* One member of `peers`; -EINVAL for what is none. Its strings belong to the JSON. */
int peer_decode(const cJSON *item, struct peer *ret_peer, struct error *error);

/* The array of a message {"type": "peers"}, for peer_decode(); NULL where there is none. */
const cJSON *peers_array(const cJSON *message);

/* Appends a peer to an array that may be NULL. False: no memory. */
bool peer_encode(cJSON *array, const struct peer *peer);

/* {"type": "peers", "peers": [...]}; takes `peers`, an array that may be NULL. NULL: no memory. */
cJSON *peers_encode(cJSON *peers);

#endif
