/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* One connection of the server: what only the files of the server know of it. */
#ifndef SKEP_LIB_LINK_PEER_H
#define SKEP_LIB_LINK_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <libwebsockets.h>

#include "lib/link/frames.h"
#include "lib/link/queue.h"
#include "lib/link/server.h"
#include "lib/link/wire.h"
#include "lib/net/listener.h"
#include "lib/net/places.h"

#define LINK_STRANGER_BYTES (64 << 10) /* that a peer may send before it is let in */

enum peer_state {
	PEER_ARRIVING, /* TLS and HTTP are under way */
	PEER_WAITING,  /* given to authenticate */
	PEER_ADMITTED,
	PEER_ENDING, /* nothing is sent or delivered any more */
};

struct link_peer {
	struct link_peer *prev, *next;
	struct link_server *server;
	struct lws *wsi; /* NULL until libwebsockets has it */
	enum peer_state state;
	bool announced;	  /* given to authenticate, and `closed` not called yet */
	unsigned int age; /* of a stranger, in ticks of the server */
	char *token;	  /* from the request until authenticate */
	struct link_frames frames;
	struct link_queue early;    /* messages that came before it was let in */
	struct link_queue outgoing; /* messages to it */
	int close_code;		    /* of the close frame to send, or 0 */
	char why[LINK_WHY_LIMIT + 1];
	char address[NET_ADDRESS_SIZE];
	struct net_place place; /* among the strangers */
	void *data;
};

struct link_peer *link_peer_new(struct link_server *server, const char *address);
struct link_peer *link_peer_free(struct link_peer *peer);

bool link_peer_is_stranger(const struct link_peer *peer);

/* Takes a piece that came; ends the peer when it may not send such. */
void link_peer_receive(struct link_peer *peer, const struct link_piece *piece);

/* The socket takes bytes. Returns -1 when the connection is to end, for libwebsockets. */
int link_peer_write(struct link_peer *peer);

/* Ends the connection with a close frame; the first call's reason stands. */
void link_peer_end(struct link_peer *peer, int code, const char *why);

/* Ends it at once, without a close frame. */
void link_peer_cut(struct link_peer *peer, const char *why);

/* Calls `closed` if that is due. */
void link_peer_announce_closed(struct link_peer *peer);

/* Of the server, for its peers. */
void link_server_deliver(struct link_server *server, struct link_peer *peer, const cJSON *message);
void link_server_closed(struct link_server *server, struct link_peer *peer);
void link_server_stranger_settled(struct link_server *server, struct link_peer *peer);
void link_server_count_refused(struct link_server *server);
void link_server_count_bad(struct link_server *server);

/* Another time than LINK_SILENCE_MS, for tests, which cannot wait for that. */
void link_server_set_silence(struct link_server *server, uint64_t silence_ms);

#endif
