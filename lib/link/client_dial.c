// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * One attempt goes: read CA file and token, look the host up, connect, TLS, WebSocket. Wherever it
 * ends, client_failed() tells the owner why, and a timer starts the next one.
 */
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/token_file.h"
#include "lib/link/client_internal.h"
#include "lib/net/tls.h"
#include "lib/link/wire.h"

static void client_dial(struct link_client *client);

static void pause_over(uv_timer_t *pause)
{
	client_dial(pause->data);
}

void link_client_dial_after(struct link_client *client, uint64_t pause_ms)
{
	uv_timer_start(&client->pause, pause_over, pause_ms, 0);
}

static void client_pause(struct link_client *client)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0; /* no chance in it, then */
	client->attempt++;
	link_client_dial_after(client, backoff_next(&client->backoff, random));
}

void link_client_forget_wsi(struct link_client *client)
{
	if (client->wsi)
		lws_set_opaque_user_data(client->wsi, NULL);
	client->wsi = NULL;
}

void link_client_over(struct link_client *client, const char *why)
{
	client->state = CLIENT_PAUSING;
	uv_timer_stop(&client->show);
	uv_timer_stop(&client->tick);
	link_client_forget_wsi(client);
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
	char why[LINK_CLIENT_WHY_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	link_client_over(client, why);
}

/* Reads what may have changed since the last attempt. */
static int client_read_files(struct link_client *client, struct error *error)
{
	char *token = NULL;
	int result = net_tls_client_trust(client->tls, client->settings.ca_file, error);

	if (result == 0)
		result = token_file_read(client->settings.token_file, LINK_TOKEN_LIMIT, &token,
					 error);
	if (result < 0)
		return result;
	free(client->token);
	client->token = token;
	return 0;
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

	link_client_forget_wsi(client);
	snprintf(client->why, sizeof(client->why), "%s", why);
	net_context_drop_stale_polls(client->net);
	if (client->retired)
		return;
	if (net_probe_new(net_context_loop(client->net), client->address, client->settings.port,
			  client_probed, client, &client->probe, &error) < 0)
		client_failed(client, "%s", error.message);
}

/* Whether nobody has answered the connection attempt itself. */
static bool is_unanswered(struct lws *wsi)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(lws_get_socket_fd(wsi), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
	       info.tcpi_state == TCP_SYN_SENT;
}

/* What is there no more does not answer; the kernel would go on asking it for minutes. */
static void connect_time_over(uv_timer_t *pause)
{
	struct link_client *client = pause->data;

	if (client->state != CLIENT_DIALLING || !client->wsi || !is_unanswered(client->wsi))
		return;
	net_connection_kill(client->wsi);
	client_failed(client, "connect to %s port %d: no answer within %d s", client->settings.host,
		      client->settings.port, LINK_CONNECT_MS / 1000);
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
		.retry_and_idle_policy = &link_no_keepalive,
		.opaque_user_data = client,
	};

	snprintf(host, sizeof(host), "%s", client->settings.server_name);
	client->verdict = X509_V_OK;
	uv_timer_start(&client->pause, connect_time_over, LINK_CONNECT_MS, 0);
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

void link_client_connection_error(struct link_client *client, const char *text)
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

int link_client_append_token(struct link_client *client, struct lws *wsi, unsigned char **position,
			     size_t room)
{
	char value[LINK_TOKEN_LIMIT + sizeof("Bearer ")];
	int length = snprintf(value, sizeof(value), "Bearer %s", client->token);

	return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION,
					    (unsigned char *)value, length, position,
					    *position + room);
}
