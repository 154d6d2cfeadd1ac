/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A stand-in for the API server: lists in pages and watches of a world, statuses that are written,
 * reviews of tokens, single objects that are kept as they come. It counts what is asked of it. Any
 * other collection is empty.
 */
#ifndef SKEP_BENCH_FLEET_STAND_IN_H
#define SKEP_BENCH_FLEET_STAND_IN_H

#include <uv.h>

#include "bench/fleet/api.h"
#include "bench/fleet/world.h"

/*
 * Serves `world` on loopback, as the file "kubeconfig" of the folder says then. Ends the program
 * where that fails.
 */
struct api *stand_in_open(uv_loop_t *loop, struct world *world, const char *folder);

#endif
