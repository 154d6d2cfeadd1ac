// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/peer_cache.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#define TOUCH_MS 30000 /* a use is noted at most this often: the order need not be exact */

static const struct peer_identity nobody = {"Unknown", "", "", false};
static const struct peer_identity outside = {"External", "", "", true};

struct cached_peer {
	struct ip_address address;
	uint64_t wanted_at;
	uint64_t used_at;
	bool asked; /* on this connection */
	bool answered;
	struct peer_identity identity;
	char *names;			 /* owned: what the identity points into; NULL: constants */
	struct cached_peer *prev, *next; /* of those to be asked */
	UT_hash_handle hh;
};

static struct cached_peer *find(struct cached_peer *peers, const struct ip_address *address)
{
	struct cached_peer *peer;

	HASH_FIND(hh, peers, address, sizeof(*address), peer);
	return peer;
}

static void free_peer(struct cached_peer *peer)
{
	free(peer->names);
	free(peer);
}

static void clear(struct cached_peer **peers)
{
	struct cached_peer *peer, *next;

	HASH_ITER(hh, *peers, peer, next) {
		HASH_DEL(*peers, peer);
		free_peer(peer);
	}
}

/*
 * Lets go of an address; the operator is told of it if it was asked. Without memory for that, it
 * goes on telling of it until the connection ends, and nobody listens.
 */
static void forget(struct peer_cache *cache, struct cached_peer *peer)
{
	HASH_DEL(cache->peers, peer);
	if (!peer->asked) {
		DL_DELETE(cache->unasked, peer);
		free_peer(peer);
		return;
	}
	HASH_ADD(hh, cache->forgotten, address, sizeof(peer->address), peer);
	if (!is_in_table(peer))
		free_peer(peer);
}

/* It is wanted again before the operator was told: it need not be, but must answer again. */
static void recall(struct peer_cache *cache, const struct ip_address *address)
{
	struct cached_peer *peer = find(cache->forgotten, address);

	if (!peer)
		return;
	HASH_DEL(cache->forgotten, peer);
	free_peer(peer);
}

static struct cached_peer *add(struct peer_cache *cache, const struct ip_address *address,
			       uint64_t now)
{
	struct cached_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	recall(cache, address);
	if (HASH_COUNT(cache->peers) >= PEER_CACHE_LIMIT)
		forget(cache, cache->peers);
	peer->address = *address;
	peer->wanted_at = now;
	peer->used_at = now;
	peer->identity = nobody;
	HASH_ADD(hh, cache->peers, address, sizeof(peer->address), peer);
	if (!is_in_table(peer)) {
		free(peer);
		return NULL;
	}
	DL_APPEND(cache->unasked, peer);
	return peer;
}

/* Moves it to the end of the table's order. */
static void touch(struct peer_cache *cache, struct cached_peer *peer, uint64_t now)
{
	if (now - peer->used_at < TOUCH_MS)
		return;
	peer->used_at = now;
	table_move_to_end(cache->peers, peer);
}

bool peer_cache_find(struct peer_cache *cache, const struct ip_address *address, uint64_t now,
		     struct peer_identity *ret_identity)
{
	struct cached_peer *peer = find(cache->peers, address);

	if (peer)
		touch(cache, peer, now);
	else
		peer = add(cache, address, now);
	if (peer && !peer->answered && now - peer->wanted_at < PEER_CACHE_ANSWER_MS)
		return false;
	*ret_identity = peer ? peer->identity : nobody;
	return true;
}

void peer_cache_expire(struct peer_cache *cache, uint64_t now)
{
	while (cache->peers && now - cache->peers->used_at >= PEER_CACHE_IDLE_MS)
		forget(cache, cache->peers);
}

bool peer_cache_has_lookup(const struct peer_cache *cache)
{
	return cache->unasked || cache->forgotten;
}

bool peer_cache_next_lookup(struct peer_cache *cache, struct lookup *ret_lookup)
{
	ret_lookup->address_count = 0;
	ret_lookup->forget_count = 0;
	while (cache->unasked && ret_lookup->address_count < LOOKUP_LIMIT) {
		struct cached_peer *peer = cache->unasked;

		DL_DELETE(cache->unasked, peer);
		peer->asked = true;
		ret_lookup->addresses[ret_lookup->address_count++] = peer->address;
	}
	while (cache->forgotten && ret_lookup->forget_count < LOOKUP_LIMIT) {
		struct cached_peer *peer = cache->forgotten;

		ret_lookup->forget[ret_lookup->forget_count++] = peer->address;
		HASH_DEL(cache->forgotten, peer);
		free_peer(peer);
	}
	return ret_lookup->address_count + ret_lookup->forget_count > 0;
}

void peer_cache_ask_again(struct peer_cache *cache)
{
	struct cached_peer *peer;

	clear(&cache->forgotten);
	for (peer = cache->peers; peer; peer = peer->hh.next) {
		if (!peer->asked)
			continue;
		peer->asked = false;
		DL_APPEND(cache->unasked, peer);
	}
}

/* As the labels of series name it: a pod by its workload. */
static struct peer_identity identity_of(const struct peer *answer)
{
	if (answer->kind == PEER_UNKNOWN)
		return nobody;
	if (answer->kind == PEER_EXTERNAL)
		return outside;
	if (answer->kind == PEER_POD)
		return (struct peer_identity){answer->workload_kind, answer->namespace,
					      answer->workload_name, false};
	return (struct peer_identity){peer_kind_name(answer->kind),
				      answer->kind == PEER_SERVICE ? answer->namespace : "",
				      answer->name, false};
}

static bool is_same(const struct peer_identity *a, const struct peer_identity *b)
{
	return a->is_outside == b->is_outside && strcmp(a->kind, b->kind) == 0 &&
	       strcmp(a->namespace, b->namespace) == 0 && strcmp(a->name, b->name) == 0;
}

bool peer_cache_is_news(const struct peer_cache *cache, const struct peer *answer)
{
	const struct cached_peer *peer = find(cache->peers, &answer->address);
	const struct peer_identity identity = identity_of(answer);

	return peer && peer->answered && !is_same(&peer->identity, &identity);
}

/* Copies a string to `*end`, behind what is there. */
static const char *put(char **end, const char *string)
{
	char *start = *end;

	*end = stpcpy(start, string) + 1;
	return start;
}

/* Keeps a copy; without memory for it, the address goes on as it was. */
static void keep(struct cached_peer *peer, const struct peer_identity *identity)
{
	char *names = malloc(strlen(identity->kind) + strlen(identity->namespace) +
			     strlen(identity->name) + 3);
	char *end = names;

	if (!names)
		return;
	free(peer->names);
	peer->names = names;
	peer->identity.kind = put(&end, identity->kind);
	peer->identity.namespace = put(&end, identity->namespace);
	peer->identity.name = put(&end, identity->name);
	peer->identity.is_outside = identity->is_outside;
	peer->answered = true;
}

void peer_cache_answer(struct peer_cache *cache, const struct peer *answer)
{
	struct cached_peer *peer = find(cache->peers, &answer->address);
	const struct peer_identity identity = identity_of(answer);

	if (!peer || (peer->answered && is_same(&peer->identity, &identity)))
		return;
	keep(peer, &identity);
}

size_t peer_cache_count(const struct peer_cache *cache)
{
	return HASH_COUNT(cache->peers);
}

void peer_cache_clear(struct peer_cache *cache)
{
	clear(&cache->forgotten);
	clear(&cache->peers);
	cache->unasked = NULL;
}
