/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * As much of an HTTP/1.1 server as a stand-in for the API server needs: requests one after the
 * other on each connection, answers of known length, and streams that stay open. It trusts its one
 * client; on loopback only.
 */
#ifndef SKEP_BENCH_FLEET_HTTP_H
#define SKEP_BENCH_FLEET_HTTP_H

#include <uv.h>

#include "lib/base/text.h"

struct http_peer;

/* Strings live until the handler returns. */
struct http_request {
	const char *method;
	const char *path;  /* without the query */
	const char *query; /* "" where there is none */
	const char *body;  /* "" where there is none */
};

struct http_door {
	uv_tcp_t tcp;
	/* A request came; http_answer() or http_stream() is to be called before it returns. */
	void (*requested)(void *context, struct http_peer *peer,
			  const struct http_request *request);
	/* A stream has room again, or its peer is gone and must not be used any more. */
	void (*ready)(void *context, struct http_peer *peer);
	void (*closed)(void *context, struct http_peer *peer);
	void *context;
};

/* Listens on loopback, after the handlers were set. Returns the port, or a negative errno. */
int http_door_open(struct http_door *door, uv_loop_t *loop);

/* Answers, and empties `body`. */
void http_answer(struct http_peer *peer, int status, struct text *body);

/* Begins an answer without an end, and sends a piece of it; `piece` is emptied. */
void http_stream(struct http_peer *peer);
void http_stream_send(struct http_peer *peer, struct text *piece);

/* Ends the stream as it should; the connection stays for further requests. */
void http_stream_end(struct http_peer *peer);

/* Bytes that the client has not taken yet. */
size_t http_waiting(const struct http_peer *peer);

/* What the owner of the door keeps for a stream; NULL at first. */
void http_set_data(struct http_peer *peer, void *data);
void *http_data(const struct http_peer *peer);

#endif
