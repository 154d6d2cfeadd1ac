/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Which agent wants to know whose which address is. What changes is collected, so that a burst
 * becomes one message, and an agent is told of no address that it has not asked about. No I/O.
 */
#ifndef SKEP_OPERATOR_LOOKUPS_H
#define SKEP_OPERATOR_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/link/peers.h"
#include "operator/addresses.h"

#define LOOKUPS_LIMIT 16384 /* addresses that one agent may have asked about */

/* An address that was asked about. */
struct asked_address {
	struct ip_address address;
	bool due; /* to be told: just asked, or changed hands */
};

/* One agent that asks; empty with all members 0. */
struct asker {
	struct asked_address *asked; /* sorted by address */
	size_t count, capacity;
	bool due; /* some of the addresses are */
	struct asker *prev, *next;
};

struct lookups {
	struct asker *askers;
};

/* The asker is the caller's; it is to be told of changes until it leaves, which empties it. */
void lookups_join(struct lookups *lookups, struct asker *asker);
void lookups_leave(struct lookups *lookups, struct asker *asker);

/*
 * Takes a lookup: what is in it is due now. Returns how many addresses went beyond LOOKUPS_LIMIT
 * and were left out, or -ENOMEM.
 */
int lookups_ask(struct asker *asker, const struct lookup *lookup);

/* The address changed hands: it is due for all who asked about it. */
void lookups_mark(struct lookups *lookups, const struct ip_address *address);

/* A `peers` message with all that is due, which then is no more; NULL: nothing is, or no memory. */
cJSON *lookups_tell(struct asker *asker, const struct addresses *addresses);

#endif
