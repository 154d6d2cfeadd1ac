/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A real API server. All changes of a world are made in it, a few dozen at one time, those of one
 * object one after the other; what the operator writes is taken from it.
 */
#ifndef SKEP_BENCH_FLEET_REAL_API_H
#define SKEP_BENCH_FLEET_REAL_API_H

#include <uv.h>

#include "bench/fleet/api.h"
#include "bench/fleet/world.h"

/*
 * `server` is the folder of an API server that has no nodes yet: admin.kubeconfig, by which the
 * world comes in, and audit.log, where the operator's requests are counted. Ends the program where
 * anything fails, as then the world is not what it is said to be.
 */
struct api *real_api_open(uv_loop_t *loop, struct world *world, const char *folder,
			  const char *server);

#endif
