// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/frames.h"

#include <errno.h>

#include "lib/base/utf8.h"

static bool fits(const struct link_frames *frames, const struct link_piece *piece, size_t limit)
{
	size_t have = frames->message.length;

	return have <= limit && piece->length <= limit - have &&
	       piece->remaining <= limit - have - piece->length;
}

int link_frames_add(struct link_frames *frames, const struct link_piece *piece, size_t limit)
{
	if (piece->binary)
		return -EBADMSG;
	if (piece->first)
		text_clear(&frames->message);
	if (!fits(frames, piece, limit))
		return -EMSGSIZE;
	text_append(&frames->message, piece->data, piece->length);
	if (frames->message.failed)
		return -ENOMEM;
	return piece->final;
}

void link_frames_reset(struct link_frames *frames)
{
	text_free(&frames->message);
}

cJSON *link_message_parse(const char *data, size_t length)
{
	const char *end = NULL;
	cJSON *json;

	if (!length || !utf8_is_valid(data, length))
		return NULL;
	json = cJSON_ParseWithLengthOpts(data, length, &end, 0);
	while (json && end < data + length && (*end == ' ' || (*end >= '\t' && *end <= '\r')))
		end++;
	if (!cJSON_IsObject(json) || end != data + length) {
		cJSON_Delete(json);
		return NULL;
	}
	return json;
}
