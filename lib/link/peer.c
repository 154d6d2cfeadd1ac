// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

struct link_peer *link_peer_new(struct link_server *server, const char *address)
{
	struct link_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->server = server;
	peer->early.limit = LINK_STRANGER_BYTES;
	peer->outgoing.limit = LINK_QUEUE_LIMIT;
	snprintf(peer->why, sizeof(peer->why), "connection lost");
	snprintf(peer->address, sizeof(peer->address), "%s", address);
	net_source_of(address, peer->place.source);
	return peer;
}

struct link_peer *link_peer_free(struct link_peer *peer)
{
	if (!peer)
		return NULL;
	link_frames_reset(&peer->frames);
	link_queue_free(&peer->early);
	link_queue_free(&peer->outgoing);
	free(peer->token);
	free(peer);
	return NULL;
}

bool link_peer_is_stranger(const struct link_peer *peer)
{
	return peer->state == PEER_ARRIVING || peer->state == PEER_WAITING;
}

/* Goes on to a state in which it is no stranger any more. */
static void peer_become(struct link_peer *peer, enum peer_state state)
{
	if (link_peer_is_stranger(peer))
		link_server_stranger_settled(peer->server, peer);
	peer->state = state;
}

void link_peer_end(struct link_peer *peer, int code, const char *why)
{
	if (peer->state == PEER_ENDING)
		return;
	peer_become(peer, PEER_ENDING);
	peer->close_code = code;
	snprintf(peer->why, sizeof(peer->why), "%s", why);
	link_queue_free(&peer->early);
	link_wire_ask_to_close(peer->wsi);
}

void link_peer_cut(struct link_peer *peer, const char *why)
{
	if (peer->state != PEER_ENDING)
		snprintf(peer->why, sizeof(peer->why), "%s", why);
	peer_become(peer, PEER_ENDING);
	link_queue_free(&peer->early);
	link_queue_free(&peer->outgoing);
	if (peer->wsi)
		net_connection_kill(peer->wsi);
}

void link_peer_announce_closed(struct link_peer *peer)
{
	if (!peer->announced)
		return;
	peer->announced = false;
	link_server_closed(peer->server, peer);
}

/* A message that breaks the protocol ends the connection. */
static void peer_blame(struct link_peer *peer, int result)
{
	const char *why;
	int code = link_wire_refusal(result, &why);

	link_server_count_bad(peer->server);
	link_peer_end(peer, code, why);
}

static void peer_deliver(struct link_peer *peer, const char *data, size_t length)
{
	cleanup_json cJSON *message = link_message_parse(data, length);

	if (message)
		link_server_deliver(peer->server, peer, message);
	else
		peer_blame(peer, -EPROTO);
}

/* A handler may end the peer or free the server meanwhile; the text is our own to the end. */
static void peer_deliver_whole(struct link_peer *peer)
{
	struct text message = peer->frames.message;

	peer->frames.message = TEXT_EMPTY;
	if (peer->state == PEER_ADMITTED)
		peer_deliver(peer, message.data, message.length);
	else if (link_queue_push(&peer->early, message.data, message.length) < 0)
		peer_blame(peer, -EMSGSIZE);
	text_free(&message);
}

void link_peer_receive(struct link_peer *peer, const struct link_piece *piece)
{
	size_t limit = peer->state == PEER_ADMITTED ? LINK_MESSAGE_LIMIT : LINK_STRANGER_BYTES;
	int result;

	if (peer->state == PEER_ENDING)
		return;
	result = link_frames_add(&peer->frames, piece, limit);
	if (result < 0)
		peer_blame(peer, result);
	else if (result > 0)
		peer_deliver_whole(peer);
}

int link_peer_write(struct link_peer *peer)
{
	if (peer->state == PEER_ENDING)
		return 0;
	return link_wire_write(peer->wsi, &peer->outgoing);
}

void link_peer_admit(struct link_peer *peer)
{
	struct link_queue early = peer->early;
	struct link_piece piece;

	if (peer->state != PEER_WAITING)
		return;
	peer_become(peer, PEER_ADMITTED);
	peer->early = (struct link_queue){.limit = early.limit};
	while (peer->state == PEER_ADMITTED && link_queue_next(&early, SIZE_MAX, &piece)) {
		peer_deliver(peer, piece.data, piece.length);
		link_queue_advance(&early, piece.length);
	}
	link_queue_free(&early);
}

void link_peer_refuse(struct link_peer *peer, const char *why)
{
	if (peer->state == PEER_ENDING)
		return;
	link_server_count_refused(peer->server);
	link_peer_end(peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, why);
}

int link_peer_send(struct link_peer *peer, cJSON *message)
{
	int result;

	if (peer->state != PEER_ADMITTED) {
		cJSON_Delete(message);
		return -ENOTCONN;
	}
	result = link_queue_push_json(&peer->outgoing, message);
	if (result < 0)
		link_peer_cut(peer, result == -ENOBUFS ? "it does not read what it is sent"
						       : "out of memory");
	else
		lws_callback_on_writable(peer->wsi);
	return result;
}

void link_peer_set_data(struct link_peer *peer, void *data)
{
	peer->data = data;
}

void *link_peer_data(const struct link_peer *peer)
{
	return peer->data;
}

const char *link_peer_address(const struct link_peer *peer)
{
	return peer->address;
}
