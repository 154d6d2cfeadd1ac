/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * A text that grows: what is appended, with a length and a terminating NUL. It may be drained as it
 * grows, so that a long one never lies in memory as a whole.
 */
#ifndef SKEP_LIB_BASE_TEXT_H
#define SKEP_LIB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A text that is drained is as long as this, or longer, each time. */
#define TEXT_DRAIN_LENGTH 16384

struct text {
	char *data; /* owned; NULL while empty */
	size_t length;
	size_t capacity;
	bool failed; /* memory ran out: what was appended since is lost */
	/*
	 * Where it is set: takes what is there, which is forgotten then. What is left at the end is
	 * the owner's to take. False where memory ran out.
	 */
	bool (*drain)(void *context, const struct text *text);
	void *drain_context;
};

#define TEXT_EMPTY ((struct text){0})

void text_append(struct text *text, const char *data, size_t length);
void text_append_string(struct text *text, const char *string);
void text_append_format(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Forgets the contents, keeps the memory. */
void text_clear(struct text *text);

/* Frees the contents; the text is empty afterwards. */
void text_free(struct text *text);

#define cleanup_text __attribute__((cleanup(text_free)))

#endif
