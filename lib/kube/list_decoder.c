// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/list_decoder.h"

#include <errno.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/oversized_object.h"

/* What a byte leads to. */
enum list_step {
	STEP_ON,    /* the next byte */
	STEP_AGAIN, /* the same byte, as a value begins with it */
	STEP_WRONG, /* this is no list */
};

static void begin_value(struct list_decoder *decoder, bool is_item)
{
	decoder->state = LIST_INSIDE;
	decoder->span = (struct json_span){0};
	decoder->is_item = is_item;
	decoder->buffer.consumed = decoder->buffer.scanned;
}

static enum list_step step_member(struct list_decoder *decoder, char byte)
{
	if (byte == '"') {
		decoder->state = LIST_KEY;
		decoder->key_length = 0;
	} else if (byte == '}') {
		decoder->state = LIST_END;
	} else if (byte != ',') {
		return STEP_WRONG;
	}
	return STEP_ON;
}

/* A longer name than any that matters keeps its first bytes, which then equal none. */
static enum list_step step_key(struct list_decoder *decoder, char byte)
{
	if (byte == '"')
		decoder->state = LIST_COLON;
	else if (decoder->key_length < LIST_KEY_SIZE)
		decoder->key[decoder->key_length++] = byte;
	return byte == '\\' ? STEP_WRONG : STEP_ON;
}

static bool is_key(const struct list_decoder *decoder, const char *name)
{
	return decoder->key_length == strlen(name) &&
	       memcmp(decoder->key, name, decoder->key_length) == 0;
}

static enum list_step step_value(struct list_decoder *decoder, char byte)
{
	if (byte == '[' && is_key(decoder, "items")) {
		decoder->has_items = true;
		decoder->state = LIST_ITEMS;
		return STEP_ON;
	}
	begin_value(decoder, false);
	return STEP_AGAIN;
}

static enum list_step step_items(struct list_decoder *decoder, char byte)
{
	if (byte == ',')
		return STEP_ON;
	if (byte == ']') {
		decoder->state = LIST_MEMBER;
		return STEP_ON;
	}
	begin_value(decoder, true);
	return STEP_AGAIN;
}

static enum list_step step(struct list_decoder *decoder, char byte)
{
	if (decoder->state == LIST_KEY)
		return step_key(decoder, byte);
	if (json_is_space(byte))
		return STEP_ON;
	switch (decoder->state) {
	case LIST_START:
		decoder->state = LIST_MEMBER;
		return byte == '{' ? STEP_ON : STEP_WRONG;
	case LIST_MEMBER:
		return step_member(decoder, byte);
	case LIST_COLON:
		decoder->state = LIST_VALUE;
		return byte == ':' ? STEP_ON : STEP_WRONG;
	case LIST_VALUE:
		return step_value(decoder, byte);
	case LIST_ITEMS:
		return step_items(decoder, byte);
	default:
		return STEP_WRONG; /* more behind the end */
	}
}

static struct json_stretch value_under_way(const struct list_decoder *decoder)
{
	return (struct json_stretch){decoder->buffer.text.data + decoder->buffer.consumed,
				     decoder->buffer.scanned - decoder->buffer.consumed};
}

/* Whether the bytes of the value under way are needed when it is over. */
static bool is_wanted(const struct list_decoder *decoder)
{
	return decoder->is_item || is_key(decoder, "metadata") || is_key(decoder, "items");
}

/* The value under way is larger than it may be: its bytes go, but for what it says of itself. */
static void give_up_value(struct list_decoder *decoder)
{
	if (decoder->is_oversized)
		return;
	decoder->is_oversized = true;
	decoder->oversized = oversized_object(value_under_way(decoder));
}

/* Marks as done with what has been looked at and is not needed any more. */
static void bound_value(struct list_decoder *decoder)
{
	bool is_kept = decoder->state == LIST_INSIDE && is_wanted(decoder);

	if (is_kept && !decoder->is_oversized &&
	    value_under_way(decoder).length <= decoder->object_limit)
		return;
	if (is_kept)
		give_up_value(decoder);
	decoder->buffer.consumed = decoder->buffer.scanned;
}

int list_decoder_push(struct list_decoder *decoder, const char *data, size_t length)
{
	bound_value(decoder);
	return decode_buffer_push(&decoder->buffer, data, length);
}

/* A collection that is empty may come as null, which is how Go writes an empty slice. */
static int take_absent_items(struct list_decoder *decoder, struct json_stretch value)
{
	decoder->has_items = value.length == 4 && memcmp(value.start, "null", 4) == 0;
	return decoder->has_items ? 0 : -EBADMSG;
}

static int take_oversized(struct list_decoder *decoder, struct json_stretch value,
			  struct list_part *ret_part)
{
	cJSON *known =
		decoder->is_oversized ? take_pointer(decoder->oversized) : oversized_object(value);

	decoder->is_oversized = false;
	*ret_part = (struct list_part){LIST_PART_OVERSIZED, known};
	return 1;
}

static int take_part(enum list_part_type type, struct json_stretch value,
		     struct list_part *ret_part)
{
	cJSON *json = cJSON_ParseWithLength(value.start, value.length);

	/* Either it is no JSON or memory ran out: not to be taken for an object that is gone. */
	if (!json)
		return -EBADMSG;
	*ret_part = (struct list_part){type, json};
	return 1;
}

/* A member of the list itself. Returns as take_value(). */
static int take_member(struct list_decoder *decoder, struct json_stretch value, bool is_oversized,
		       struct list_part *ret_part)
{
	if (!is_wanted(decoder))
		return 0;
	if (is_oversized)
		return -EBADMSG;
	if (is_key(decoder, "items"))
		return take_absent_items(decoder, value);
	decoder->has_metadata = true;
	return take_part(LIST_PART_METADATA, value, ret_part);
}

/* Makes a part of the value that is over. Returns 1, 0 where nobody wants it, or -EBADMSG. */
static int take_value(struct list_decoder *decoder, struct list_part *ret_part)
{
	struct json_stretch value = value_under_way(decoder);
	bool is_oversized = decoder->is_oversized || value.length > decoder->object_limit;

	if (!decoder->is_item)
		return take_member(decoder, value, is_oversized, ret_part);
	if (is_oversized)
		return take_oversized(decoder, value, ret_part);
	json_span_blank_managed(value);
	return take_part(LIST_PART_OBJECT, value, ret_part);
}

static int end_value(struct list_decoder *decoder, struct list_part *ret_part)
{
	int result = take_value(decoder, ret_part);

	decoder->state = decoder->is_item ? LIST_ITEMS : LIST_MEMBER;
	decoder->buffer.consumed = decoder->buffer.scanned;
	return result;
}

static int tell_end(struct list_decoder *decoder, struct list_part *ret_part)
{
	if (decoder->state != LIST_END)
		return 0;
	if (!decoder->has_items || !decoder->has_metadata)
		return -EBADMSG;
	decoder->state = LIST_OVER;
	*ret_part = (struct list_part){.type = LIST_PART_END};
	return 1;
}

/* Goes through the value under way. Returns as look(). */
static int look_inside(struct list_decoder *decoder, struct list_part *ret_part)
{
	bool is_over;

	decoder->buffer.scanned +=
		json_span_walk(&decoder->span, decoder->buffer.text.data + decoder->buffer.scanned,
			       decoder->buffer.text.length - decoder->buffer.scanned, &is_over);
	return is_over ? end_value(decoder, ret_part) : 0;
}

/* Looks at a byte, or what there is of a value. Returns 1 with a part, 0, or -EBADMSG. */
static int look(struct list_decoder *decoder, struct list_part *ret_part)
{
	enum list_step result;

	if (decoder->state == LIST_INSIDE)
		return look_inside(decoder, ret_part);
	result = step(decoder, decoder->buffer.text.data[decoder->buffer.scanned]);
	if (result == STEP_WRONG)
		return -EBADMSG;
	decoder->buffer.scanned += result == STEP_ON;
	return 0;
}

int list_decoder_next(struct list_decoder *decoder, struct list_part *ret_part, struct error *error)
{
	int result = 0;

	while (result == 0 && decoder->buffer.scanned < decoder->buffer.text.length)
		result = look(decoder, ret_part);
	if (result == 0)
		result = tell_end(decoder, ret_part);
	if (result == -EBADMSG)
		return error_set(error, EBADMSG, "the answer is no list of objects");
	return result;
}

void list_decoder_reset(struct list_decoder *decoder)
{
	cJSON_Delete(decoder->oversized);
	decode_buffer_free(&decoder->buffer);
	*decoder = (struct list_decoder){.object_limit = decoder->object_limit};
}
