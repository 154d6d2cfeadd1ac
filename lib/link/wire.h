/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What both ends of the link agree on, and the moving of pieces in and out of libwebsockets. */
#ifndef SKEP_LIB_LINK_WIRE_H
#define SKEP_LIB_LINK_WIRE_H

#include <libwebsockets.h>

#include "lib/link/frames.h"
#include "lib/link/message.h"
#include "lib/link/queue.h"

#define LINK_SUBPROTOCOL "skep.v1"
#define LINK_PATH	 "/v1/agents"
#define LINK_WHY_LIMIT	 123	      /* bytes of a close frame's text (RFC 6455, 5.5) */
#define LINK_RX_BUFFER	 4096	      /* bytes of a piece that libwebsockets hands over */
#define LINK_RX_SMALL	 512	      /* likewise, where there are thousands of connections */
#define LINK_FRAME_LIMIT (16384 - 64) /* bytes of a frame that we send: fits one TLS record */

/*
 * None of libwebsockets' own keepalive: it sorts the timers of all connections into one list by
 * walking it, and takes the other end for silent when this process did not come to read for a
 * while.
 */
extern const lws_retry_bo_t link_no_keepalive;

/* The piece that a receive callback was given. */
struct link_piece link_wire_piece(struct lws *wsi, const void *in, size_t length);

/*
 * Writes the next piece of the queue, and asks to be called again while there are more. For a
 * writeable callback. Returns 0, or -EPIPE when the connection is lost.
 */
int link_wire_write(struct lws *wsi, struct link_queue *queue);

/* Writes a ping (RFC 6455, 5.5.2). For a writeable callback. Returns 0 or -EPIPE. */
int link_wire_ping(struct lws *wsi);

/*
 * Asks for a timer callback, which is the place to close from: where another callback returns -1,
 * Debian's libwebsockets 4.1, built with its debugging checks, closes twice on a libuv loop, and
 * the second time drops the close frame of the first.
 */
void link_wire_ask_to_close(struct lws *wsi);

/*
 * For that callback: prepares the close frame, its code and text, which is cut where it is too
 * long. Returns -1, for the callback to return.
 */
int link_wire_close(struct lws *wsi, int code, const char *why);

/*
 * Why the other end closed, from the payload of its close frame (RFC 6455, 5.5.1): its text, or
 * words for its code. Fills `why` and returns it.
 */
const char *link_wire_reason(const void *in, size_t length, char why[LINK_WHY_LIMIT + 1]);

/* The close code and words for a message that link_frames_add() refused with `result`. */
int link_wire_refusal(int result, const char **ret_why);

#endif
