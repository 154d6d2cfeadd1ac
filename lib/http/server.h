/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A small HTTP server for health, metrics and the like: GET only, answers made in memory. */
#ifndef SKEP_LIB_HTTP_SERVER_H
#define SKEP_LIB_HTTP_SERVER_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/net/context.h"

struct http_server;

/* What answers one path: fills `body` and returns the HTTP status. */
struct http_route {
	const char *path;
	const char *content_type;
	int (*respond)(void *context, struct text *body);
	void *context;
};

/* Listens on `address` ("" for all) and `port`. Copies the table `routes`. */
int http_server_new(struct net_context *net, const char *address, int port,
		    const struct http_route *routes, size_t count, struct http_server **ret_server,
		    struct error *error);

struct http_server *http_server_free(struct http_server *server);

#endif
