// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * One attempt goes: read CA file and token, look the host up, connect, TLS, WebSocket. Wherever it
 * ends, client_failed() tells the owner why, and a timer starts the next one.
 */
#include "lib/link/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "lib/base/cleanup.h"
#include "lib/link/backoff.h"
#include "lib/link/frames.h"
#include "lib/link/queue.h"
#include "lib/link/tls.h"
#include "lib/link/wire.h"
#include "lib/net/dial.h"

#define CLIENT_QUEUE_LIMIT (16 << 20) /* bytes that wait for the operator */
#define PING_SECONDS	   15
#define HANGUP_SECONDS	   25
#define WHY_SIZE	   256

enum client_state {
	CLIENT_PAUSING,
	CLIENT_DIALLING,
	CLIENT_CONNECTED,
	CLIENT_ENDING, /* connected, but we close */
};

struct link_client {
	struct net_context *net;
	struct link_client_settings settings; /* owned copies */
	struct link_client_handlers handlers;
	void *context;
	struct lws_vhost *vhost;
	SSL_CTX *tls;
	int verdict; /* on the server's certificate, in the last handshake */
	uv_timer_t pause;
	struct net_lookup *lookup;
	struct net_probe *probe;
	enum client_state state;
	struct lws *wsi; /* of the present attempt */
	unsigned int attempt;
	char *token;
	char address[INET6_ADDRSTRLEN];
	struct link_frames frames;
	struct link_queue outgoing;
	int close_code;
	char why[WHY_SIZE];
	bool retired; /* freed by its owner: no handler is called any more */
	int holds;    /* what still points here: the timer and the virtual host */
};

static const lws_retry_bo_t keepalive = {
	.secs_since_valid_ping = PING_SECONDS,
	.secs_since_valid_hangup = HANGUP_SECONDS,
};

static void client_dial(struct link_client *client);

static void client_free_memory(struct link_client *client)
{
	SSL_CTX_free(client->tls);
	link_frames_reset(&client->frames);
	link_queue_free(&client->outgoing);
	free(client->token);
	free((char *)client->settings.host);
	free((char *)client->settings.server_name);
	free((char *)client->settings.ca_file);
	free((char *)client->settings.token_file);
	free(client);
}

static void client_release(struct link_client *client)
{
	if (--client->holds == 0)
		client_free_memory(client);
}

static void pause_over(uv_timer_t *pause)
{
	client_dial(pause->data);
}

static void client_pause(struct link_client *client)
{
	uint32_t random = 0;
	uint64_t pause;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0; /* no chance in it, then */
	pause = link_backoff(client->attempt, LINK_RETRY_FIRST_MS, LINK_RETRY_LIMIT_MS, random);
	client->attempt++;
	uv_timer_start(&client->pause, pause_over, pause, 0);
}

/* What libwebsockets still says of the old connection is nobody's business any more. */
static void client_forget_wsi(struct link_client *client)
{
	if (client->wsi)
		lws_set_opaque_user_data(client->wsi, NULL);
	client->wsi = NULL;
}

/* The attempt or connection is over. */
static void client_over(struct link_client *client, const char *why)
{
	client->state = CLIENT_PAUSING;
	client_forget_wsi(client);
	link_frames_reset(&client->frames);
	link_queue_free(&client->outgoing);
	if (client->retired)
		return;
	client_pause(client);
	client->handlers.disconnected(client->context, why);
}

__attribute__((format(printf, 2, 3))) static void client_failed(struct link_client *client,
								const char *format, ...)
{
	char why[WHY_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	client_over(client, why);
}

static int token_read(const char *path, char **ret_token, struct error *error)
{
	cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC);
	char token[LINK_TOKEN_LIMIT + 1];
	ssize_t length = file < 0 ? -1 : read(file, token, sizeof(token));

	if (length < 0)
		return error_set_errno(error, errno, "read token file %s", path);
	if (length == (ssize_t)sizeof(token))
		return error_set(error, EFBIG, "read token file %s: longer than %d bytes", path,
				 LINK_TOKEN_LIMIT);
	while (length && strchr(" \t\r\n", token[length - 1]))
		length--;
	if (!length || memchr(token, '\n', (size_t)length) || memchr(token, '\0', (size_t)length))
		return error_set(error, EINVAL, "read token file %s: it holds no token", path);
	*ret_token = strndup(token, (size_t)length);
	return *ret_token ? 0 : error_set_errno(error, ENOMEM, "read token file %s", path);
}

/* Reads what may have changed since the last attempt. */
static int client_read_files(struct link_client *client, struct error *error)
{
	char *token = NULL;
	int result = link_tls_client_trust(client->tls, client->settings.ca_file, error);

	if (result == 0)
		result = token_read(client->settings.token_file, &token, error);
	if (result < 0)
		return result;
	free(client->token);
	client->token = token;
	return 0;
}

static void poll_memory_free(uv_handle_t *handle)
{
	free(handle);
}

/*
 * When connect() fails, libwebsockets 4.1 closes the socket but forgets its poll handle
 * (lws_client_connect_3_connect()), which would hold the loop and the number of the descriptor for
 * ever. Such a handle is known by its descriptor, which is closed.
 */
static void poll_close_if_stale(uv_handle_t *handle, void *context)
{
	uv_os_fd_t descriptor;

	(void)context;
	if (handle->type != UV_POLL || uv_is_closing(handle) || uv_fileno(handle, &descriptor) < 0)
		return;
	if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
		uv_close(handle, poll_memory_free);
}

static void stale_polls_close(struct link_client *client)
{
	uv_walk(net_context_loop(client->net), poll_close_if_stale, NULL);
}

static void client_probed(void *context, const char *why)
{
	struct link_client *client = context;

	client->probe = NULL;
	client_failed(client, "connect to %s port %d: %s", client->settings.host,
		      client->settings.port, why ? why : client->why);
}

/* No connection came about, and libwebsockets does not say why. */
static void client_ask_why(struct link_client *client, const char *why)
{
	struct error error;

	client_forget_wsi(client);
	snprintf(client->why, sizeof(client->why), "%s", why);
	stale_polls_close(client);
	if (client->retired)
		return;
	if (net_probe_new(net_context_loop(client->net), client->address, client->settings.port,
			  client_probed, client, &client->probe, &error) < 0)
		client_failed(client, "%s", error.message);
}

static void client_connect(struct link_client *client)
{
	char host[NI_MAXHOST];
	struct lws_client_connect_info info = {
		.context = net_context_lws(client->net),
		.vhost = client->vhost,
		.address = client->address,
		.port = client->settings.port,
		.path = LINK_PATH,
		.host = host,
		.protocol = LINK_SUBPROTOCOL,
		.alpn = "http/1.1",
		.ssl_connection = LCCSCF_USE_SSL | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
		.ietf_version_or_minus_one = -1,
		.retry_and_idle_policy = &keepalive,
		.opaque_user_data = client,
	};

	snprintf(host, sizeof(host), "%s", client->settings.server_name);
	client->verdict = X509_V_OK;
	client->wsi = lws_client_connect_via_info(&info);
	if (!client->wsi && client->state == CLIENT_DIALLING)
		client_ask_why(client, "it fails");
}

static void client_found(void *context, const char *address, const char *why)
{
	struct link_client *client = context;

	client->lookup = NULL;
	if (!address) {
		client_failed(client, "look up %s: %s", client->settings.host,
			      why ? why : "no answer");
		return;
	}
	snprintf(client->address, sizeof(client->address), "%s", address);
	client_connect(client);
}

static bool address_is_numeric(const char *host)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	return !uv_ip4_addr(host, 0, &v4) || !uv_ip6_addr(host, 0, &v6);
}

static void client_dial(struct link_client *client)
{
	const char *host = client->settings.host;
	struct error error;
	int result = client_read_files(client, &error);

	client->state = CLIENT_DIALLING;
	if (result == 0 && address_is_numeric(host)) {
		client_found(client, host, NULL); /* no thread of the pool is started for it */
		return;
	}
	if (result == 0)
		result = net_lookup_new(net_context_loop(client->net), host, client->attempt,
					client_found, client, &client->lookup, &error);
	if (result < 0)
		client_failed(client, "%s", error.message);
}

/* What libwebsockets says, when connect() failed and why is lost. */
static bool is_about_connecting(const char *text)
{
	return !strcmp(text, "Unable to connect") || !strcmp(text, "closed before established");
}

/* The attempt failed between connect() and the WebSocket; `text` is of libwebsockets. */
static void client_connection_error(struct link_client *client, const char *text)
{
	const struct link_client_settings *settings = &client->settings;

	if (client->verdict != X509_V_OK)
		client_failed(client,
			      "the certificate of %s port %d is not good for %s by CA file %s: %s",
			      settings->host, settings->port, settings->server_name,
			      settings->ca_file, X509_verify_cert_error_string(client->verdict));
	else if (!text || is_about_connecting(text))
		client_ask_why(client, text ? text : "it fails");
	else
		client_failed(client, "connect to %s port %d: %s", settings->host, settings->port,
			      text);
}

static int header_append(struct link_client *client, struct lws *wsi, unsigned char **position,
			 size_t room)
{
	char value[LINK_TOKEN_LIMIT + sizeof("Bearer ")];
	int length = snprintf(value, sizeof(value), "Bearer %s", client->token);

	return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION,
					    (unsigned char *)value, length, position,
					    *position + room);
}

static void client_end(struct link_client *client, int code, const char *why)
{
	if (client->state != CLIENT_CONNECTED)
		return;
	client->state = CLIENT_ENDING;
	client->close_code = code;
	snprintf(client->why, sizeof(client->why), "%s", why);
	link_wire_ask_to_close(client->wsi);
}

static void client_established(struct link_client *client)
{
	client->state = CLIENT_CONNECTED;
	snprintf(client->why, sizeof(client->why), "connection lost");
	client->handlers.connected(client->context);
}

static void client_deliver(struct link_client *client)
{
	struct text text = client->frames.message;
	cleanup_json cJSON *message = link_message_parse(text.data, text.length);

	client->frames.message = TEXT_EMPTY;
	text_free(&text);
	if (!message) {
		client_end(client, LWS_CLOSE_STATUS_INVALID_PAYLOAD,
			   "the operator sent a message that is no JSON object");
		return;
	}
	client->attempt = 0;
	client->handlers.message(client->context, message);
}

static void client_receive(struct link_client *client, const struct link_piece *piece)
{
	const char *why;
	int result, code;

	if (client->state != CLIENT_CONNECTED)
		return;
	result = link_frames_add(&client->frames, piece, LINK_CLIENT_MESSAGE_LIMIT);
	if (result > 0)
		client_deliver(client);
	if (result >= 0)
		return;
	code = link_wire_refusal(result, &why);
	client_end(client, code, why);
}

static int client_write(struct link_client *client)
{
	if (client->state != CLIENT_CONNECTED)
		return 0;
	return link_wire_write(client->wsi, &client->outgoing);
}

static void client_told_why(struct link_client *client, const void *in, size_t length)
{
	char why[LINK_WHY_LIMIT + 1];

	if (client->state == CLIENT_CONNECTED)
		snprintf(client->why, sizeof(client->why), "the operator closed: %s",
			 link_wire_reason(in, length, why));
}

static int client_event(struct link_client *client, struct lws *wsi,
			enum lws_callback_reasons reason, void *in, size_t length)
{
	struct link_piece piece;

	switch ((int)reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return header_append(client, wsi, in, length);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		client_connection_error(client, in);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		client_established(client);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		piece = link_wire_piece(wsi, in, length);
		client_receive(client, &piece);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return client_write(client);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		client_told_why(client, in, length);
		return 0;
	case LWS_CALLBACK_TIMER:
		return link_wire_close(wsi, client->close_code, client->why);
	case LWS_CALLBACK_CLIENT_CLOSED:
		client_over(client, client->why);
		return 0;
	default:
		return 0;
	}
}

static int client_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t length)
{
	struct link_client *client;

	(void)user;
	if (reason == LWS_CALLBACK_PROTOCOL_INIT || reason == LWS_CALLBACK_PROTOCOL_DESTROY)
		return 0;
	client = lws_get_opaque_user_data(wsi);
	if (!client || reason == LWS_CALLBACK_WSI_DESTROY)
		return 0;
	client->wsi = wsi; /* it may come before lws_client_connect_via_info() returns */
	return client_event(client, wsi, reason, in, length);
}

static const struct lws_protocols protocols[] = {
	{.name = LINK_SUBPROTOCOL, .callback = client_callback, .rx_buffer_size = LINK_RX_BUFFER},
	{0},
};

static void vhost_gone(struct lws_vhost *vhost, void *context)
{
	struct link_client *client = context;

	(void)vhost;
	if (client->holds)
		client_release(client);
}

static int client_vhost_new(struct link_client *client)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.vhost_name = "link-client",
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.provided_client_ssl_ctx = client->tls,
		.http_proxy_address = NET_NO_PROXY,
		.retry_and_idle_policy = &keepalive,
		.user = client,
		.finalize = vhost_gone,
		.finalize_arg = client,
	};

	client->vhost = lws_create_vhost(net_context_lws(client->net), &info);
	return client->vhost ? 0 : -EIO;
}

static int settings_copy(struct link_client_settings *to, const struct link_client_settings *from)
{
	to->port = from->port;
	to->host = strdup(from->host);
	to->server_name = strdup(from->server_name);
	to->ca_file = strdup(from->ca_file);
	to->token_file = strdup(from->token_file);
	return to->host && to->server_name && to->ca_file && to->token_file ? 0 : -ENOMEM;
}

static int client_make(struct link_client *client, const struct link_client_settings *settings,
		       struct error *error)
{
	int result = settings_copy(&client->settings, settings);

	if (result < 0)
		return error_set_errno(error, -result, "start the link to the operator");
	result = link_tls_client_new(&client->verdict, &client->tls, error);
	if (result < 0)
		return error_wrap(error, result, "start the link to the operator");
	if (client_vhost_new(client) < 0)
		return error_set(error, EIO,
				 "start the link to the operator: libwebsockets "
				 "refuses");
	return 0;
}

int link_client_new(struct net_context *net, const struct link_client_settings *settings,
		    const struct link_client_handlers *handlers, void *context,
		    struct link_client **ret_client, struct error *error)
{
	struct link_client *client = calloc(1, sizeof(*client));
	int result;

	if (!client)
		return error_set_errno(error, ENOMEM, "start the link to the operator");
	client->net = net;
	client->handlers = *handlers;
	client->context = context;
	client->outgoing.limit = CLIENT_QUEUE_LIMIT;
	result = client_make(client, settings, error);
	if (result < 0) {
		client_free_memory(client);
		return result;
	}
	uv_timer_init(net_context_loop(net), &client->pause);
	client->pause.data = client;
	client->holds = 2;
	uv_timer_start(&client->pause, pause_over, 0, 0);
	*ret_client = client;
	return 0;
}

static void pause_closed(uv_handle_t *pause)
{
	client_release(pause->data);
}

struct link_client *link_client_free(struct link_client *client)
{
	if (!client)
		return NULL;
	client->retired = true;
	client->lookup = net_lookup_free(client->lookup);
	client->probe = net_probe_free(client->probe);
	if (client->wsi)
		net_connection_kill(client->wsi);
	client_forget_wsi(client);
	uv_close((uv_handle_t *)&client->pause, pause_closed);
	return NULL;
}

bool link_client_is_connected(const struct link_client *client)
{
	return client->state == CLIENT_CONNECTED;
}

int link_client_send(struct link_client *client, cJSON *message)
{
	int result;

	if (client->state != CLIENT_CONNECTED) {
		cJSON_Delete(message);
		return -ENOTCONN;
	}
	result = link_queue_push_json(&client->outgoing, message);
	if (result == 0)
		lws_callback_on_writable(client->wsi);
	return result;
}
