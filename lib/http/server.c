// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/http/server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libwebsockets.h>
#include <utlist.h>

#include "lib/net/listener.h"

#define CONNECTION_LIMIT 64    /* at one time; more are closed as they come */
#define REQUEST_SECONDS	 10    /* for a request to come in whole */
#define IDLE_SECONDS	 75    /* that a connection may wait for its next request */
#define PIECE_LIMIT	 16384 /* bytes of a body that are written at a time */
#define HEADERS_LIMIT	 512   /* bytes of our own headers */

struct http_connection {
	struct http_connection *prev, *next;
	struct http_server *server;
	struct lws *wsi;
	uint64_t deadline; /* loop's time in ms, for the request to be whole; 0 while none is due */
	struct text body;
	size_t sent;
};

struct http_server {
	uv_timer_t tick;
	struct net_listener *listener;
	struct lws_vhost *vhost;
	struct http_route *routes;
	size_t route_count;
	struct http_connection *connections;
	struct http_connection *arriving; /* while libwebsockets takes its socket */
	unsigned int count;
	int holds; /* what still points here: the timer and the virtual host */
};

static void server_release(struct http_server *server)
{
	if (--server->holds)
		return;
	free(server->routes);
	free(server);
}

static void connection_forget(struct http_connection *connection)
{
	DL_DELETE(connection->server->connections, connection);
	connection->server->count--;
	text_free(&connection->body);
	free(connection);
}

static void server_tick(uv_timer_t *tick)
{
	struct http_server *server = tick->data;
	struct http_connection *connection, *next;
	uint64_t now = uv_now(tick->loop);

	DL_FOREACH_SAFE(server->connections, connection, next)
		if (connection->deadline && now >= connection->deadline)
			net_connection_kill(connection->wsi);
	if (!server->connections)
		uv_timer_stop(tick);
}

static void connection_await(struct http_connection *connection)
{
	uv_timer_t *tick = &connection->server->tick;

	connection->deadline = uv_now(tick->loop) + REQUEST_SECONDS * 1000;
	if (!uv_is_active((uv_handle_t *)tick))
		uv_timer_start(tick, server_tick, 1000, 1000);
}

static void server_arrived(void *context, int socket, const char *address)
{
	struct http_server *server = context;
	struct http_connection *connection = NULL;
	lws_adopt_desc_t adoption = {
		.vh = server->vhost,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP,
		.fd.sockfd = socket,
	};

	(void)address;
	if (server->count < CONNECTION_LIMIT)
		connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(socket);
		return;
	}
	connection->server = server;
	DL_APPEND(server->connections, connection);
	server->count++;
	connection_await(connection);
	adoption.opaque = server->arriving = connection;
	if (!lws_adopt_descriptor_vhost_via_info(&adoption) && !connection->wsi)
		connection_forget(connection);
	server->arriving = NULL;
}

static const struct http_route *route_find(const struct http_server *server, const char *path)
{
	for (size_t i = 0; i < server->route_count; i++)
		if (!strcmp(server->routes[i].path, path))
			return &server->routes[i];
	return NULL;
}

/* Fills the body and returns the status of the answer. */
static int request_respond(struct http_connection *connection, const struct http_route *route)
{
	int status;

	if (!route) {
		text_append_string(&connection->body, "not found\n");
		return HTTP_STATUS_NOT_FOUND;
	}
	status = route->respond(route->context, &connection->body);
	if (!connection->body.failed)
		return status;
	text_free(&connection->body);
	return HTTP_STATUS_INTERNAL_SERVER_ERROR;
}

static int headers_write(struct lws *wsi, int status, const char *type, size_t length)
{
	unsigned char buffer[LWS_PRE + HEADERS_LIMIT];
	unsigned char *start = buffer + LWS_PRE, *at = start, *end = buffer + sizeof(buffer) - 1;

	if (lws_add_http_common_headers(wsi, (unsigned int)status, type, length, &at, end) ||
	    (status == HTTP_STATUS_METHOD_NOT_ALLOWED &&
	     lws_add_http_header_by_name(wsi, (const unsigned char *)"allow:",
					 (const unsigned char *)"GET, HEAD", 9, &at, end)))
		return -1;
	return lws_finalize_write_http_header(wsi, start, &at, end);
}

/* Whether the next request may follow on the connection is for libwebsockets to say. */
static int connection_completed(struct http_connection *connection)
{
	text_free(&connection->body);
	connection->sent = 0;
	return lws_http_transaction_completed(connection->wsi) ? -1 : 0;
}

/* A request with another method may have a body that nobody reads: its connection ends. */
static int method_refuse(struct http_connection *connection)
{
	headers_write(connection->wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, "text/plain", 0);
	return -1;
}

static int request_answer(struct http_connection *connection, const char *path)
{
	struct lws *wsi = connection->wsi;
	bool head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
	const struct http_route *route;
	int status;

	connection->deadline = 0;
	if (!head && !lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI))
		return method_refuse(connection);
	route = route_find(connection->server, path);
	status = request_respond(connection, route);
	if (headers_write(wsi, status, route ? route->content_type : "text/plain",
			  connection->body.length))
		return -1;
	if (head || !connection->body.length)
		return connection_completed(connection);
	lws_callback_on_writable(wsi);
	return 0;
}

static int body_write(struct http_connection *connection)
{
	unsigned char buffer[LWS_PRE + PIECE_LIMIT];
	size_t left = connection->body.length - connection->sent;
	size_t length = left < PIECE_LIMIT ? left : PIECE_LIMIT;

	if (!left)
		return 0;
	memcpy(buffer + LWS_PRE, connection->body.data + connection->sent, length);
	if (lws_write(connection->wsi, buffer + LWS_PRE, length,
		      left == length ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
		return -1;
	connection->sent += length;
	if (left == length)
		return connection_completed(connection);
	lws_callback_on_writable(connection->wsi);
	return 0;
}

static int connection_event(struct http_connection *connection, enum lws_callback_reasons reason,
			    const void *in)
{
	switch ((int)reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return -1; /* nothing here is to be upgraded to */
	case LWS_CALLBACK_HTTP:
		return request_answer(connection, in);
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return body_write(connection);
	case LWS_CALLBACK_WSI_DESTROY:
		connection_forget(connection);
		return 0;
	default:
		return 0;
	}
}

static int server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t length)
{
	struct http_connection *connection;
	struct http_server *server;

	(void)user, (void)length;
	if (reason == LWS_CALLBACK_PROTOCOL_INIT || reason == LWS_CALLBACK_PROTOCOL_DESTROY)
		return 0;
	if (reason == LWS_CALLBACK_WSI_CREATE) {
		server = lws_vhost_user(lws_get_vhost(wsi));
		server->arriving->wsi = wsi;
		return 0;
	}
	connection = lws_get_opaque_user_data(wsi);
	return connection ? connection_event(connection, reason, in) : 0;
}

static const struct lws_protocols protocols[] = {
	{.name = "http", .callback = server_callback},
	{0},
};

static void vhost_gone(struct lws_vhost *vhost, void *context)
{
	struct http_server *server = context;

	(void)vhost;
	if (server->holds)
		server_release(server);
}

static int server_vhost_new(struct http_server *server, struct net_context *net)
{
	struct lws_context_creation_info info = {
		/* not ..._SERVER: by that, SNI would find this vhost for the link's connections */
		.port = CONTEXT_PORT_NO_LISTEN,
		.vhost_name = "http-server",
		.protocols = protocols,
		.alpn = "http/1.1",
		.http_proxy_address = NET_NO_PROXY,
		.keepalive_timeout = IDLE_SECONDS,
		.timeout_secs_ah_idle = 2 * REQUEST_SECONDS, /* ours comes first */
		.user = server,
		.finalize = vhost_gone,
		.finalize_arg = server,
	};

	server->vhost = lws_create_vhost(net_context_lws(net), &info);
	return server->vhost ? 0 : -EIO;
}

static int routes_copy(struct http_server *server, const struct http_route *routes, size_t count)
{
	server->routes = calloc(count, sizeof(*routes));
	if (!server->routes)
		return -ENOMEM;
	memcpy(server->routes, routes, count * sizeof(*routes));
	server->route_count = count;
	return 0;
}

static int server_start(struct http_server *server, struct net_context *net, const char *address,
			int port, struct error *error)
{
	int result = net_listener_new(net_context_loop(net), address, port, server_arrived, server,
				      &server->listener, error);

	if (result < 0)
		return result;
	if (server_vhost_new(server, net) < 0) {
		server->listener = net_listener_free(server->listener);
		return error_set(error, EIO, "start the HTTP server: libwebsockets refuses");
	}
	uv_timer_init(net_context_loop(net), &server->tick);
	server->tick.data = server;
	server->holds = 2;
	return 0;
}

int http_server_new(struct net_context *net, const char *address, int port,
		    const struct http_route *routes, size_t count, struct http_server **ret_server,
		    struct error *error)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int result;

	if (!server || routes_copy(server, routes, count) < 0) {
		free(server);
		return error_set_errno(error, ENOMEM, "start the HTTP server");
	}
	result = server_start(server, net, address, port, error);
	if (result < 0) {
		free(server->routes);
		free(server);
		return result;
	}
	*ret_server = server;
	return 0;
}

static void tick_closed(uv_handle_t *tick)
{
	server_release(tick->data);
}

struct http_server *http_server_free(struct http_server *server)
{
	struct http_connection *connection, *next;

	if (!server)
		return NULL;
	server->listener = net_listener_free(server->listener);
	server->route_count = 0;
	DL_FOREACH_SAFE(server->connections, connection, next)
		net_connection_kill(connection->wsi);
	uv_close((uv_handle_t *)&server->tick, tick_closed);
	if (!server->connections)
		lws_vhost_destroy(server->vhost);
	return NULL;
}
