/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* libwebsockets on a libuv loop: the one context that all servers and clients of a daemon share. */
#ifndef SKEP_LIB_NET_CONTEXT_H
#define SKEP_LIB_NET_CONTEXT_H

#include <uv.h>

#include "lib/base/error.h"

struct lws;
struct lws_context;

struct net_context;

/*
 * For the http_proxy_address of a virtual host: port 0 is no proxy. Left empty, libwebsockets would
 * take the one of the environment.
 */
#define NET_NO_PROXY ":0"

/*
 * Makes the context on `loop`, for at most `connections` sockets at one time (libwebsockets sets
 * memory aside for each); 0 for as many as the process may have descriptors (RLIMIT_NOFILE): it
 * then finds a connection by its descriptor at once, and searches through all of them otherwise.
 * End it with net_context_free(), after all that uses it.
 */
int net_context_new(uv_loop_t *loop, unsigned int connections, struct net_context **ret_net,
		    struct error *error);

struct net_context *net_context_free(struct net_context *net);

uv_loop_t *net_context_loop(const struct net_context *net);
struct lws_context *net_context_lws(const struct net_context *net);

/*
 * To be called after a connect() failed: libwebsockets 4.1 then closes the socket but forgets its
 * poll handle (lws_client_connect_3_connect()), which would hold the loop and the number of the
 * descriptor for ever. Stops such handles; the last ones are closed when the context ends.
 */
void net_context_drop_stale_polls(struct net_context *net);

/*
 * Ends a connection: from the loop, soon, and not from within the call. Its callbacks for the end
 * come as always.
 */
void net_connection_kill(struct lws *connection);

/*
 * To be called after a timer of libwebsockets was set outside of its callbacks, which it would else
 * notice with the next byte that comes.
 */
void net_connection_wake(struct lws *connection);

#endif
