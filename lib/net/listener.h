/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A listening TCP socket on a libuv loop. It says why it cannot listen, and closes at once. */
#ifndef SKEP_LIB_NET_LISTENER_H
#define SKEP_LIB_NET_LISTENER_H

#include <uv.h>

#include "lib/base/error.h"

struct net_listener;

#define NET_ADDRESS_SIZE 64 /* "[" IPv6 address "]:" port, and room for a scope */

/* A connection came: `socket` is the receiver's now (non-blocking); `address` is its peer's. */
typedef void net_arrived(void *context, int socket, const char *address);

/*
 * Listens on `address` (IPv4 or IPv6; "" for all of both) and `port` (0: the kernel chooses; see
 * net_listener_port()).
 */
int net_listener_new(uv_loop_t *loop, const char *address, int port, net_arrived *arrived,
		     void *context, struct net_listener **ret_listener, struct error *error);

struct net_listener *net_listener_free(struct net_listener *listener);

/* The port that it listens on. */
int net_listener_port(const struct net_listener *listener);

#endif
