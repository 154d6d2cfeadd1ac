/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Makes lookups of the messages of one target: which answer belongs to which query, what was asked
 * again, what was never answered, which names the resolver made itself. Pure: time comes in with
 * the messages, in ns of CLOCK_MONOTONIC.
 *
 * A query is known by the client's port, its id, the question and the transport; not by the
 * server's address, which address translation may change between query and answer, and because
 * musl sends one query to all servers at once and takes the first answer.
 */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_TRACKER_H
#define SKEP_NODE_AGENT_PROBES_DNS_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node-agent/probes/dns_message.h"
#include "node-agent/budget/namespaces.h"

#define DNS_TIMEOUT_NS 5000000000ULL /* without an answer, a query has failed then */
/* Until then it is known, for what is sent again (glibc does so after 5 s) or comes late. */
#define DNS_MEMORY_NS 10000000000ULL
/* The same query to another server so soon is a copy of it (musl), no retry. */
#define DNS_COPY_NS 100000000ULL
/*
 * The same question under another id is a retry of a query that has waited that long (no resolver
 * loses patience sooner); before, it is of somebody else in the pod who asks the same.
 */
#define DNS_PATIENCE_NS 250000000ULL
/* A name that does not exist waits so long to be told, for the resolver's next step to show. */
#define DNS_SEARCH_NS 1000000000ULL

#define DNS_NODE_LIMIT                                                                             \
	4096 /* queries that are known at one time on a node; see struct dns_budget */
#define DNS_TARGET_LIMIT 1024 /* of one target */
#define DNS_SEARCH_LIMIT 32   /* of these, names that do not exist */

/*
 * What the trackers of a node share: how many queries they know, together and those of each
 * namespace, which has its share (bpf/lib/share.h). Zeroed at the start.
 */
struct dns_budget {
	size_t used;
	struct namespaces namespaces;
};

/* A message as it passed. */
struct dns_sighting {
	uint64_t time;
	uint64_t container;
	uint64_t lost; /* messages of the target that had been lost before */
	uint8_t server[16];
	uint16_t client_port;
	bool tcp;
	const struct dns_message *message;
};

/* A lookup that has ended, or a query that has had its time. */
struct dns_lookup {
	const char *name; /* as it was asked on the wire */
	/*
	 * The resolver made the name of its first so many characters, which are what the
	 * application asked for, and there is none; 0: not so.
	 */
	size_t search;
	uint16_t type;
	bool tcp;
	uint8_t server[16]; /* that was asked last */
	uint64_t container;
	uint64_t asked; /* when */
	bool timed_out;
	uint64_t duration; /* ns until the answer; until now, of one that timed out */
	uint16_t code;	   /* of the answer */
	bool truncated;
	uint32_t resent;  /* retries that were not told before */
	uint32_t retries; /* all of the question, whatever its ids */
	uint64_t lost;	  /* as when the query was sent */
};

/* Takes a lookup; gone when the function returns. */
typedef void dns_tracker_tell(void *context, const struct dns_lookup *lookup);

struct dns_tracker;

/*
 * Of a target in `namespace` (copied). Borrows the budget. NULL: no memory.
 */
struct dns_tracker *dns_tracker_new(const char *namespace, struct dns_budget *budget,
				    dns_tracker_tell *tell, void *context);

/* Tells what is known by now; what is open is forgotten. Returns NULL. */
struct dns_tracker *dns_tracker_free(struct dns_tracker *tracker);

/* Takes a query in. */
void dns_tracker_ask(struct dns_tracker *tracker, const struct dns_sighting *query);

/* Takes an answer in. Returns whether a query waited for it. */
bool dns_tracker_answer(struct dns_tracker *tracker, const struct dns_sighting *answer);

/* Tells what has timed out by now. */
void dns_tracker_advance(struct dns_tracker *tracker, uint64_t now);

/* Queries that had to be forgotten for want of room. */
uint64_t dns_tracker_forgotten(const struct dns_tracker *tracker);

#endif
