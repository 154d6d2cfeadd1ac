// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/net/context.h"

_Static_assert(LINK_QUEUE_HEADROOM >= LWS_PRE, "lws_write() puts the frame's header before it");

const lws_retry_bo_t link_no_keepalive = {0};

struct link_piece link_wire_piece(struct lws *wsi, const void *in, size_t length)
{
	return (struct link_piece){
		.data = in,
		.length = length,
		.remaining = lws_remaining_packet_payload(wsi),
		.first = lws_is_first_fragment(wsi),
		.final = lws_is_final_fragment(wsi),
		.binary = lws_frame_is_binary(wsi),
	};
}

int link_wire_write(struct lws *wsi, struct link_queue *queue)
{
	struct link_piece piece;
	int flags;

	if (!link_queue_next(queue, LINK_FRAME_LIMIT, &piece))
		return 0;
	flags = lws_write_ws_flags(LWS_WRITE_TEXT, piece.first, piece.final);
	if (lws_write(wsi, (unsigned char *)piece.data, piece.length,
		      (enum lws_write_protocol)flags) < 0)
		return -EPIPE;
	link_queue_advance(queue, piece.length);
	if (queue->parcels)
		lws_callback_on_writable(wsi);
	return 0;
}

/* Its payload is of one byte: libwebsockets tells nobody of a pong without any. */
int link_wire_ping(struct lws *wsi)
{
	unsigned char frame[LWS_PRE + 1] = {0};

	return lws_write(wsi, frame + LWS_PRE, 1, LWS_WRITE_PING) < 0 ? -EPIPE : 0;
}

void link_wire_ask_to_close(struct lws *wsi)
{
	lws_set_timer_usecs(wsi, 1);
	net_connection_wake(wsi);
}

int link_wire_close(struct lws *wsi, int code, const char *why)
{
	lws_close_reason(wsi, (enum lws_close_status)code, (unsigned char *)why,
			 strnlen(why, LINK_WHY_LIMIT));
	return -1;
}

const char *link_wire_reason(const void *in, size_t length, char why[LINK_WHY_LIMIT + 1])
{
	const uint8_t *bytes = in;

	if (length < 2)
		snprintf(why, LINK_WHY_LIMIT + 1, "closed by the other end");
	else if (length == 2)
		snprintf(why, LINK_WHY_LIMIT + 1, "closed by the other end (code %d)",
			 bytes[0] << 8 | bytes[1]);
	else
		snprintf(why, LINK_WHY_LIMIT + 1, "%.*s", (int)(length - 2),
			 (const char *)bytes + 2);
	utf8_make_printable(why); /* a stranger wrote it, and it goes into a log */
	return why;
}

int link_wire_refusal(int result, const char **ret_why)
{
	switch (result) {
	case -EMSGSIZE:
		*ret_why = "message too long";
		return LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE;
	case -EBADMSG:
		*ret_why = "binary message; only text is understood";
		return LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE;
	case -EPROTO:
		*ret_why = "message is no JSON object in UTF-8";
		return LWS_CLOSE_STATUS_INVALID_PAYLOAD;
	default:
		*ret_why = "out of memory";
		return LWS_CLOSE_STATUS_UNEXPECTED_CONDITION;
	}
}
