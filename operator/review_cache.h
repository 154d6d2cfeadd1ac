/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What the API server said of tokens and of rights, for a short while, so that a page that asks
 * every second does not make it say so every second. Bounded; tokens are kept as digests only. No
 * I/O; time comes in as a number.
 */
#ifndef SKEP_OPERATOR_REVIEW_CACHE_H
#define SKEP_OPERATOR_REVIEW_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#define REVIEW_KEPT_MS	   10000
#define REVIEW_CACHE_LIMIT 8192 /* beyond, the oldest is dropped */
#define REVIEW_DIGEST_SIZE 32	/* SHA-256 */

struct review_key {
	uint8_t digest[REVIEW_DIGEST_SIZE];
};

struct review {
	struct review_key key;
	uint64_t until_ms;
	bool good;   /* the token holds; the right is there */
	cJSON *user; /* of a token that holds, else NULL */
	char *why;   /* of a token that does not, else NULL */
	UT_hash_handle hh;
};

struct review_cache {
	struct review *reviews; /* by key, the oldest first */
};

/* The key of a token, and of somebody's right to a namespace ("": to all). */
struct review_key review_key_of_token(const char *token);
struct review_key review_key_of_right(const char *user, const char *namespace);

/* What is known, or NULL; it belongs to the cache and lives until that changes. */
const struct review *review_cache_find(struct review_cache *cache, const struct review_key *key,
				       uint64_t now_ms);

/*
 * Keeps what the API server said; `user` and `why` are copied and may be NULL. Where memory is
 * short, it is not kept.
 */
void review_cache_keep(struct review_cache *cache, const struct review_key *key, bool good,
		       const cJSON *user, const char *why, uint64_t now_ms);

void review_cache_clear(struct review_cache *cache);

#endif
