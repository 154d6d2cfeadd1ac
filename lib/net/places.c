// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/net/places.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define NETWORK_BYTES 8 /* of an IPv6 address; the rest is for whoever is there to choose */

void net_source_of(const char *address, char ret_source[NET_SOURCE_SIZE])
{
	bool is_bracketed = *address == '[';
	const char *begin = address + is_bracketed;
	struct in6_addr network;

	snprintf(ret_source, NET_SOURCE_SIZE, "%.*s",
		 (int)strcspn(begin, is_bracketed ? "]%" : ":"), begin);
	if (!is_bracketed || inet_pton(AF_INET6, ret_source, &network) != 1)
		return;
	memset(network.s6_addr + NETWORK_BYTES, 0, sizeof(network) - NETWORK_BYTES);
	inet_ntop(AF_INET6, &network, ret_source, NET_SOURCE_SIZE);
}

static size_t count_of(const struct net_place *const places[], size_t count, const char *source)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += strcmp(places[i]->source, source) == 0;
	return found;
}

enum net_room net_places_room(const struct net_place *const places[], size_t count, size_t limit,
			      const char *source, size_t *ret_index)
{
	size_t most, share, index = count;

	if (count < limit)
		return NET_ROOM_FREE;
	most = count_of(places, count, source) + 1; /* with the one that comes */
	for (size_t i = 0; i < count; i++) {
		share = places[i]->busy ? 0 : count_of(places, count, places[i]->source);
		if (share > most) {
			most = share;
			index = i;
		}
	}
	if (index == count)
		return NET_ROOM_NONE;
	*ret_index = index;
	return NET_ROOM_OF_ANOTHER;
}
