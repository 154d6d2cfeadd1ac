// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/decode_buffer.h"

#include <errno.h>
#include <string.h>

/* A buffer beyond this is given back once it is empty; one large object is no reason to keep it. */
#define KEEP_LIMIT (64 << 10)

/* Moves what is left to the front. */
static void drop_consumed(struct decode_buffer *buffer)
{
	struct text *text = &buffer->text;

	if (!buffer->consumed)
		return;
	text->length -= buffer->consumed;
	buffer->scanned -= buffer->consumed;
	memmove(text->data, text->data + buffer->consumed, text->length);
	buffer->consumed = 0;
	if (!text->length && text->capacity > KEEP_LIMIT)
		text_free(text);
}

int decode_buffer_push(struct decode_buffer *buffer, const char *data, size_t length)
{
	drop_consumed(buffer);
	text_append(&buffer->text, data, length);
	return buffer->text.failed ? -ENOMEM : 0;
}

void decode_buffer_free(struct decode_buffer *buffer)
{
	text_free(&buffer->text);
	*buffer = (struct decode_buffer){0};
}
