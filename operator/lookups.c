// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/lookups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "lib/base/cleanup.h"

#define FIRST_CAPACITY 16

void lookups_join(struct lookups *lookups, struct asker *asker)
{
	DL_APPEND(lookups->askers, asker);
}

void lookups_leave(struct lookups *lookups, struct asker *asker)
{
	DL_DELETE(lookups->askers, asker);
	free(asker->asked);
	*asker = (struct asker){0};
}

/* The place of the address, or where it would have to be put in. */
static size_t find_place(const struct asker *asker, const struct ip_address *address)
{
	size_t low = 0, high = asker->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(&asker->asked[middle].address, address, sizeof(*address)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct asker *asker, size_t place, const struct ip_address *address)
{
	return place < asker->count &&
	       memcmp(&asker->asked[place].address, address, sizeof(*address)) == 0;
}

static int reserve(struct asker *asker)
{
	size_t capacity = asker->capacity ? 2 * asker->capacity : FIRST_CAPACITY;
	struct asked_address *asked;

	if (asker->count < asker->capacity)
		return 0;
	asked = reallocarray(asker->asked, capacity, sizeof(*asked));
	if (!asked)
		return -ENOMEM;
	asker->asked = asked;
	asker->capacity = capacity;
	return 0;
}

/* Returns whether there was no room for the address, or -ENOMEM. */
static int ask(struct asker *asker, const struct ip_address *address)
{
	size_t place = find_place(asker, address);

	if (!is_at(asker, place, address)) {
		if (asker->count == LOOKUPS_LIMIT)
			return true;
		if (reserve(asker) < 0)
			return -ENOMEM;
		memmove(&asker->asked[place + 1], &asker->asked[place],
			(asker->count - place) * sizeof(asker->asked[0]));
		asker->asked[place].address = *address;
		asker->count++;
	}
	asker->asked[place].due = true;
	asker->due = true;
	return false;
}

static void forget(struct asker *asker, const struct ip_address *address)
{
	size_t place = find_place(asker, address);

	if (!is_at(asker, place, address))
		return;
	asker->count--;
	memmove(&asker->asked[place], &asker->asked[place + 1],
		(asker->count - place) * sizeof(asker->asked[0]));
}

int lookups_ask(struct asker *asker, const struct lookup *lookup)
{
	int left_out = 0;

	for (size_t i = 0; i < lookup->forget_count; i++)
		forget(asker, &lookup->forget[i]);
	for (size_t i = 0; i < lookup->address_count; i++) {
		int result = ask(asker, &lookup->addresses[i]);

		if (result < 0)
			return result;
		left_out += result;
	}
	return left_out;
}

void lookups_mark(struct lookups *lookups, const struct ip_address *address)
{
	struct asker *asker;

	DL_FOREACH(lookups->askers, asker) {
		size_t place = find_place(asker, address);

		if (is_at(asker, place, address)) {
			asker->asked[place].due = true;
			asker->due = true;
		}
	}
}

static cJSON *encode_due(const struct asker *asker, const struct addresses *addresses)
{
	cleanup_json cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < asker->count; i++) {
		struct peer peer;

		if (!asker->asked[i].due)
			continue;
		peer = addresses_find(addresses, &asker->asked[i].address);
		if (!peer_encode(array, &peer))
			return NULL;
	}
	return peers_encode(take_pointer(array));
}

cJSON *lookups_tell(struct asker *asker, const struct addresses *addresses)
{
	cJSON *message = asker->due ? encode_due(asker, addresses) : NULL;

	if (!message)
		return NULL;
	for (size_t i = 0; i < asker->count; i++)
		asker->asked[i].due = false;
	asker->due = false;
	return message;
}
