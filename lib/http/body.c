// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/http/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GZIP	     16 /* zlib: added to the size of the window, it means gzip's format */
#define WINDOW_BITS  15
#define MEMORY_LEVEL 7
#define PACKED_PIECE 4096

struct packer {
	struct http_body *body;
	z_stream stream;
	bool begun;
};

/* Packs the text; with Z_FINISH it is the last one. */
static bool pack(struct packer *packer, const struct text *text, int flush)
{
	unsigned char piece[PACKED_PIECE];
	z_stream *stream = &packer->stream;

	stream->next_in = (unsigned char *)text->data;
	stream->avail_in = (unsigned int)text->length;
	packer->body->length += text->length;
	do {
		stream->next_out = piece;
		stream->avail_out = sizeof(piece);
		(void)deflate(stream, flush); /* what it says shows in avail_out */
		text_append(&packer->body->bytes, (const char *)piece,
			    sizeof(piece) - stream->avail_out);
	} while (!stream->avail_out);
	return !packer->body->bytes.failed;
}

static bool on_drain(void *context, const struct text *text)
{
	struct packer *packer = context;

	if (!packer->begun &&
	    deflateInit2(&packer->stream, Z_BEST_SPEED, Z_DEFLATED, WINDOW_BITS + GZIP,
			 MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	packer->begun = true;
	return pack(packer, text, Z_NO_FLUSH);
}

static bool finish(struct packer *packer, struct text *text)
{
	struct http_body *body = packer->body;
	bool packed;

	if (!packer->begun) {
		http_body_take(body, text);
		return !body->bytes.failed;
	}
	packed = !text->failed && pack(packer, text, Z_FINISH);
	deflateEnd(&packer->stream);
	text_free(text);
	body->packed = true;
	return packed;
}

int http_body_fill(struct http_body *body, http_body_writer write, void *context)
{
	struct packer packer = {.body = body};
	struct text text = {.drain = on_drain, .drain_context = &packer};
	int result = write(context, &text);

	if (finish(&packer, &text))
		return result;
	http_body_free(body);
	return -ENOMEM;
}

void http_body_take(struct http_body *body, struct text *text)
{
	body->bytes = *text;
	body->bytes.drain = NULL;
	body->length = text->length;
	*text = TEXT_EMPTY;
}

int http_body_share(struct http_body *body, struct http_body *other)
{
	if (!body->sharers) {
		body->sharers = malloc(sizeof(*body->sharers));
		if (!body->sharers)
			return -ENOMEM;
		*body->sharers = 1;
	}
	++*body->sharers;
	*other = (struct http_body){
		.bytes = body->bytes,
		.length = body->length,
		.packed = body->packed,
		.sharers = body->sharers,
	};
	return 0;
}

size_t http_body_size(const struct http_body *body, bool packed)
{
	return packed ? body->bytes.length : body->length;
}

int http_body_open(struct http_body *body, bool packed)
{
	if (!body->packed || packed)
		return 0;
	body->unpacker.next_in = (unsigned char *)body->bytes.data;
	body->unpacker.avail_in = (unsigned int)body->bytes.length;
	if (inflateInit2(&body->unpacker, WINDOW_BITS + GZIP) != Z_OK)
		return -ENOMEM;
	body->unpacking = true;
	return 0;
}

static int unpack(struct http_body *body, void *buffer, size_t size, size_t *ret_size)
{
	int result;

	body->unpacker.next_out = buffer;
	body->unpacker.avail_out = (unsigned int)size;
	result = inflate(&body->unpacker, Z_SYNC_FLUSH);
	if (result != Z_OK && result != Z_STREAM_END)
		return -EIO;
	*ret_size = size - body->unpacker.avail_out;
	return 0;
}

int http_body_read(struct http_body *body, void *buffer, size_t size, size_t *ret_size)
{
	size_t left = body->bytes.length - body->read;

	if (body->unpacking)
		return unpack(body, buffer, size, ret_size);
	if (size > left)
		size = left;
	if (size)
		memcpy(buffer, body->bytes.data + body->read, size);
	body->read += size;
	*ret_size = size;
	return 0;
}

void http_body_free(struct http_body *body)
{
	if (body->unpacking)
		inflateEnd(&body->unpacker);
	if (!body->sharers || --*body->sharers == 0) {
		text_free(&body->bytes);
		free(body->sharers);
	}
	*body = (struct http_body){0};
}
