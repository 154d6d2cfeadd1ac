/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A few places for many who come, shared by where they come from: one source may have them all
 * while nobody else comes; then it gives way, until all have as many. So a flood from one address
 * keeps nobody else out. Pure.
 */
#ifndef SKEP_LIB_NET_PLACES_H
#define SKEP_LIB_NET_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#define NET_SOURCE_SIZE 48

/* Who has a place. */
struct net_place {
	char source[NET_SOURCE_SIZE];
	bool busy; /* is being served, and need not give way */
};

/*
 * The source of a connection, from its peer's address as net_arrived() is told it: the IPv4
 * address, or the network of 64 bits in which somebody may have any IPv6 address.
 */
void net_source_of(const char *address, char ret_source[NET_SOURCE_SIZE]);

enum net_room {
	NET_ROOM_FREE,
	NET_ROOM_NONE,
	NET_ROOM_OF_ANOTHER, /* who has to go */
};

/*
 * Whether there is room for one more from `source` beside those who have the `count` of `limit`
 * places, the oldest first; *ret_index is who has to go for it.
 */
enum net_room net_places_room(const struct net_place *const places[], size_t count, size_t limit,
			      const char *source, size_t *ret_index);

#endif
