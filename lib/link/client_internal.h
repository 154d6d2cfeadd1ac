/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The inside of the agent's end: attempts to connect (client_dial.c), what a connection does. */
#ifndef SKEP_LIB_LINK_CLIENT_INTERNAL_H
#define SKEP_LIB_LINK_CLIENT_INTERNAL_H

#include <netinet/in.h>

#include <libwebsockets.h>

#include "lib/base/backoff.h"
#include "lib/link/client.h"
#include "lib/link/frames.h"
#include "lib/link/queue.h"
#include "lib/net/dial.h"

#define LINK_CLIENT_WHY_SIZE 256

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
	uv_timer_t show; /* runs while it is connected */
	uv_timer_t tick; /* likewise */
	unsigned int ticks, silent_ticks;
	bool ping_due;
	struct net_lookup *lookup;
	struct net_probe *probe;
	enum client_state state;
	struct lws *wsi;	/* of the present attempt */
	struct backoff backoff; /* between attempts */
	unsigned int attempt;	/* since the last message; picks among the host's addresses */
	char *token;
	char address[INET6_ADDRSTRLEN];
	struct link_frames frames;
	struct link_queue outgoing;
	int close_code;
	char why[LINK_CLIENT_WHY_SIZE];
	bool retired; /* freed by its owner: no handler is called any more */
	int holds;    /* what still points here: the timers and the virtual host */
};

/* Starts an attempt after a pause, or from the loop's next turn where that is 0. */
void link_client_dial_after(struct link_client *client, uint64_t pause_ms);

/* The attempt or connection is over: tells the owner why, and tries again after a pause. */
void link_client_over(struct link_client *client, const char *why);

/* What libwebsockets still says of the old connection is nobody's business any more. */
void link_client_forget_wsi(struct link_client *client);

/* The attempt failed between connect() and the WebSocket; `text`, or NULL, is of libwebsockets. */
void link_client_connection_error(struct link_client *client, const char *text);

/* Writes the header with the token at *position. Returns 0, or not 0 for libwebsockets. */
int link_client_append_token(struct link_client *client, struct lws *wsi, unsigned char **position,
			     size_t room);

#endif
