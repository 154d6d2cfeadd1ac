/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What one of several candidates for a Lease does next, from what it has seen of it. Pure: time
 * comes in as a number, milliseconds of a clock of our own that also runs while the machine sleeps.
 *
 * Clocks of different machines are never compared: a Lease is taken over when it has not changed
 * for its whole duration while we looked, whatever times are written in it.
 */
#ifndef SKEP_LIB_KUBE_LEASE_STATE_H
#define SKEP_LIB_KUBE_LEASE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <cjson/cJSON.h>

#define LEASE_TEXT_SIZE		256
#define LEASE_DURATION_LIMIT_MS 600000 /* whatever a Lease says, it is not waited for longer */

/* What was last seen of a Lease, and since when it has been so. */
struct lease_seen {
	bool exists;
	char holder[LEASE_TEXT_SIZE];  /* "" when it was released */
	char version[LEASE_TEXT_SIZE]; /* metadata.resourceVersion */
	uint32_t duration_ms;
	uint64_t since_ms; /* when it was first seen as it is */
};

enum lease_step {
	LEASE_WAIT,   /* somebody else holds it */
	LEASE_CREATE, /* there is none */
	LEASE_TAKE,   /* it is free, or ran out, or is ours from before */
};

/* Takes in a Lease as the API server shows it, NULL for none, looked at at `now_ms`. */
void lease_seen_update(struct lease_seen *seen, const cJSON *lease, uint64_t now_ms);

/* What a candidate of this name, which does not hold the Lease at the moment, does about it. */
enum lease_step lease_next(const struct lease_seen *seen, const char *identity, uint64_t now_ms);

/* How a holder wants its Lease to be. */
struct lease_claim {
	const char *namespace;
	const char *name;
	const char *identity; /* "" releases it */
	uint32_t duration_ms; /* whole seconds */
	struct timespec now;  /* for people who read it */
};

/*
 * The Lease to be written in place of `lease` (NULL: a new one): all that it held but what the
 * claim says. With its resourceVersion, it replaces no other one. NULL when memory ran out; the
 * caller frees it.
 */
cJSON *lease_claim_json(const struct lease_claim *claim, const cJSON *lease);

#endif
