/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A hash set of pointers: one word and a half for each, where a handle within the item would take
 * seven. For what there is a lot of; what an item's key is, the caller says.
 */
#ifndef SKEP_LIB_BASE_POINTER_SET_H
#define SKEP_LIB_BASE_POINTER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start with all zero. */
struct pointer_set {
	void **slots; /* NULL where there is none; between those, others may be skipped over */
	size_t capacity;
	size_t count;
};

/* What the set must know of its items. */
struct pointer_set_kind {
	uint64_t (*hash)(const void *item);
	bool (*equal)(const void *item, const void *key);
};

/* A hash of bytes (FNV-1a, and a last step that spreads it over all bits). */
uint64_t pointer_set_hash(const void *bytes, size_t length);

/* The item whose key equals `key`, of which `hash` is the hash; or NULL. */
void *pointer_set_find(const struct pointer_set *set, const struct pointer_set_kind *kind,
		       const void *key, uint64_t hash);

/* Adds an item whose key is not in. Returns 0 or -ENOMEM. */
int pointer_set_add(struct pointer_set *set, const struct pointer_set_kind *kind, void *item);

/* Puts `item` in the place of one that is in and has an equal key. */
void pointer_set_replace(struct pointer_set *set, const struct pointer_set_kind *kind,
			 const void *former, void *item);

/* Takes an item out that is in; with the last one go the slots. */
void pointer_set_remove(struct pointer_set *set, const struct pointer_set_kind *kind,
			const void *item);

/* Frees the slots, not the items; the set is empty afterwards. */
void pointer_set_free(struct pointer_set *set);

#endif
