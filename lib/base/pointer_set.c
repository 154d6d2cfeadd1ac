// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Open addressing with linear probing (Knuth, The Art of Computer Programming, 6.4): an item lies
 * in the first free slot from where its hash points. What is taken out leaves no mark, as those
 * behind it that may are moved up.
 */
#include "lib/base/pointer_set.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 16 /* powers of two */

uint64_t pointer_set_hash(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t hash = 0xcbf29ce484222325ULL;

	while (length--)
		hash = (hash ^ *at++) * 0x100000001b3ULL;
	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

static size_t next_slot(const struct pointer_set *set, size_t slot)
{
	return (slot + 1) & (set->capacity - 1);
}

static size_t first_slot(const struct pointer_set *set, uint64_t hash)
{
	return (size_t)hash & (set->capacity - 1);
}

static void place(struct pointer_set *set, uint64_t hash, void *item)
{
	size_t slot = first_slot(set, hash);

	while (set->slots[slot])
		slot = next_slot(set, slot);
	set->slots[slot] = item;
}

/* Keeps a fifth of the slots free. */
static int make_room(struct pointer_set *set, const struct pointer_set_kind *kind)
{
	struct pointer_set larger = {.capacity =
					     set->capacity ? set->capacity * 2 : FIRST_CAPACITY};

	if ((set->count + 1) * 5 <= set->capacity * 4)
		return 0;
	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	larger.count = set->count;
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i])
			place(&larger, kind->hash(set->slots[i]), set->slots[i]);
	free(set->slots);
	*set = larger;
	return 0;
}

void *pointer_set_find(const struct pointer_set *set, const struct pointer_set_kind *kind,
		       const void *key, uint64_t hash)
{
	size_t slot;

	if (!set->count)
		return NULL;
	for (slot = first_slot(set, hash); set->slots[slot]; slot = next_slot(set, slot))
		if (kind->equal(set->slots[slot], key))
			return set->slots[slot];
	return NULL;
}

int pointer_set_add(struct pointer_set *set, const struct pointer_set_kind *kind, void *item)
{
	if (make_room(set, kind) < 0)
		return -ENOMEM;
	place(set, kind->hash(item), item);
	set->count++;
	return 0;
}

/* Whether an item that belongs to slot `home` and lies in `at` may lie in `hole` as well. */
static bool may_move(const struct pointer_set *set, size_t home, size_t at, size_t hole)
{
	size_t mask = set->capacity - 1;

	return ((at - home) & mask) >= ((at - hole) & mask);
}

/* Moves up what lies behind the hole, to the next free slot. */
static void close_hole(struct pointer_set *set, const struct pointer_set_kind *kind, size_t hole)
{
	size_t at = next_slot(set, hole);

	for (; set->slots[at]; at = next_slot(set, at)) {
		size_t home = first_slot(set, kind->hash(set->slots[at]));

		if (!may_move(set, home, at, hole))
			continue;
		set->slots[hole] = set->slots[at];
		hole = at;
	}
	set->slots[hole] = NULL;
}

static size_t slot_of(const struct pointer_set *set, const struct pointer_set_kind *kind,
		      const void *item)
{
	size_t slot = first_slot(set, kind->hash(item));

	while (set->slots[slot] != item)
		slot = next_slot(set, slot);
	return slot;
}

void pointer_set_replace(struct pointer_set *set, const struct pointer_set_kind *kind,
			 const void *former, void *item)
{
	set->slots[slot_of(set, kind, former)] = item;
}

void pointer_set_remove(struct pointer_set *set, const struct pointer_set_kind *kind,
			const void *item)
{
	close_hole(set, kind, slot_of(set, kind, item));
	if (--set->count == 0)
		pointer_set_free(set);
}

void pointer_set_free(struct pointer_set *set)
{
	free(set->slots);
	*set = (struct pointer_set){0};
}
