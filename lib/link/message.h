/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The messages of the link (docs/protocol.md): hello, report, lookup, edges, node and token from
 * the agent, snapshot, delta and peers from the operator. Reports are in report.h, lookups and
 * peers in peers.h, edges in edges.h, what is said of a node in node_facts.h.
 */
#ifndef SKEP_LIB_LINK_MESSAGE_H
#define SKEP_LIB_LINK_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/intent/intent.h"

#define LINK_PROTOCOL_VERSION 1
#define LINK_TOKEN_LIMIT      6144 /* bytes of a token; it travels in one header as well */

enum message_type {
	MESSAGE_HELLO,
	MESSAGE_SNAPSHOT,
	MESSAGE_DELTA,
	MESSAGE_REPORT,
	MESSAGE_LOOKUP,
	MESSAGE_PEERS,
	MESSAGE_EDGES,
	MESSAGE_TOKEN,
	MESSAGE_NODE,
};

/* The type of a message; -EINVAL with a message for one that has none or an unknown one. */
int message_type_decode(const cJSON *message, enum message_type *ret_type, struct error *error);

/* {"type": ...}, owned by the caller; NULL when memory ran out. */
cJSON *message_new(enum message_type type);

/*
 * Where a selection stands. Revisions count the changes of one node's selection under one epoch
 * (one run of an operator); they are compared within an epoch only.
 */
struct selection_version {
	const char *epoch; /* "" before the first */
	uint64_t revision;
};

/* What an agent says first. Strings belong to the JSON or to the caller. */
struct hello {
	int protocol;
	const char *node;
	const char *agent_version;
	const char *kernel; /* release, as uname -r prints it */
	struct selection_version applied;
};

int hello_decode(const cJSON *message, struct hello *ret_hello, struct error *error);
cJSON *hello_encode(const struct hello *hello);

/* {"type": "token", "token": "..."}, by which an agent shows again who it is. NULL: no memory. */
cJSON *token_encode(const char *token);
int token_decode(const cJSON *message, const char **ret_token, struct error *error);

/* {"type": "snapshot", epoch, revision, "pods": [...]}; takes `pods`, an array. NULL: no memory. */
cJSON *snapshot_encode(const struct selection_version *version, cJSON *pods);

/* {"type": "delta", epoch, "from", revision, "upsert": [...], "remove": [uid ...]}; takes both. */
cJSON *delta_encode(const struct selection_version *version, uint64_t from, cJSON *upsert,
		    cJSON *remove);

/* What a snapshot or a delta holds; all of it belongs to the JSON. */
struct selection_change {
	bool snapshot;
	struct selection_version version;
	uint64_t from;	     /* a delta's: the revision that it builds on */
	const cJSON *upsert; /* array of selected pods; all pods in a snapshot */
	const cJSON *remove; /* array of UIDs, NULL in a snapshot */
};

int selection_change_decode(const cJSON *message, struct selection_change *ret_change,
			    struct error *error);

#endif
