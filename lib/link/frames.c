// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/frames.h"

#include <errno.h>
#include <stdint.h>

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

/*
 * How many bytes follow the first of a character, and the least and greatest second byte: Unicode
 * Standard, table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF).
 */
struct utf8_rule {
	uint8_t first, last; /* of the first byte */
	uint8_t follow, low, high;
};

static const struct utf8_rule utf8_rules[] = {
	{0x00, 0x7f, 0, 0x80, 0xbf}, {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
	{0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
	{0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct utf8_rule *utf8_rule_of(uint8_t byte)
{
	for (size_t i = 0; i < sizeof(utf8_rules) / sizeof(utf8_rules[0]); i++)
		if (byte >= utf8_rules[i].first && byte <= utf8_rules[i].last)
			return &utf8_rules[i];
	return NULL;
}

/* The bytes of the character at `data`, or 0 where there is none. */
static size_t utf8_character(const uint8_t *data, size_t length)
{
	const struct utf8_rule *rule = utf8_rule_of(data[0]);

	if (!rule || rule->follow >= length)
		return 0;
	if (rule->follow && (data[1] < rule->low || data[1] > rule->high))
		return 0;
	for (size_t i = 2; i <= rule->follow; i++)
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	return (size_t)rule->follow + 1;
}

static bool is_utf8(const char *data, size_t length)
{
	size_t at = 0, size;

	while (at < length) {
		size = utf8_character((const uint8_t *)data + at, length - at);
		if (!size)
			return false;
		at += size;
	}
	return true;
}

cJSON *link_message_parse(const char *data, size_t length)
{
	const char *end = NULL;
	cJSON *json;

	if (!length || !is_utf8(data, length))
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
