/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A stand-in for the API server: lists in pages and watches of a world, statuses that are written,
 * reviews of tokens, single objects that are kept as they come. It counts what is asked of it. Any
 * other collection is empty.
 */
#ifndef SKEP_BENCH_FLEET_API_H
#define SKEP_BENCH_FLEET_API_H

#include <uv.h>

#include "bench/fleet/world.h"

/* Requests by what they are. */
enum api_count {
	API_PAGES,
	API_WATCHES,
	API_STATUSES,
	API_REVIEWS,
	API_EVENTS,
	API_OTHERS,
};
#define API_COUNTS 6

struct api;

/* Serves `world` on loopback, and says on which port. Ends the program where that fails. */
struct api *api_open(uv_loop_t *loop, struct world *world, int *ret_port);

/* Copies the requests counted so far. */
void api_counts(const struct api *api, uint64_t ret_counts[API_COUNTS]);

/* The CA that was published for agents, or NULL while there is none. */
const char *api_ca(const struct api *api);

/* The token of a node's agent, which the reviews know. */
void api_token(uint32_t node, char token[WORLD_NAME_SIZE]);

/* When the last status was written, in ms of the loop. */
uint64_t api_last_status_ms(const struct api *api);

#endif
