/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Agents that speak the real protocol over the real link, and attach nothing: each keeps which pods
 * it is told to observe and how, and reports every revision as carried out.
 */
#ifndef SKEP_BENCH_FLEET_AGENTS_H
#define SKEP_BENCH_FLEET_AGENTS_H

#include <uv.h>

#include "bench/fleet/world.h"

struct agents;

struct agents_totals {
	uint32_t answered;	 /* have carried out a snapshot on their present connection */
	uint64_t pods;		 /* that all of them observe */
	uint64_t snapshots;	 /* messages that came, ever */
	uint64_t deltas;	 /* likewise */
	uint64_t upserts;	 /* pods in them, ever */
	uint64_t disconnections; /* and attempts that failed */
	uint64_t last_ms;	 /* when the last selection was carried out, in ms of the loop */
};

/*
 * Makes an agent for each node; `folder` holds their tokens (token-<node>) and the CA (ca.crt).
 * They rest at first.
 */
struct agents *agents_new(uv_loop_t *loop, const struct world *world, const char *folder, int port);

/*
 * Has all of them dial, a few at one time: as fast as the operator lets them in. Thousands that try
 * again and again would take this machine's processors, where each has one of its own in a cluster.
 */
void agents_wake(struct agents *agents);

/* Ends all connections, without a word. What they were told they keep. */
void agents_rest(struct agents *agents);

struct agents_totals agents_totals(const struct agents *agents);

/*
 * How many pods are not observed as the world wants it: missing, left over, or with other settings
 * than those of the policy as it is now.
 */
uint64_t agents_wrong(const struct agents *agents);

/* The same for the pods of one policy. */
uint32_t agents_lacking(const struct agents *agents, uint32_t policy);

#endif
