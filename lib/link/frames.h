/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Puts the pieces of WebSocket frames together to messages and decodes them. Pure. */
#ifndef SKEP_LIB_LINK_FRAMES_H
#define SKEP_LIB_LINK_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/base/text.h"

/* One piece as it came off the wire: a part of a frame, which is a part of a message. */
struct link_piece {
	const char *data;
	size_t length;
	size_t remaining; /* of its frame, still to come: what the header claims */
	bool first;	  /* starts a message */
	bool final;	  /* ends a message */
	bool binary;
};

struct link_frames {
	struct text message;
};

/*
 * Takes one piece. Returns 1 when `frames->message` is whole (take it, then link_frames_reset()),
 * 0 when more has to come, -EMSGSIZE when the message is or claims to be longer than `limit`
 * bytes, -EBADMSG when it is binary, or -ENOMEM. It grows with what came, never by what is claimed.
 */
int link_frames_add(struct link_frames *frames, const struct link_piece *piece, size_t limit);

/* Empties it and gives its memory back. */
void link_frames_reset(struct link_frames *frames);

/* The JSON object in a message (UTF-8), owned by the caller, or NULL where it is none. */
cJSON *link_message_parse(const char *data, size_t length);

#endif
