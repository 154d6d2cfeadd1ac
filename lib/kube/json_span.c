// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/json_span.h"

#include <string.h>

bool json_is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* What a byte is to the value. */
enum step {
	STEP_INSIDE, /* it belongs to it, and more may come */
	STEP_LAST,   /* it is the last one */
	STEP_BEHIND, /* it comes behind a value that has no closing mark */
};

static enum step step_in_string(struct json_span *span, char byte)
{
	if (span->is_escaped) {
		span->is_escaped = false;
	} else if (byte == '\\') {
		span->is_escaped = true;
	} else if (byte == '"') {
		span->is_in_string = false;
		return span->depth ? STEP_INSIDE : STEP_LAST;
	}
	return STEP_INSIDE;
}

/* Whether a bare value cannot go on with this byte. */
static bool is_mark(char byte)
{
	return byte == ',' || byte == ':' || byte == '}' || byte == ']' || json_is_space(byte);
}

/* A mark ends a bare value, or closes what is open. */
static enum step step_over_mark(struct json_span *span, char byte)
{
	if (!span->depth)
		return STEP_BEHIND;
	if (byte == '}' || byte == ']')
		span->depth--;
	return span->depth ? STEP_INSIDE : STEP_LAST;
}

static enum step step(struct json_span *span, char byte)
{
	if (span->is_in_string)
		return step_in_string(span, byte);
	if (span->is_begun && is_mark(byte))
		return step_over_mark(span, byte);
	span->is_begun = true;
	span->is_in_string = byte == '"';
	span->depth += byte == '{' || byte == '[';
	return STEP_INSIDE;
}

size_t json_span_walk(struct json_span *span, const char *data, size_t length, bool *ret_is_over)
{
	struct json_span walked = *span;
	enum step last = STEP_INSIDE;
	size_t taken = 0;

	while (last == STEP_INSIDE && taken < length)
		last = step(&walked, data[taken++]);
	*span = walked;
	*ret_is_over = last != STEP_INSIDE;
	return last == STEP_BEHIND ? taken - 1 : taken;
}

/* What is left behind `count` bytes. */
static struct json_stretch rest_of(struct json_stretch text, size_t count)
{
	return (struct json_stretch){text.start + count, text.length - count};
}

/* Passes over spaces and over one mark that separates values. */
static struct json_stretch pass_over(struct json_stretch text, char mark)
{
	while (text.length && json_is_space(*text.start))
		text = rest_of(text, 1);
	if (text.length && *text.start == mark)
		text = rest_of(text, 1);
	while (text.length && json_is_space(*text.start))
		text = rest_of(text, 1);
	return text;
}

/* The value that the text begins with, or as much of it as there is. */
static struct json_stretch value_of(struct json_stretch text)
{
	struct json_span span = {0};
	bool is_over;

	return (struct json_stretch){text.start,
				     json_span_walk(&span, text.start, text.length, &is_over)};
}

static bool is_key(struct json_stretch key, const char *name)
{
	size_t length = strlen(name);

	return key.length == length + 2 && memcmp(key.start + 1, name, length) == 0;
}

struct json_stretch json_span_member(struct json_stretch text, const char *name)
{
	text = pass_over(text, '{');
	while (text.length && *text.start == '"') {
		struct json_stretch key = value_of(text), value;

		text = pass_over(rest_of(text, key.length), ':');
		value = value_of(text);
		if (is_key(key, name))
			return value;
		text = pass_over(rest_of(text, value.length), ',');
	}
	return (struct json_stretch){NULL, 0};
}

void json_span_blank_managed(struct json_stretch object)
{
	struct json_stretch value =
		json_span_member(json_span_member(object, "metadata"), "managedFields");

	if (!value.length)
		return;
	memset((char *)value.start, ' ', value.length);
	*(char *)value.start = '0';
}
