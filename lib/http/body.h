/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The body of an answer. What is written piece by piece is packed (gzip, RFC 1952) as it comes once
 * it is long, so that a long text never lies in memory as a whole; who does not take it packed gets
 * it unpacked as it is sent.
 */
#ifndef SKEP_LIB_HTTP_BODY_H
#define SKEP_LIB_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include <zlib.h>

#include "lib/base/text.h"

/* A zeroed struct is an empty body; ends with http_body_free(). */
struct http_body {
	struct text bytes; /* as they lie in memory: packed or not */
	size_t length;	   /* of the text */
	size_t read;	   /* bytes of it, or of those packed, that were read */
	bool packed;
	bool unpacking; /* as it is read */
	z_stream unpacker;
	unsigned int *sharers; /* who has the bytes, this one included; NULL: nobody else */
};

/* Writes a text, and returns what is no error from 0 on. */
typedef int (*http_body_writer)(void *context, struct text *text);

/*
 * Fills an empty body with what `write` writes. Returns what that does, or -ENOMEM with the body
 * empty.
 */
int http_body_fill(struct http_body *body, http_body_writer write, void *context);

/* Fills an empty body with a text that is there, whose contents it takes. */
void http_body_take(struct http_body *body, struct text *text);

/*
 * Gives the bytes of a body to another one too, which is empty, and is read on its own; they go
 * with the last of them. Returns 0, or -ENOMEM.
 */
int http_body_share(struct http_body *body, struct http_body *other);

/* How many bytes a reader gets who takes it packed, or does not. */
size_t http_body_size(const struct http_body *body, bool packed);

/* It is to be read from its beginning. Returns 0, or -ENOMEM. To be called once. */
int http_body_open(struct http_body *body, bool packed);

/*
 * The next bytes, at most `size`: less only at the end. Returns 0 with *ret_size, or -EIO where
 * they cannot be had.
 */
int http_body_read(struct http_body *body, void *buffer, size_t size, size_t *ret_size);

void http_body_free(struct http_body *body);

/*
 * Whether a reader whose Accept-Encoding is `header` (RFC 9110, 12.5.3) takes a body packed: where
 * it names gzip, or all of them, and does not weigh it with 0.
 */
bool http_accepts_packed(const char *header);

#endif
