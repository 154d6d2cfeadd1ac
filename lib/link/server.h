/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The operator's end of the link: a WebSocket server over TLS that agents dial. It frames, bounds
 * and keeps alive; who may come in and what messages mean is for its owner to say.
 */
#ifndef SKEP_LIB_LINK_SERVER_H
#define SKEP_LIB_LINK_SERVER_H

#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/net/context.h"

struct link_server;
struct link_peer; /* one connection; valid until `closed` has been called for it */

/* Bounds: what a peer may cost before and after it is let in. */
#define LINK_MESSAGE_LIMIT    (4 << 20)	 /* bytes of one message from an agent */
#define LINK_QUEUE_LIMIT      (16 << 20) /* bytes that wait for one agent; beyond, it is cut off */
#define LINK_CONNECTION_LIMIT 8192	 /* connections at one time */
#define LINK_STRANGER_LIMIT   64	 /* connections not let in yet, at one time */
#define LINK_ADMISSION_SECONDS                                                                     \
	10		      /* to be let in; those in which the loop stands still do not count */
#define LINK_SILENCE_MS 25000 /* without a byte from a peer, which pings; then it is cut off */

struct link_server_handlers {
	/*
	 * A peer wants in and shows `token` (of its Authorization header; "" where there is none).
	 * Answer with link_peer_admit() or link_peer_refuse(), now or later.
	 */
	void (*authenticate)(void *context, struct link_peer *peer, const char *token);
	/* An admitted peer sent a message (a JSON object; lives for the call). */
	void (*message)(void *context, struct link_peer *peer, const cJSON *message);
	/* The connection is over. Called once for each peer that was given to authenticate. */
	void (*closed)(void *context, struct link_peer *peer, const char *why);
};

struct link_server_stats {
	uint64_t connections;  /* open now, strangers included */
	uint64_t refused;      /* peers turned away, ever */
	uint64_t bad_messages; /* frames that were too long or no JSON object, ever */
};

/* Listens on `address` ("" for all) and `port` with a certificate chain and key, both PEM. */
int link_server_new(struct net_context *net, const char *address, int port,
		    const char *certificate_pem, const char *key_pem,
		    const struct link_server_handlers *handlers, void *context,
		    struct link_server **ret_server, struct error *error);

struct link_server *link_server_free(struct link_server *server);

/*
 * Listens no more and cuts all connections, whose `closed` is called from within; and listens again
 * where it did (of port 0, where the kernel chooses now).
 */
void link_server_suspend(struct link_server *server, const char *why);
int link_server_resume(struct link_server *server, struct error *error);

/*
 * Serves with another certificate from now on; connections that are there go on. On failure,
 * nothing has changed.
 */
int link_server_set_certificate(struct link_server *server, const char *certificate_pem,
				const char *key_pem, struct error *error);

struct link_server_stats link_server_stats(const struct link_server *server);

/* Lets the peer in: its messages are delivered from now on. */
void link_peer_admit(struct link_peer *peer);

/* Ends the connection and tells the peer why (the close frame's text). */
void link_peer_refuse(struct link_peer *peer, const char *why);

/* Queues a message for an admitted peer; takes `message`, also when it fails. */
int link_peer_send(struct link_peer *peer, cJSON *message);

/* The owner's pointer for this peer. */
void link_peer_set_data(struct link_peer *peer, void *data);
void *link_peer_data(const struct link_peer *peer);

/* The peer's address, for log lines. */
const char *link_peer_address(const struct link_peer *peer);

#endif
