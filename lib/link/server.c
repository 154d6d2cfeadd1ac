// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/server.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <utlist.h>

#include "lib/link/peer.h"
#include "lib/net/tls.h"

#define TICK_MS		 1000 /* how often strangers' time is looked at */
#define LOOK_TICKS	 5    /* from one look at who is silent to the next */
#define BEARER		 "Bearer "
#define UPGRADE_REQUIRED 426 /* RFC 9110, 15.5.22 */

struct link_server {
	uv_timer_t tick;
	struct net_context *net;
	struct net_listener *listener; /* NULL while it is suspended */
	char *address;
	int port;
	struct lws_vhost *vhost;
	SSL_CTX *tls_settings; /* the virtual host's */
	SSL_CTX *no_client;    /* of the virtual host, which dials nobody */
	struct link_server_handlers handlers;
	void *context;
	const char *certificate_pem, *key_pem; /* while it is made */
	struct link_peer *strangers;	       /* the oldest first */
	struct link_peer *peers;	       /* all others */
	struct link_peer *arriving;	       /* while libwebsockets takes its socket */
	int stranger_count;
	uint64_t silence_ms;
	unsigned int ticks;
	struct link_server_stats stats;
	int holds; /* what still points here: the timer and the virtual host */
};

static void server_free_memory(struct link_server *server)
{
	SSL_CTX_free(server->no_client);
	free(server->address);
	free(server);
}

static void server_release(struct link_server *server)
{
	if (--server->holds == 0)
		server_free_memory(server);
}

void link_server_deliver(struct link_server *server, struct link_peer *peer, const cJSON *message)
{
	server->handlers.message(server->context, peer, message);
}

void link_server_closed(struct link_server *server, struct link_peer *peer)
{
	server->handlers.closed(server->context, peer, peer->why);
}

void link_server_count_refused(struct link_server *server)
{
	server->stats.refused++;
}

void link_server_count_bad(struct link_server *server)
{
	server->stats.bad_messages++;
}

/* A peer whose time to be let in is over. One that has no WebSocket yet gets no close frame. */
static void stranger_expire(struct link_peer *peer)
{
	if (peer->state == PEER_WAITING) {
		link_peer_refuse(peer, "not let in within the time for it; try again");
		return;
	}
	peer->server->stats.refused++;
	link_peer_cut(peer, "no request came");
}

static void strangers_grow_older(struct link_server *server)
{
	struct link_peer *peer, *next;

	DL_FOREACH_SAFE(server->strangers, peer, next) {
		if (++peer->age >= LINK_ADMISSION_SECONDS)
			stranger_expire(peer);
	}
}

/*
 * How long ago the kernel took in the last byte from a peer, whether or not this process has come
 * to read it; 0 where it does not say.
 */
static uint64_t peer_silence_ms(const struct link_peer *peer)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(lws_get_socket_fd(peer->wsi), IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return 0;
	return info.tcpi_last_data_recv;
}

static void cut_silent_peers(struct link_server *server)
{
	struct link_peer *peer, *next;

	DL_FOREACH_SAFE(server->peers, peer, next) {
		if (peer->state == PEER_ADMITTED && peer_silence_ms(peer) > server->silence_ms)
			link_peer_cut(peer, "it has been silent for too long");
	}
}

/* A loop that was held up has one tick for all that it missed. */
static void server_tick(uv_timer_t *tick)
{
	struct link_server *server = tick->data;

	strangers_grow_older(server);
	if (++server->ticks % LOOK_TICKS == 0)
		cut_silent_peers(server);
}

void link_server_stranger_settled(struct link_server *server, struct link_peer *peer)
{
	DL_DELETE(server->strangers, peer);
	DL_APPEND(server->peers, peer);
	server->stranger_count--;
}

/* The strangers, the oldest first; returns their number. */
static size_t strangers_list(const struct link_server *server,
			     struct link_peer *strangers[LINK_STRANGER_LIMIT])
{
	struct link_peer *peer;
	size_t count = 0;

	DL_FOREACH(server->strangers, peer) {
		if (count < LINK_STRANGER_LIMIT)
			strangers[count++] = peer;
	}
	return count;
}

/* Whether one more stranger may come; one of a source that has more may have to go for it. */
static bool strangers_make_room(struct link_server *server, const char *address)
{
	struct link_peer *strangers[LINK_STRANGER_LIMIT];
	const struct net_place *places[LINK_STRANGER_LIMIT];
	size_t count = strangers_list(server, strangers), index;
	char source[NET_SOURCE_SIZE];
	enum net_room room;

	for (size_t i = 0; i < count; i++)
		places[i] = &strangers[i]->place;
	net_source_of(address, source);
	room = net_places_room(places, count, LINK_STRANGER_LIMIT, source, &index);
	if (room == NET_ROOM_OF_ANOTHER) {
		server->stats.refused++;
		link_peer_cut(strangers[index], "too many come from its address");
	}
	return room != NET_ROOM_NONE;
}

static void server_forget(struct link_server *server, struct link_peer *peer)
{
	link_peer_announce_closed(peer);
	if (link_peer_is_stranger(peer))
		link_server_stranger_settled(server, peer);
	DL_DELETE(server->peers, peer);
	server->stats.connections--;
	link_peer_free(peer);
}

/* Gives the socket to libwebsockets, which closes it if it does not want it. */
static void server_adopt(struct link_server *server, struct link_peer *peer, int socket)
{
	lws_adopt_desc_t adoption = {
		.vh = server->vhost,
		.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | LWS_ADOPT_ALLOW_SSL,
		.fd.sockfd = socket,
		.opaque = peer,
	};
	struct lws *wsi;

	server->arriving = peer;
	wsi = lws_adopt_descriptor_vhost_via_info(&adoption);
	server->arriving = NULL;
	if (!wsi && !peer->wsi)
		server_forget(server, peer);
}

static void server_arrived(void *context, int socket, const char *address)
{
	struct link_server *server = context;
	struct link_peer *peer = NULL;

	if (server->stats.connections < LINK_CONNECTION_LIMIT &&
	    (server->stranger_count < LINK_STRANGER_LIMIT || strangers_make_room(server, address)))
		peer = link_peer_new(server, address);
	if (!peer) {
		server->stats.refused++;
		close(socket);
		return;
	}
	DL_APPEND(server->strangers, peer);
	server->stranger_count++;
	server->stats.connections++;
	server_adopt(server, peer, socket);
}

/* The path, without a query. */
static bool request_path_is(struct lws *wsi, const char *path)
{
	char uri[sizeof(LINK_PATH) + 1] = "";

	return lws_hdr_copy(wsi, uri, sizeof(uri), WSI_TOKEN_GET_URI) > 0 && !strcmp(uri, path);
}

/* Whether the request may become a WebSocket; answers it where not. For libwebsockets. */
static int request_upgrade(struct lws *wsi, const char *wanted)
{
	if (strcasecmp(wanted, "websocket") != 0 || !request_path_is(wsi, LINK_PATH)) {
		lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL);
		return 1;
	}
	return lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0 ? 0 : -1;
}

static int request_answer(struct lws *wsi, const char *path)
{
	unsigned int status = !strcmp(path, LINK_PATH) ? UPGRADE_REQUIRED : HTTP_STATUS_NOT_FOUND;

	lws_return_http_status(wsi, status, NULL);
	return -1;
}

/* Keeps the token; the header is gone when the WebSocket is there. */
static int request_token(struct link_peer *peer, struct lws *wsi)
{
	int length = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
	char header[sizeof(BEARER) + LINK_TOKEN_LIMIT] = "";

	if (length >= (int)sizeof(header))
		return -1;
	lws_hdr_copy(wsi, header, sizeof(header), WSI_TOKEN_HTTP_AUTHORIZATION);
	if (!strncasecmp(header, BEARER, strlen(BEARER)))
		peer->token = strdup(header + strlen(BEARER));
	else
		peer->token = strdup("");
	return peer->token ? 0 : -1;
}

static int peer_established(struct link_peer *peer)
{
	char *token = peer->token;
	struct link_server *server = peer->server;

	if (peer->state == PEER_ENDING)
		return 0;
	peer->token = NULL;
	peer->state = PEER_WAITING;
	peer->announced = true;
	server->handlers.authenticate(server->context, peer, token);
	free(token);
	return 0;
}

/* What concerns a connection of ours. */
static int peer_event(struct link_peer *peer, struct lws *wsi, enum lws_callback_reasons reason,
		      void *in, size_t length)
{
	struct link_piece piece;

	switch ((int)reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return request_upgrade(wsi, in);
	case LWS_CALLBACK_HTTP:
		return request_answer(wsi, in);
	case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
		return request_token(peer, wsi);
	case LWS_CALLBACK_ESTABLISHED:
		return peer_established(peer);
	case LWS_CALLBACK_RECEIVE:
		piece = link_wire_piece(wsi, in, length);
		link_peer_receive(peer, &piece);
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return link_peer_write(peer);
	case LWS_CALLBACK_TIMER:
		return link_wire_close(wsi, peer->close_code, peer->why);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		if (peer->state != PEER_ENDING)
			link_wire_reason(in, length, peer->why);
		return 0;
	case LWS_CALLBACK_CLOSED:
		link_peer_announce_closed(peer);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		server_forget(peer->server, peer);
		return 0;
	default:
		return 0;
	}
}

static int tls_set(struct link_server *server, SSL_CTX *tls)
{
	server->tls_settings = tls;
	return net_tls_server_set(tls, server->certificate_pem, server->key_pem, NULL);
}

static int server_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t length)
{
	struct link_peer *peer;
	struct link_server *server;

	if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS)
		return tls_set(lws_vhost_user(in), user);
	if (reason == LWS_CALLBACK_WSI_CREATE) {
		server = lws_vhost_user(lws_get_vhost(wsi));
		server->arriving->wsi = wsi;
		return 0;
	}
	peer = reason == LWS_CALLBACK_PROTOCOL_INIT || reason == LWS_CALLBACK_PROTOCOL_DESTROY
		       ? NULL
		       : lws_get_opaque_user_data(wsi);
	return peer ? peer_event(peer, wsi, reason, in, length) : 0;
}

static const struct lws_protocols protocols[] = {
	{.name = LINK_SUBPROTOCOL, .callback = server_callback, .rx_buffer_size = LINK_RX_SMALL},
	{0},
};

static void vhost_gone(struct lws_vhost *vhost, void *context)
{
	struct link_server *server = context;

	(void)vhost;
	if (server->holds)
		server_release(server);
}

static int server_vhost_new(struct link_server *server, struct net_context *net)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.vhost_name = "link-server",
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			   LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX,
		.provided_client_ssl_ctx = server->no_client,
		.alpn = "http/1.1",
		.http_proxy_address = NET_NO_PROXY,
		.timeout_secs_ah_idle = 2 * LINK_ADMISSION_SECONDS, /* ours comes first */
		.retry_and_idle_policy = &link_no_keepalive,
		.user = server,
		.finalize = vhost_gone,
		.finalize_arg = server,
	};

	server->vhost = lws_create_vhost(net_context_lws(net), &info);
	return server->vhost ? 0 : -EIO;
}

static void tick_closed(uv_handle_t *tick)
{
	server_release(tick->data);
}

int link_server_resume(struct link_server *server, struct error *error)
{
	return net_listener_new(net_context_loop(server->net), server->address, server->port,
				server_arrived, server, &server->listener, error);
}

static int server_start(struct link_server *server, struct net_context *net, struct error *error)
{
	int result = link_server_resume(server, error);

	if (result < 0)
		return result;
	server->no_client = net_tls_no_client_new();
	if (!server->no_client || server_vhost_new(server, net) < 0) {
		server->listener = net_listener_free(server->listener);
		return error_set(error, EIO, "start the server for agents: libwebsockets refuses");
	}
	uv_timer_init(net_context_loop(net), &server->tick);
	server->tick.data = server;
	uv_timer_start(&server->tick, server_tick, TICK_MS, TICK_MS);
	server->holds = 2;
	return 0;
}

int link_server_new(struct net_context *net, const char *address, int port,
		    const char *certificate_pem, const char *key_pem,
		    const struct link_server_handlers *handlers, void *context,
		    struct link_server **ret_server, struct error *error)
{
	struct link_server *server;
	int result = net_tls_server_check(certificate_pem, key_pem, error);

	if (result < 0)
		return error_wrap(error, result, "start the server for agents");
	server = calloc(1, sizeof(*server));
	if (server)
		server->address = strdup(address);
	if (!server || !server->address) {
		free(server);
		return error_set_errno(error, ENOMEM, "start the server for agents");
	}
	server->net = net;
	server->port = port;
	server->silence_ms = LINK_SILENCE_MS;
	server->handlers = *handlers;
	server->context = context;
	server->certificate_pem = certificate_pem;
	server->key_pem = key_pem;
	result = server_start(server, net, error);
	server->certificate_pem = server->key_pem = NULL;
	if (result < 0) {
		server_free_memory(server);
		return result;
	}
	*ret_server = server;
	return 0;
}

void link_server_suspend(struct link_server *server, const char *why)
{
	struct link_peer *peer, *next;

	server->listener = net_listener_free(server->listener);
	DL_FOREACH_SAFE(server->strangers, peer, next) {
		link_peer_cut(peer, why); /* it goes over to the others */
	}
	DL_FOREACH_SAFE(server->peers, peer, next) {
		link_peer_cut(peer, why);
		link_peer_announce_closed(peer);
	}
}

void link_server_set_silence(struct link_server *server, uint64_t silence_ms)
{
	server->silence_ms = silence_ms;
}

int link_server_set_certificate(struct link_server *server, const char *certificate_pem,
				const char *key_pem, struct error *error)
{
	int result = net_tls_server_check(certificate_pem, key_pem, error);

	if (result < 0)
		return result;
	return net_tls_server_set(server->tls_settings, certificate_pem, key_pem, error);
}

struct link_server *link_server_free(struct link_server *server)
{
	if (!server)
		return NULL;
	link_server_suspend(server, "the server ends");
	uv_close((uv_handle_t *)&server->tick, tick_closed);
	if (!server->stats.connections)
		lws_vhost_destroy(server->vhost);
	return NULL;
}

struct link_server_stats link_server_stats(const struct link_server *server)
{
	return server->stats;
}
