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

#include "lib/http/body.h"
#include "lib/net/listener.h"
#include "lib/net/places.h"
#include "lib/net/tls.h"

#define CONNECTION_LIMIT 64    /* at one time; more are closed as they come */
#define REQUEST_SECONDS	 10    /* for a request to come in whole */
#define ANSWER_SECONDS	 30    /* for an answer to be taken */
#define IDLE_SECONDS	 75    /* that a connection may wait for its next request */
#define PIECE_LIMIT	 16384 /* bytes of a body that are written at a time */
#define HEADERS_LIMIT	 512   /* bytes of our own headers */
#define QUERY_LIMIT	 16    /* members of a query; more are not looked at */
#define MEMBER_LIMIT	 1024  /* bytes of one */
#define ACCEPT_LIMIT	 256   /* bytes of Accept-Encoding */

/* Bytes of all bodies that wait for slow readers; a body of one piece is always answered. */
#define BODIES_LIMIT (16 << 20)

/* How long a long answer of a route is given to all who ask, ms: to write it takes its time. */
#define ANSWER_KEPT_MS 200

#define TOO_MANY_REQUESTS 429 /* RFC 6585, 4 */

#define JSON_NOT_FOUND "{\"error\":\"nothing is served at this path\"}\n"
#define JSON_METHOD    "{\"error\":\"only GET and HEAD are answered here\"}\n"

struct http_connection {
	struct http_connection *prev, *next;
	struct http_server *server;
	struct lws *wsi;
	uint64_t deadline; /* loop's time in ms, for what the peer is to do; 0 while nothing is */
	struct http_request *request; /* that is to be answered later, or NULL */
	int status;		      /* of an answer whose headers are not sent yet, or 0 */
	const char *content_type;
	bool head;
	bool takes_packed;
	struct http_body body;
	size_t left; /* bytes of it that are to be sent */
	struct net_place place;
	bool ending; /* gave way to another */
};

struct http_request {
	struct http_connection *connection; /* NULL when it has gone */
	struct strings query;
	char *authorization;
};

struct served_route {
	struct http_route route;
	struct http_body kept; /* what it answered last, where that is long */
	int status;	       /* with it */
	uint64_t kept_until;   /* loop's time in ms */
};

struct http_server {
	uv_timer_t tick;
	struct net_listener *listener;
	struct lws_vhost *vhost;
	SSL_CTX *tls_settings; /* the virtual host's, or NULL */
	SSL_CTX *no_client;    /* of a virtual host with TLS, which dials nobody */
	struct served_route *routes;
	size_t route_count;
	struct http_receiver *receivers;
	size_t receiver_count;
	const char *certificate_pem, *key_pem; /* while it is made */
	bool tls;
	struct http_connection *connections;
	struct http_connection *arriving; /* while libwebsockets takes its socket */
	unsigned int count;
	int holds; /* what still points here: the timer and the virtual host */
};

static void routes_free(struct http_server *server)
{
	for (size_t i = 0; i < server->route_count; i++)
		http_body_free(&server->routes[i].kept);
	free(server->routes);
	server->routes = NULL;
	server->route_count = 0;
}

static void server_free_memory(struct http_server *server)
{
	routes_free(server);
	free(server->receivers);
	SSL_CTX_free(server->no_client);
	free(server);
}

static void server_release(struct http_server *server)
{
	if (--server->holds == 0)
		server_free_memory(server);
}

static void connection_forget(struct http_connection *connection)
{
	if (connection->request)
		connection->request->connection = NULL;
	DL_DELETE(connection->server->connections, connection);
	connection->server->count--;
	http_body_free(&connection->body);
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

static void connection_await(struct http_connection *connection, unsigned int seconds)
{
	uv_timer_t *tick = &connection->server->tick;

	connection->deadline = uv_now(tick->loop) + seconds * 1000;
	if (!uv_is_active((uv_handle_t *)tick))
		uv_timer_start(tick, server_tick, 1000, 1000);
}

/* Whether it only waits, for a request or for its next one. */
static bool connection_is_idle(const struct http_connection *connection)
{
	return !connection->request && !connection->status && !connection->body.bytes.data;
}

/* Whether one more may come; an idle one of a source that has more may have to go for it. */
static bool server_make_room(struct http_server *server, const char *address)
{
	const struct net_place *places[CONNECTION_LIMIT];
	struct http_connection *connections[CONNECTION_LIMIT], *connection;
	char source[NET_SOURCE_SIZE];
	size_t count = 0, index;
	enum net_room room;

	DL_FOREACH(server->connections, connection) {
		if (connection->ending || count == CONNECTION_LIMIT)
			continue;
		connection->place.busy = !connection_is_idle(connection);
		places[count] = &connection->place;
		connections[count++] = connection;
	}
	net_source_of(address, source);
	room = net_places_room(places, count, CONNECTION_LIMIT, source, &index);
	if (room != NET_ROOM_OF_ANOTHER)
		return room == NET_ROOM_FREE;
	connections[index]->ending = true;
	net_connection_kill(connections[index]->wsi);
	return true;
}

static void server_arrived(void *context, int socket, const char *address)
{
	struct http_server *server = context;
	struct http_connection *connection = NULL;
	lws_adopt_desc_t adoption = {
		.vh = server->vhost,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | (server->tls ? LWS_ADOPT_ALLOW_SSL : 0),
		.fd.sockfd = socket,
	};

	if (server->count < 2 * CONNECTION_LIMIT && server_make_room(server, address))
		connection = calloc(1, sizeof(*connection));
	if (!connection) {
		close(socket);
		return;
	}
	connection->server = server;
	net_source_of(address, connection->place.source);
	DL_APPEND(server->connections, connection);
	server->count++;
	connection_await(connection, REQUEST_SECONDS);
	adoption.opaque = server->arriving = connection;
	if (!lws_adopt_descriptor_vhost_via_info(&adoption) && !connection->wsi)
		connection_forget(connection);
	server->arriving = NULL;
}

static struct served_route *route_find(const struct http_server *server, const char *path)
{
	for (size_t i = 0; i < server->route_count; i++)
		if (!strcmp(server->routes[i].route.path, path))
			return &server->routes[i];
	return NULL;
}

static const struct http_receiver *receiver_find(const struct http_server *server, const char *path)
{
	for (size_t i = 0; i < server->receiver_count; i++)
		if (!strcmp(server->receivers[i].path, path))
			return &server->receivers[i];
	return NULL;
}

/* The memory of all bodies, this connection's included; what several share counts for each. */
static size_t bodies_size(const struct http_server *server)
{
	const struct http_connection *connection;
	size_t size = 0;

	DL_FOREACH(server->connections, connection)
		size += connection->body.bytes.length;
	return size;
}

/* An answer of our own. */
static int respond_briefly(struct http_connection *connection, int status, const char *words)
{
	struct text text = TEXT_EMPTY;

	http_body_free(&connection->body);
	text_append_string(&text, words);
	http_body_take(&connection->body, &text);
	return status;
}

/* Keeps a long answer: from now on, as writing it took a while. Without memory it is not kept. */
static void route_keep(struct served_route *served, struct http_body *body, uv_loop_t *loop)
{
	if (!body->packed || http_body_share(body, &served->kept) < 0)
		return;
	uv_update_time(loop);
	served->kept_until = uv_now(loop) + ANSWER_KEPT_MS;
}

/* Fills the body with what the route answers, or did just now. */
static int route_respond(struct served_route *served, struct http_body *body, uv_loop_t *loop)
{
	const struct http_route *route = &served->route;

	if (served->kept.packed && uv_now(loop) < served->kept_until)
		return http_body_share(&served->kept, body) < 0 ? -ENOMEM : served->status;
	http_body_free(&served->kept);
	served->status = http_body_fill(body, route->respond, route->context);
	route_keep(served, body, loop);
	return served->status;
}

/* Fills the body and returns the status of the answer. */
static int request_respond(struct http_connection *connection, struct served_route *route)
{
	int status;

	if (!route)
		return respond_briefly(connection, HTTP_STATUS_NOT_FOUND,
				       connection->server->receiver_count ? JSON_NOT_FOUND
									  : "not found\n");
	status = route_respond(route, &connection->body, connection->server->tick.loop);
	if (connection->body.bytes.length > PIECE_LIMIT &&
	    bodies_size(connection->server) > BODIES_LIMIT)
		return respond_briefly(connection, HTTP_STATUS_SERVICE_UNAVAILABLE,
				       "too many answers wait for their readers\n");
	return status < 0 ? HTTP_STATUS_INTERNAL_SERVER_ERROR : status;
}

/* A header that belongs to some statuses. */
static int status_header_add(struct lws *wsi, int status, unsigned char **at, unsigned char *end)
{
	static const struct {
		int status;
		const char *name, *value;
	} headers[] = {
		{HTTP_STATUS_METHOD_NOT_ALLOWED, "allow:", "GET, HEAD"},
		{HTTP_STATUS_UNAUTHORIZED, "www-authenticate:", "Bearer"},
		{TOO_MANY_REQUESTS, "retry-after:", "1"},
		{HTTP_STATUS_SERVICE_UNAVAILABLE, "retry-after:", "1"},
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		if (headers[i].status == status &&
		    lws_add_http_header_by_name(wsi, (const unsigned char *)headers[i].name,
						(const unsigned char *)headers[i].value,
						(int)strlen(headers[i].value), at, end))
			return -1;
	return 0;
}

/* What is packed for one reader is not for another, as a cache must know. */
static int packing_headers_add(struct lws *wsi, bool packed, unsigned char **at, unsigned char *end)
{
	static const unsigned char gzip[] = "gzip", varies[] = "Accept-Encoding";

	if (packed && lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_ENCODING, gzip,
						   sizeof(gzip) - 1, at, end))
		return -1;
	return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_VARY, varies, sizeof(varies) - 1,
					    at, end);
}

struct headers {
	int status;
	const char *type;
	size_t length;
	bool may_be_packed;
	bool packed;
};

static int headers_write(struct lws *wsi, const struct headers *headers)
{
	unsigned char buffer[LWS_PRE + HEADERS_LIMIT];
	unsigned char *start = buffer + LWS_PRE, *at = start, *end = buffer + sizeof(buffer) - 1;

	if (lws_add_http_common_headers(wsi, (unsigned int)headers->status, headers->type,
					headers->length, &at, end) ||
	    status_header_add(wsi, headers->status, &at, end))
		return -1;
	if (headers->may_be_packed && packing_headers_add(wsi, headers->packed, &at, end))
		return -1;
	return lws_finalize_write_http_header(wsi, start, &at, end);
}

/* Whether the next request may follow on the connection is for libwebsockets to say. */
static int connection_completed(struct http_connection *connection)
{
	http_body_free(&connection->body);
	connection->deadline = 0;
	return lws_http_transaction_completed(connection->wsi) ? -1 : 0;
}

/* A request with another method may have a body that nobody reads: its connection ends. */
static int method_refuse(struct http_connection *connection)
{
	unsigned char buffer[LWS_PRE + sizeof(JSON_METHOD)];
	bool json = connection->server->receiver_count;
	const struct headers headers = {
		.status = HTTP_STATUS_METHOD_NOT_ALLOWED,
		.type = json ? HTTP_JSON : "text/plain",
		.length = json ? strlen(JSON_METHOD) : 0,
	};

	memcpy(buffer + LWS_PRE, JSON_METHOD, sizeof(JSON_METHOD));
	if (headers_write(connection->wsi, &headers) == 0 && json)
		lws_write(connection->wsi, buffer + LWS_PRE, headers.length, LWS_WRITE_HTTP_FINAL);
	return -1;
}

/* Sends the headers of the answer; the body follows when the socket takes more. */
static int answer_begin(struct http_connection *connection)
{
	const struct headers headers = {
		.status = connection->status,
		.type = connection->content_type,
		.length = http_body_size(&connection->body, connection->takes_packed),
		.may_be_packed = connection->body.packed,
		.packed = connection->body.packed && connection->takes_packed,
	};

	connection->status = 0;
	connection_await(connection, ANSWER_SECONDS);
	if (headers_write(connection->wsi, &headers))
		return -1;
	if (connection->head || !headers.length)
		return connection_completed(connection);
	if (http_body_open(&connection->body, connection->takes_packed) < 0)
		return -1;
	connection->left = headers.length;
	lws_callback_on_writable(connection->wsi);
	return 0;
}

static int query_read(struct lws *wsi, struct strings *query)
{
	char member[MEMBER_LIMIT + 1];
	int length, result = 0;

	for (int i = 0; i < QUERY_LIMIT && result == 0; i++) {
		length = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i);
		if (length <= 0)
			return 0;
		if (length > MEMBER_LIMIT)
			return -EMSGSIZE;
		lws_hdr_copy_fragment(wsi, member, sizeof(member), WSI_TOKEN_HTTP_URI_ARGS, i);
		result = strings_add(query, member);
	}
	return result;
}

static int authorization_read(struct lws *wsi, char **ret_authorization)
{
	int length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	char *header = calloc(1, (size_t)length + 1);

	if (!header)
		return -ENOMEM;
	if (length > 0)
		lws_hdr_copy(wsi, header, length + 1, WSI_TOKEN_HTTP_AUTHORIZATION);
	*ret_authorization = header;
	return 0;
}

static void request_free(struct http_request *request)
{
	strings_free(&request->query);
	free(request->authorization);
	free(request);
}

static struct http_request *request_new(struct http_connection *connection)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	if (query_read(connection->wsi, &request->query) < 0 ||
	    authorization_read(connection->wsi, &request->authorization) < 0) {
		request_free(request);
		return NULL;
	}
	request->connection = connection;
	return request;
}

const char *http_request_authorization(const struct http_request *request)
{
	return request->authorization;
}

const struct strings *http_request_query(const struct http_request *request)
{
	return &request->query;
}

void http_request_answer(struct http_request *request, int status, struct text *body)
{
	struct http_connection *connection = request->connection;

	request_free(request);
	if (!connection) {
		text_free(body);
		return;
	}
	connection->request = NULL;
	connection->status = body->failed ? HTTP_STATUS_INTERNAL_SERVER_ERROR : status;
	if (body->failed)
		text_free(body);
	http_body_take(&connection->body, body);
	connection_await(connection, ANSWER_SECONDS);
	lws_callback_on_writable(connection->wsi);
}

/* Hands the request over; the connection waits until it is answered. */
static int request_pass_on(struct http_connection *connection, const struct http_receiver *receiver)
{
	connection->content_type = receiver->content_type;
	connection->request = request_new(connection);
	if (!connection->request)
		return -1;
	receiver->receive(receiver->context, connection->request);
	return 0;
}

/* A header that is too long to be looked at takes nothing packed. */
static bool reader_takes_packed(struct lws *wsi)
{
	char header[ACCEPT_LIMIT + 1];

	return lws_hdr_copy(wsi, header, sizeof(header), WSI_TOKEN_HTTP_ACCEPT_ENCODING) > 0 &&
	       http_accepts_packed(header);
}

static int request_answer(struct http_connection *connection, const char *path)
{
	struct lws *wsi = connection->wsi;
	const struct http_receiver *receiver;
	struct served_route *route;

	connection->deadline = 0;
	connection->head = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
	if (!connection->head && !lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI))
		return method_refuse(connection);
	connection->takes_packed = reader_takes_packed(wsi);
	receiver = receiver_find(connection->server, path);
	if (receiver)
		return request_pass_on(connection, receiver);
	route = route_find(connection->server, path);
	connection->content_type = route				? route->route.content_type
				   : connection->server->receiver_count ? HTTP_JSON
									: "text/plain";
	connection->status = request_respond(connection, route);
	return answer_begin(connection);
}

static int answer_write(struct http_connection *connection)
{
	unsigned char buffer[LWS_PRE + PIECE_LIMIT];
	size_t length;

	if (connection->status)
		return answer_begin(connection);
	if (!connection->left)
		return 0;
	if (http_body_read(&connection->body, buffer + LWS_PRE, PIECE_LIMIT, &length) < 0 ||
	    !length || length > connection->left)
		return -1;
	connection->left -= length;
	if (lws_write(connection->wsi, buffer + LWS_PRE, length,
		      connection->left ? LWS_WRITE_HTTP : LWS_WRITE_HTTP_FINAL) < 0)
		return -1;
	if (!connection->left)
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
		return answer_write(connection);
	case LWS_CALLBACK_WSI_DESTROY:
		connection_forget(connection);
		return 0;
	default:
		return 0;
	}
}

static int tls_set(struct http_server *server, SSL_CTX *tls)
{
	server->tls_settings = tls;
	return net_tls_server_set(tls, server->certificate_pem, server->key_pem, NULL);
}

static int server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t length)
{
	struct http_connection *connection;
	struct http_server *server;

	(void)length;
	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
		return tls_set(lws_vhost_user(in), user);
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

#define TLS_OPTIONS (LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX)

static int server_vhost_new(struct http_server *server, struct net_context *net)
{
	struct lws_context_creation_info info = {
		/* Not ..._SERVER without need: SNI would find this one for the link's connections.
		 */
		.port = server->tls ? CONTEXT_PORT_NO_LISTEN_SERVER : CONTEXT_PORT_NO_LISTEN,
		.options = server->tls ? TLS_OPTIONS : 0,
		.provided_client_ssl_ctx = server->no_client,
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

/* A copy of an array, owned by the caller; NULL with *ret_result set when memory ran out. */
static void *array_copy(const void *array, size_t count, size_t size, int *ret_result)
{
	void *copy;

	if (!count)
		return NULL;
	copy = calloc(count, size);
	if (copy)
		memcpy(copy, array, count * size);
	else
		*ret_result = -ENOMEM;
	return copy;
}

static struct served_route *routes_copy(const struct http_server_settings *settings,
					int *ret_result)
{
	struct served_route *routes;

	if (!settings->route_count)
		return NULL;
	routes = calloc(settings->route_count, sizeof(*routes));
	if (!routes)
		*ret_result = -ENOMEM;
	for (size_t i = 0; routes && i < settings->route_count; i++)
		routes[i].route = settings->routes[i];
	return routes;
}

static struct http_server *server_make(const struct http_server_settings *settings)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int result = 0;

	if (!server)
		return NULL;
	server->routes = routes_copy(settings, &result);
	server->receivers = array_copy(settings->receivers, settings->receiver_count,
				       sizeof(*settings->receivers), &result);
	server->route_count = server->routes ? settings->route_count : 0;
	server->receiver_count = settings->receiver_count;
	server->certificate_pem = settings->certificate_pem;
	server->key_pem = settings->key_pem;
	server->tls = settings->certificate_pem;
	if (result == 0)
		return server;
	server_free_memory(server);
	return NULL;
}

static int server_start(struct http_server *server, struct net_context *net, const char *address,
			int port, struct error *error)
{
	int result = net_listener_new(net_context_loop(net), address, port, server_arrived, server,
				      &server->listener, error);

	if (result < 0)
		return result;
	server->no_client = server->tls ? net_tls_no_client_new() : NULL;
	if ((server->tls && !server->no_client) || server_vhost_new(server, net) < 0) {
		server->listener = net_listener_free(server->listener);
		return error_set(error, EIO, "start the HTTP server: libwebsockets refuses");
	}
	uv_timer_init(net_context_loop(net), &server->tick);
	server->tick.data = server;
	server->holds = 2;
	return 0;
}

static int tls_check(const struct http_server_settings *settings, struct error *error)
{
	if (!settings->certificate_pem)
		return 0;
	return net_tls_server_check(settings->certificate_pem, settings->key_pem, error);
}

int http_server_new_with(struct net_context *net, const struct http_server_settings *settings,
			 struct http_server **ret_server, struct error *error)
{
	struct http_server *server;
	int result = tls_check(settings, error);

	if (result < 0)
		return error_wrap(error, result, "start the HTTP server");
	server = server_make(settings);
	if (!server)
		return error_set_errno(error, ENOMEM, "start the HTTP server");
	result = server_start(server, net, settings->address, settings->port, error);
	server->certificate_pem = server->key_pem = NULL;
	if (result < 0) {
		server_free_memory(server);
		return result;
	}
	*ret_server = server;
	return 0;
}

int http_server_new(struct net_context *net, const char *address, int port,
		    const struct http_route *routes, size_t count, struct http_server **ret_server,
		    struct error *error)
{
	const struct http_server_settings settings = {
		.address = address, .port = port, .routes = routes, .route_count = count};

	return http_server_new_with(net, &settings, ret_server, error);
}

static void tick_closed(uv_handle_t *tick)
{
	server_release(tick->data);
}

int http_server_set_certificate(struct http_server *server, const char *certificate_pem,
				const char *key_pem, struct error *error)
{
	int result = net_tls_server_check(certificate_pem, key_pem, error);

	if (result < 0)
		return result;
	return net_tls_server_set(server->tls_settings, certificate_pem, key_pem, error);
}

struct http_server *http_server_free(struct http_server *server)
{
	struct http_connection *connection, *next;

	if (!server)
		return NULL;
	server->listener = net_listener_free(server->listener);
	routes_free(server);
	server->receiver_count = 0;
	DL_FOREACH_SAFE(server->connections, connection, next)
		net_connection_kill(connection->wsi);
	uv_close((uv_handle_t *)&server->tick, tick_closed);
	if (!server->connections)
		lws_vhost_destroy(server->vhost);
	return NULL;
}
