// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/watch_decoder.h"

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"

/* A buffer beyond this is given back once it is empty; one large object is no reason to keep it. */
#define BUFFER_KEEP_LIMIT (64 << 10)

/* How much of a bad line is shown. */
#define EXCERPT_LENGTH 80

static const char *const type_names[] = {
	[WATCH_EVENT_ADDED] = "ADDED",	   [WATCH_EVENT_MODIFIED] = "MODIFIED",
	[WATCH_EVENT_DELETED] = "DELETED", [WATCH_EVENT_BOOKMARK] = "BOOKMARK",
	[WATCH_EVENT_ERROR] = "ERROR",
};

static enum watch_event_type type_of(const char *name)
{
	for (int type = WATCH_EVENT_ADDED; type < WATCH_EVENT_UNKNOWN; type++)
		if (strcmp(type_names[type], name) == 0)
			return (enum watch_event_type)type;
	return WATCH_EVENT_UNKNOWN;
}

/* Moves what is left to the front of the buffer. */
static void drop_consumed(struct watch_decoder *decoder)
{
	struct text *buffer = &decoder->buffer;

	if (!decoder->consumed)
		return;
	buffer->length -= decoder->consumed;
	decoder->scanned -= decoder->consumed;
	memmove(buffer->data, buffer->data + decoder->consumed, buffer->length);
	decoder->consumed = 0;
	if (!buffer->length && buffer->capacity > BUFFER_KEEP_LIMIT)
		text_free(buffer);
}

int watch_decoder_push(struct watch_decoder *decoder, const char *data, size_t length)
{
	drop_consumed(decoder);
	text_append(&decoder->buffer, data, length);
	return decoder->buffer.failed ? -ENOMEM : 0;
}

/* The next line without its end, or NULL when it has not come whole. */
static const char *next_line(struct watch_decoder *decoder, size_t *ret_length)
{
	const char *line, *end;

	if (decoder->scanned == decoder->buffer.length)
		return NULL;
	line = decoder->buffer.data + decoder->consumed;
	end = memchr(decoder->buffer.data + decoder->scanned, '\n',
		     decoder->buffer.length - decoder->scanned);
	if (!end) {
		decoder->scanned = decoder->buffer.length;
		return NULL;
	}
	decoder->consumed = decoder->scanned = (size_t)(end + 1 - decoder->buffer.data);
	*ret_length = (size_t)(end - line);
	return line;
}

static int decode_line(const char *line, size_t length, struct watch_event *ret_event,
		       struct error *error)
{
	cJSON *json = cJSON_ParseWithLength(line, length);
	const cJSON *object = json_find(json, "object");
	const char *type = json_string(json, "type");
	int shown = length < EXCERPT_LENGTH ? (int)length : EXCERPT_LENGTH;

	if (!type || !cJSON_IsObject(object)) {
		cJSON_Delete(json);
		return error_set(error, EBADMSG, "a line of %zu bytes is no watch event: \"%.*s\"",
				 length, shown, line);
	}
	*ret_event = (struct watch_event){type_of(type), object, json};
	return 1;
}

static size_t unread(const struct watch_decoder *decoder)
{
	return decoder->buffer.length - decoder->consumed;
}

int watch_decoder_next(struct watch_decoder *decoder, struct watch_event *ret_event,
		       struct error *error)
{
	const char *line;
	size_t length = 0;

	do
		line = next_line(decoder, &length);
	while (line && (length == 0 || (length == 1 && *line == '\r')));
	if (line && length <= decoder->line_limit)
		return decode_line(line, length, ret_event, error);
	if (line || unread(decoder) > decoder->line_limit)
		return error_set(error, EMSGSIZE, "a line is longer than %zu bytes",
				 decoder->line_limit);
	return 0;
}

void watch_decoder_reset(struct watch_decoder *decoder)
{
	text_free(&decoder->buffer);
	decoder->consumed = 0;
	decoder->scanned = 0;
}

void watch_event_free(struct watch_event *event)
{
	cJSON_Delete(event->line);
	*event = (struct watch_event){0};
}
