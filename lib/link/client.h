/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The agent's end of the link: dials the operator over TLS, shows its token, and dials again, with
 * growing pauses, whenever the connection ends.
 */
#ifndef SKEP_LIB_LINK_CLIENT_H
#define SKEP_LIB_LINK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/net/context.h"

struct link_client;

#define LINK_CLIENT_MESSAGE_LIMIT (64 << 20) /* bytes of one message from the operator */
#define LINK_CONNECT_MS		  3000	     /* for the operator's machine to answer at all */
#define LINK_SHOW_TOKEN_MS	  300000
#define LINK_TICK_MS		  1000
#define LINK_PING_TICKS		  5  /* from one ping to the next */
#define LINK_SILENCE_TICKS	  12 /* then it is cut, if the operator's machine is silent, too */
#define LINK_BUSY_TICKS		  24 /* then it is cut in any case */
#define LINK_RETRY_FIRST_MS	  100
#define LINK_RETRY_LIMIT_MS	  5000

/* Copied by link_client_new(). */
struct link_client_settings {
	const char *host; /* name or address to dial */
	int port;
	const char *server_name; /* that the operator's certificate must carry */
	const char *ca_file;	 /* PEM; read again for each connection */
	const char *token_file;	 /* read again for each connection, and shown again on it */
	uint64_t show_token_ms;	 /* how often; 0 for LINK_SHOW_TOKEN_MS */
	uint64_t tick_ms;	 /* 0 for LINK_TICK_MS */
};

struct link_client_handlers {
	void (*connected)(void *context);
	void (*message)(void *context, const cJSON *message);
	/* The connection is over or could not be made; it will be tried again. */
	void (*disconnected)(void *context, const char *why);
};

int link_client_new(struct net_context *net, const struct link_client_settings *settings,
		    const struct link_client_handlers *handlers, void *context,
		    struct link_client **ret_client, struct error *error);

struct link_client *link_client_free(struct link_client *client);

bool link_client_is_connected(const struct link_client *client);

/*
 * Queues a message; takes `message`, also when it fails (-ENOTCONN while there is no connection).
 */
int link_client_send(struct link_client *client, cJSON *message);

#endif
