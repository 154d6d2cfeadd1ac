/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Whose the addresses are that this node's pods talk to, as the operator says: what must be asked,
 * what was answered, what is needed no more. Pure: time comes in, messages go through others.
 */
#ifndef SKEP_NODE_AGENT_EDGES_PEER_CACHE_H
#define SKEP_NODE_AGENT_EDGES_PEER_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "lib/link/peers.h"
#include "node-agent/edges/peer_identity.h"

#define PEER_CACHE_LIMIT     16384  /* addresses; the one that was not used longest makes room */
#define PEER_CACHE_ANSWER_MS 5000   /* without an answer for this long, an address is of nobody */
#define PEER_CACHE_IDLE_MS   600000 /* unused for this long, an address is forgotten */

struct cached_peer;

/* A zeroed struct is empty. */
struct peer_cache {
	struct cached_peer *peers;     /* by address; the one used longest ago first */
	struct cached_peer *unasked;   /* of these, a list of those to be asked */
	struct cached_peer *forgotten; /* by address: of these the operator must be told */
};

/*
 * Who has the address at `now` (ms). False while that is not known: it is to be asked, or was, and
 * the answer may still come.
 */
bool peer_cache_find(struct peer_cache *cache, const struct ip_address *address, uint64_t now,
		     struct peer_identity *ret_identity);

/* Forgets addresses that nobody has asked for in PEER_CACHE_IDLE_MS. */
void peer_cache_expire(struct peer_cache *cache, uint64_t now);

/*
 * What the operator is to be asked and told next: it counts as sent. False when there is nothing.
 * To be called until then, as one message is bounded.
 */
bool peer_cache_next_lookup(struct peer_cache *cache, struct lookup *ret_lookup);

/* Whether peer_cache_next_lookup() has something. */
bool peer_cache_has_lookup(const struct peer_cache *cache);

/* A new connection: all has to be asked again; what is known holds until it is answered. */
void peer_cache_ask_again(struct peer_cache *cache);

/* Whether the answer gives an address that was answered before to somebody else. */
bool peer_cache_is_news(const struct peer_cache *cache, const struct peer *answer);

/* Takes an answer in; one that nobody has asked for is nothing. */
void peer_cache_answer(struct peer_cache *cache, const struct peer *answer);

/* How many addresses there are. */
size_t peer_cache_count(const struct peer_cache *cache);

/* The cache is empty afterwards. */
void peer_cache_clear(struct peer_cache *cache);

#endif
