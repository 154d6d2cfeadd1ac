// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FIRST_CAPACITY 256

/* Makes room for `length` more bytes and the NUL. */
static bool text_reserve(struct text *text, size_t length)
{
	size_t needed = text->length + length + 1;
	size_t capacity = text->capacity ? text->capacity : TEXT_FIRST_CAPACITY;
	char *data;

	if (needed <= text->capacity)
		return true;
	while (capacity < needed)
		capacity *= 2;
	data = realloc(text->data, capacity);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->capacity = capacity;
	return true;
}

static void text_drain(struct text *text)
{
	bool drained;

	if (!text->drain || text->length < TEXT_DRAIN_LENGTH)
		return;
	drained = text->drain(text->drain_context, text);
	text_clear(text);
	text->failed = !drained;
}

void text_append(struct text *text, const char *data, size_t length)
{
	if (text->failed || !text_reserve(text, length))
		return;
	if (length)
		memcpy(text->data + text->length, data, length);
	text->length += length;
	text->data[text->length] = '\0';
	text_drain(text);
}

void text_append_string(struct text *text, const char *string)
{
	text_append(text, string, strlen(string));
}

void text_append_format(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0 || text->failed || !text_reserve(text, (size_t)length))
		return;
	va_start(arguments, format);
	vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	text->length += (size_t)length;
	text_drain(text);
}

void text_clear(struct text *text)
{
	text->length = 0;
	text->failed = false;
	if (text->data)
		text->data[0] = '\0';
}

void text_free(struct text *text)
{
	free(text->data);
	*text = TEXT_EMPTY;
}
