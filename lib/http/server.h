/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A small HTTP server for health, metrics and the like: GET only, answers made in memory, at once
 * or later; over TLS where it is given a certificate. Long answers are packed (body.h) for those
 * who take them so; those of a route are kept for a moment for all who ask, so that however many
 * ask, and however often, the loop is not always writing.
 */
#ifndef SKEP_LIB_HTTP_SERVER_H
#define SKEP_LIB_HTTP_SERVER_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/strings.h"
#include "lib/base/text.h"
#include "lib/net/context.h"

#define HTTP_JSON "application/json"

struct http_server;

/*
 * What answers one path: appends to `body`, which may be drained meanwhile, and returns the HTTP
 * status, or a negative errno. Not asked again within 200 ms after an answer of 16 KiB or more.
 */
struct http_route {
	const char *path;
	const char *content_type;
	int (*respond)(void *context, struct text *body);
	void *context;
};

/* A request that is answered later. */
struct http_request;

/* Its Authorization header ("" where there is none), and the members of its query, decoded. */
const char *http_request_authorization(const struct http_request *request);
const struct strings *http_request_query(const struct http_request *request);

/*
 * Answers and ends the request, whose connection may have gone meanwhile. Takes the contents of
 * `body`, which is empty afterwards. To be called once, also from within `receive`.
 */
void http_request_answer(struct http_request *request, int status, struct text *body);

/* What takes the requests for one path. Each must be answered, also after the server was freed. */
struct http_receiver {
	const char *path;
	const char *content_type;
	void (*receive)(void *context, struct http_request *request);
	void *context;
};

struct http_server_settings {
	const char *address; /* "" for all */
	int port;
	/*
	 * Both PEM, or both NULL: no TLS. At most one server over TLS may be on one context, also
	 * of the link: libwebsockets chooses among them by the names that a client gives.
	 */
	const char *certificate_pem;
	const char *key_pem;
	const struct http_route *routes;
	size_t route_count;
	const struct http_receiver *receivers;
	size_t receiver_count;
};

/* Listens as the settings say, which are copied. */
int http_server_new_with(struct net_context *net, const struct http_server_settings *settings,
			 struct http_server **ret_server, struct error *error);

/* Listens on `address` ("" for all) and `port`. Copies the table `routes`. */
int http_server_new(struct net_context *net, const char *address, int port,
		    const struct http_route *routes, size_t count, struct http_server **ret_server,
		    struct error *error);

/* As link_server_set_certificate(); of a server over TLS. */
int http_server_set_certificate(struct http_server *server, const char *certificate_pem,
				const char *key_pem, struct error *error);

struct http_server *http_server_free(struct http_server *server);

#endif
