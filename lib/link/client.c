// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* A client's life, and what goes over its connection; how it comes by one is in client_dial.c. */
#include "lib/link/client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/token_file.h"
#include "lib/link/client_internal.h"
#include "lib/link/message.h"
#include "lib/net/tls.h"
#include "lib/link/wire.h"

#define CLIENT_QUEUE_LIMIT (16 << 20) /* bytes that wait for the operator */

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

static void client_end(struct link_client *client, int code, const char *why)
{
	if (client->state != CLIENT_CONNECTED)
		return;
	client->state = CLIENT_ENDING;
	client->close_code = code;
	snprintf(client->why, sizeof(client->why), "%s", why);
	link_wire_ask_to_close(client->wsi);
}

/*
 * Shows the token as it is in the file now: the kubelet renews it there. One that cannot be read is
 * not shown; the operator ends the connection when it has waited for long, and the next attempt
 * says why.
 */
static void show_token(uv_timer_t *timer)
{
	struct link_client *client = timer->data;
	cleanup_free char *token = NULL;
	cJSON *message;

	if (token_file_read(client->settings.token_file, LINK_TOKEN_LIMIT, &token, NULL) < 0)
		return;
	message = token_encode(token);
	if (message)
		(void)link_client_send(client, message); /* what fails is tried again */
}

static void client_heard(struct link_client *client)
{
	client->silent_ticks = 0;
}

/*
 * Whether the operator's kernel has acknowledged all that was sent, the ping included: then the
 * operator is held up, or hangs, and one more connection would not help it.
 */
static bool machine_answers(const struct link_client *client)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(lws_get_socket_fd(client->wsi), IPPROTO_TCP, TCP_INFO, &info, &size) ==
		       0 &&
	       info.tcpi_unacked == 0;
}

/*
 * Pings go out whatever comes in: who is only spoken to would be silent for the operator. A tick of
 * silence is one in which the loop looked for what has come: one that was held up has a single tick
 * for all that it missed, and the operator is not to blame for that.
 */
static void on_tick(uv_timer_t *timer)
{
	struct link_client *client = timer->data;

	client->silent_ticks++;
	if (++client->ticks % LINK_PING_TICKS == 0) {
		client->ping_due = true;
		lws_callback_on_writable(client->wsi);
	}
	if (client->silent_ticks < LINK_SILENCE_TICKS ||
	    (client->silent_ticks < LINK_BUSY_TICKS && machine_answers(client)))
		return;
	uv_timer_stop(&client->tick);
	snprintf(client->why, sizeof(client->why), "the operator has been silent for too long");
	net_connection_kill(client->wsi);
}

static void client_established(struct link_client *client)
{
	uint64_t interval_ms = client->settings.show_token_ms, tick_ms = client->settings.tick_ms;

	uv_timer_start(&client->show, show_token, interval_ms, interval_ms);
	uv_timer_start(&client->tick, on_tick, tick_ms, tick_ms);
	client->ping_due = false;
	client_heard(client);
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
	backoff_reset(&client->backoff);
	client->handlers.message(client->context, message);
}

static void client_receive(struct link_client *client, const struct link_piece *piece)
{
	const char *why;
	int result, code;

	if (client->state != CLIENT_CONNECTED)
		return;
	client_heard(client);
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
	if (!client->ping_due)
		return link_wire_write(client->wsi, &client->outgoing);
	client->ping_due = false;
	if (client->outgoing.parcels)
		lws_callback_on_writable(client->wsi);
	return link_wire_ping(client->wsi);
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
		return link_client_append_token(client, wsi, in, length);
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		link_client_connection_error(client, in);
		return 0;
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		client_established(client);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE:
		piece = link_wire_piece(wsi, in, length);
		client_receive(client, &piece);
		return 0;
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		client_heard(client);
		return 0;
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return client_write(client);
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		client_told_why(client, in, length);
		return 0;
	case LWS_CALLBACK_TIMER:
		return link_wire_close(wsi, client->close_code, client->why);
	case LWS_CALLBACK_CLIENT_CLOSED:
		link_client_over(client, client->why);
		return 0;
	default:
		return 0;
	}
}

/*
 * libwebsockets forgets a connection, and has not always said that it is over: one that fails while
 * others of its context do may go without a word, and nobody would dial again.
 */
static void client_forgotten(struct link_client *client, const struct lws *wsi)
{
	if (client->wsi != wsi)
		return;
	if (client->state == CLIENT_DIALLING)
		link_client_connection_error(client, NULL);
	else if (client->state != CLIENT_PAUSING)
		link_client_over(client, client->why);
}

static int client_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
			   size_t length)
{
	struct link_client *client;

	(void)user;
	if (reason == LWS_CALLBACK_PROTOCOL_INIT || reason == LWS_CALLBACK_PROTOCOL_DESTROY)
		return 0;
	client = lws_get_opaque_user_data(wsi);
	if (!client)
		return 0;
	if (reason == LWS_CALLBACK_WSI_DESTROY) {
		client_forgotten(client, wsi);
		return 0;
	}
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
		.retry_and_idle_policy = &link_no_keepalive,
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
	to->show_token_ms = from->show_token_ms ? from->show_token_ms : LINK_SHOW_TOKEN_MS;
	to->tick_ms = from->tick_ms ? from->tick_ms : LINK_TICK_MS;
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
	result = net_tls_client_new(&client->verdict, &client->tls, error);
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
	client->backoff.least = LINK_RETRY_FIRST_MS;
	client->backoff.most = LINK_RETRY_LIMIT_MS;
	result = client_make(client, settings, error);
	if (result < 0) {
		client_free_memory(client);
		return result;
	}
	uv_timer_init(net_context_loop(net), &client->pause);
	uv_timer_init(net_context_loop(net), &client->show);
	uv_timer_init(net_context_loop(net), &client->tick);
	client->pause.data = client->show.data = client->tick.data = client;
	client->holds = 4;
	link_client_dial_after(client, 0);
	*ret_client = client;
	return 0;
}

static void timer_closed(uv_handle_t *timer)
{
	client_release(timer->data);
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
	link_client_forget_wsi(client);
	uv_close((uv_handle_t *)&client->pause, timer_closed);
	uv_close((uv_handle_t *)&client->show, timer_closed);
	uv_close((uv_handle_t *)&client->tick, timer_closed);
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
