/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What comes before a connection: finding addresses for a name, and asking why none comes about. */
#ifndef SKEP_LIB_NET_DIAL_H
#define SKEP_LIB_NET_DIAL_H

#include <uv.h>

#include "lib/base/error.h"

#define NET_PROBE_MS 3000

struct net_lookup;
struct net_probe;

/* One address in numbers, or NULL and why. The lookup is over; do not free it any more. */
typedef void net_found(void *context, const char *address, const char *why);

/* Why no TCP connection can be made, or NULL where one could. The probe is over. */
typedef void net_probed(void *context, const char *why);

/*
 * Looks `host` up without blocking the loop. Of several addresses it gives number `turn` modulo
 * their count, so that callers who count their attempts try all. `found` is called from the loop,
 * never from within.
 */
int net_lookup_new(uv_loop_t *loop, const char *host, unsigned int turn, net_found *found,
		   void *context, struct net_lookup **ret_lookup, struct error *error);

/* Gives the lookup up: `found` is not called. */
struct net_lookup *net_lookup_free(struct net_lookup *lookup);

/* Tries a TCP connection to an address in numbers, for at most NET_PROBE_MS, to name what fails. */
int net_probe_new(uv_loop_t *loop, const char *address, int port, net_probed *probed, void *context,
		  struct net_probe **ret_probe, struct error *error);

struct net_probe *net_probe_free(struct net_probe *probe);

#endif
