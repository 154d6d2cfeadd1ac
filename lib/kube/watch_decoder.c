// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/watch_decoder.h"

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/kube/oversized_object.h"

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

int watch_decoder_push(struct watch_decoder *decoder, const char *data, size_t length)
{
	return decode_buffer_push(&decoder->buffer, data, length);
}

/* The next line without its end, or NULL when it has not come whole. */
static const char *next_line(struct watch_decoder *decoder, size_t *ret_length)
{
	const char *line, *end;

	if (decoder->buffer.scanned == decoder->buffer.text.length)
		return NULL;
	line = decoder->buffer.text.data + decoder->buffer.consumed;
	end = memchr(decoder->buffer.text.data + decoder->buffer.scanned, '\n',
		     decoder->buffer.text.length - decoder->buffer.scanned);
	if (!end) {
		decoder->buffer.scanned = decoder->buffer.text.length;
		return NULL;
	}
	decoder->buffer.consumed = decoder->buffer.scanned =
		(size_t)(end + 1 - decoder->buffer.text.data);
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
	*ret_event = (struct watch_event){.type = type_of(type), .object = object, .line = json};
	return 1;
}

/* The type that a line says, which is a string in quotes. */
static enum watch_event_type type_of_line(struct json_stretch line)
{
	struct json_stretch value = json_span_member(line, "type");

	for (int type = WATCH_EVENT_ADDED; type < WATCH_EVENT_UNKNOWN; type++) {
		size_t length = strlen(type_names[type]);

		if (value.length == length + 2 &&
		    memcmp(value.start + 1, type_names[type], length) == 0)
			return (enum watch_event_type)type;
	}
	return WATCH_EVENT_UNKNOWN;
}

/* Reads what it can of a line that is too large, whole or not. */
static int decode_beginning(const struct watch_decoder *decoder, const char *line, size_t length,
			    struct watch_event *ret_event, struct error *error)
{
	struct json_stretch text = {line, length};
	enum watch_event_type type = type_of_line(text);
	cJSON *object = type <= WATCH_EVENT_DELETED
				? oversized_object(json_span_member(text, "object"))
				: NULL;

	if (!object)
		return error_set(error, EMSGSIZE, "a line is longer than %zu bytes",
				 decoder->line_limit);
	*ret_event = (struct watch_event){
		.type = type, .is_oversized = true, .object = object, .line = object};
	return 1;
}

static size_t unread(const struct watch_decoder *decoder)
{
	return decoder->buffer.text.length - decoder->buffer.consumed;
}

/* What is left has no line end and is too large to wait for one. */
static int start_skipping(struct watch_decoder *decoder, struct error *error)
{
	int result = decode_beginning(decoder, decoder->buffer.text.data + decoder->buffer.consumed,
				      unread(decoder), &decoder->oversized, error);

	if (result < 0)
		return result;
	decoder->is_skipping = true;
	return 0;
}

/* Decodes a line that has come whole. */
static int take_line(struct watch_decoder *decoder, const char *line, size_t length,
		     struct watch_event *ret_event, struct error *error)
{
	if (decoder->is_skipping) {
		decoder->is_skipping = false;
		*ret_event = decoder->oversized;
		decoder->oversized = (struct watch_event){0};
		return 1;
	}
	if (length > decoder->line_limit)
		return decode_beginning(decoder, line, length, ret_event, error);
	json_span_blank_managed(json_span_member((struct json_stretch){line, length}, "object"));
	return decode_line(line, length, ret_event, error);
}

static bool is_blank(const char *line, size_t length)
{
	return length == 0 || (length == 1 && *line == '\r');
}

int watch_decoder_next(struct watch_decoder *decoder, struct watch_event *ret_event,
		       struct error *error)
{
	const char *line;
	size_t length = 0;
	int result = 0;

	do
		line = next_line(decoder, &length);
	while (line && !decoder->is_skipping && is_blank(line, length));
	if (line)
		return take_line(decoder, line, length, ret_event, error);
	if (!decoder->is_skipping && unread(decoder) > decoder->line_limit)
		result = start_skipping(decoder, error);
	if (decoder->is_skipping)
		decoder->buffer.consumed = decoder->buffer.text.length;
	return result;
}

void watch_decoder_reset(struct watch_decoder *decoder)
{
	watch_event_free(&decoder->oversized);
	decode_buffer_free(&decoder->buffer);
	*decoder = (struct watch_decoder){.line_limit = decoder->line_limit};
}

void watch_event_free(struct watch_event *event)
{
	cJSON_Delete(event->line);
	*event = (struct watch_event){0};
}
