// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/review_cache.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

_Static_assert(REVIEW_DIGEST_SIZE == SHA256_DIGEST_LENGTH, "a digest must fit");

/* Both strings count with their NULs, so that no two pairs are the same bytes. */
static struct review_key digest_of(char kind, const char *first, const char *second)
{
	size_t first_size = strlen(first) + 1, second_size = strlen(second) + 1;
	size_t size = 1 + first_size + second_size;
	unsigned char *bytes = malloc(size);
	struct review_key key = {{0}};

	if (!bytes)
		return key;
	bytes[0] = (unsigned char)kind;
	memcpy(bytes + 1, first, first_size);
	memcpy(bytes + 1 + first_size, second, second_size);
	if (!SHA256(bytes, size, key.digest))
		key = (struct review_key){{0}};
	explicit_bzero(bytes, size);
	free(bytes);
	return key;
}

struct review_key review_key_of_token(const char *token)
{
	return digest_of('t', token, "");
}

struct review_key review_key_of_right(const char *user, const char *namespace)
{
	return digest_of('r', user, namespace);
}

/* The key of what could not be computed for want of memory: it stands for nothing. */
static bool is_empty(const struct review_key *key)
{
	static const struct review_key empty;

	return memcmp(key, &empty, sizeof(empty)) == 0;
}

static void review_free(struct review *review)
{
	cJSON_Delete(review->user);
	free(review->why);
	free(review);
}

static void drop(struct review_cache *cache, struct review *review)
{
	HASH_DEL(cache->reviews, review);
	review_free(review);
}

static struct review *find(const struct review_cache *cache, const struct review_key *key)
{
	struct review *review;

	HASH_FIND(hh, cache->reviews, key, sizeof(*key), review);
	return review;
}

const struct review *review_cache_find(struct review_cache *cache, const struct review_key *key,
				       uint64_t now_ms)
{
	struct review *review = find(cache, key);

	if (!review || now_ms < review->until_ms)
		return review;
	drop(cache, review);
	return NULL;
}

void review_cache_keep(struct review_cache *cache, const struct review_key *key, bool good,
		       const cJSON *user, const char *why, uint64_t now_ms)
{
	struct review *old = find(cache, key), *review;

	if (is_empty(key))
		return;
	if (old)
		drop(cache, old);
	if (HASH_COUNT(cache->reviews) >= REVIEW_CACHE_LIMIT)
		drop(cache, cache->reviews);
	review = calloc(1, sizeof(*review));
	if (!review)
		return;
	review->key = *key;
	review->until_ms = now_ms + REVIEW_KEPT_MS;
	review->good = good;
	review->user = user ? cJSON_Duplicate(user, true) : NULL;
	review->why = why ? strdup(why) : NULL;
	if ((!user || review->user) && (!why || review->why))
		HASH_ADD(hh, cache->reviews, key, sizeof(review->key), review);
	if (!is_in_table(review))
		review_free(review);
}

void review_cache_clear(struct review_cache *cache)
{
	struct review *review, *next;

	HASH_ITER(hh, cache->reviews, review, next)
		drop(cache, review);
}
