/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * An HTTP server for tests, on loopback and on the test's own loop: it answers one request after
 * the other as a script says, also in ways that a real API server will not.
 */
#ifndef SKEP_LIB_KUBE_TESTS_FAKE_SERVER_H
#define SKEP_LIB_KUBE_TESTS_FAKE_SERVER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <uv.h>

#include "lib/base/text.h"

/* How an answer ends. */
enum fake_end {
	FAKE_WHOLE,	 /* a body of known length */
	FAKE_STREAM,	 /* chunked, stays open */
	FAKE_STREAM_END, /* chunked, ends as it should */
	FAKE_STREAM_CUT, /* chunked, the connection is closed in the middle */
	FAKE_SILENCE,	 /* no answer at all */
};

struct fake_step {
	const char *expect; /* what the request's first line must hold, or NULL */
	enum fake_end end;
	int status;
	const char *headers; /* further ones, each with its line end, or NULL */
	const char *body;
};

struct fake_connection {
	uv_tcp_t tcp;
	struct fake_server *server;
	struct text received;
	LIST_ENTRY(fake_connection) entry;
};

struct fake_server {
	uv_tcp_t listener;
	int port;
	const struct fake_step *steps; /* ended by one of status 0; what comes then hangs */
	size_t requests;	       /* that came */
	bool is_wrong;		       /* a request was not what the script expects */
	struct text last_request;
	LIST_HEAD(, fake_connection) connections;
};

static void fake_on_closed(uv_handle_t *handle)
{
	struct fake_connection *connection = handle->data;

	text_free(&connection->received);
	free(connection);
}

static void fake_close(struct fake_connection *connection)
{
	LIST_REMOVE(connection, entry);
	uv_close((uv_handle_t *)&connection->tcp, fake_on_closed);
}

static void fake_send(struct fake_connection *connection, const struct text *text)
{
	uv_buf_t buffer = uv_buf_init(text->data, (unsigned int)text->length);

	if (uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1) != (int)text->length)
		connection->server->is_wrong = true;
}

static void fake_answer(struct fake_connection *connection, const struct fake_step *step)
{
	const char *headers = step->headers ? step->headers : "";
	const char *body = step->body ? step->body : "";
	struct text text = TEXT_EMPTY;

	text_append_format(&text, "HTTP/1.1 %d Some Reason\r\n%s", step->status, headers);
	if (step->end == FAKE_WHOLE)
		text_append_format(&text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	else
		text_append_string(&text, "Transfer-Encoding: chunked\r\n\r\n");
	if (step->end != FAKE_WHOLE && *body)
		text_append_format(&text, "%zx\r\n%s\r\n", strlen(body), body);
	if (step->end == FAKE_STREAM_END)
		text_append_string(&text, "0\r\n\r\n");
	fake_send(connection, &text);
	text_free(&text);
	if (step->end == FAKE_STREAM_CUT)
		fake_close(connection);
}

static bool fake_is_as_expected(const char *request, const char *expect)
{
	size_t length = strcspn(request, "\r");
	const char *found = expect ? strstr(request, expect) : request;

	return found && (size_t)(found - request) < length;
}

static void fake_on_request(struct fake_connection *connection)
{
	struct fake_server *server = connection->server;
	const struct fake_step *step = &server->steps[server->requests];

	text_clear(&server->last_request);
	text_append(&server->last_request, connection->received.data, connection->received.length);
	text_clear(&connection->received);
	if (!step->status)
		return;
	server->requests++;
	if (!fake_is_as_expected(server->last_request.data, step->expect)) {
		fprintf(stderr, "expected \"%s\", got: %.*s\n", step->expect,
			(int)strcspn(server->last_request.data, "\r"), server->last_request.data);
		server->is_wrong = true;
	}
	if (step->end != FAKE_SILENCE)
		fake_answer(connection, step);
}

/* Whether the head and the body that it announces have come. */
static bool fake_request_is_whole(const struct text *received)
{
	const char *head_end = received->data ? strstr(received->data, "\r\n\r\n") : NULL;
	const char *announced = received->data ? strstr(received->data, "Content-Length: ") : NULL;
	size_t body = announced ? strtoul(announced + strlen("Content-Length: "), NULL, 10) : 0;

	return head_end && received->data + received->length >= head_end + 4 + body;
}

static void fake_on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	*buffer = uv_buf_init(malloc(suggested), (unsigned int)suggested);
}

static void fake_on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct fake_connection *connection = stream->data;

	if (length > 0)
		text_append(&connection->received, buffer->base, (size_t)length);
	free(buffer->base);
	if (length < 0)
		fake_close(connection);
	else if (fake_request_is_whole(&connection->received))
		fake_on_request(connection);
}

static void fake_on_connection(uv_stream_t *listener, int status)
{
	struct fake_connection *connection = calloc(1, sizeof(*connection));
	struct fake_server *server = listener->data;

	if (status < 0 || !connection)
		abort();
	uv_tcp_init(listener->loop, &connection->tcp);
	connection->tcp.data = connection;
	connection->server = server;
	LIST_INSERT_HEAD(&server->connections, connection, entry);
	uv_accept(listener, (uv_stream_t *)&connection->tcp);
	uv_read_start((uv_stream_t *)&connection->tcp, fake_on_allocate, fake_on_read);
}

static int fake_port(const uv_tcp_t *listener)
{
	struct sockaddr_in address;
	int length = sizeof(address);

	uv_tcp_getsockname(listener, (struct sockaddr *)&address, &length);
	return ntohs(address.sin_port);
}

/* Listens on a free port, which `port` tells. */
static inline void fake_server_start(struct fake_server *server, uv_loop_t *loop,
				     const struct fake_step *steps)
{
	struct sockaddr_in address;

	memset(server, 0, sizeof(*server));
	server->steps = steps;
	LIST_INIT(&server->connections);
	uv_ip4_addr("127.0.0.1", 0, &address);
	uv_tcp_init(loop, &server->listener);
	server->listener.data = server;
	uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
	if (uv_listen((uv_stream_t *)&server->listener, 16, fake_on_connection) < 0)
		abort();
	server->port = fake_port(&server->listener);
}

/* Closes all; the loop must run on. */
static inline void fake_server_stop(struct fake_server *server)
{
	while (!LIST_EMPTY(&server->connections))
		fake_close(LIST_FIRST(&server->connections));
	text_free(&server->last_request);
	uv_close((uv_handle_t *)&server->listener, NULL);
}

#endif
