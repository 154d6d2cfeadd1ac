/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The bytes that a decoder was given and is not done with. */
#ifndef SKEP_LIB_KUBE_DECODE_BUFFER_H
#define SKEP_LIB_KUBE_DECODE_BUFFER_H

#include <stddef.h>

#include "lib/base/text.h"

/* A zeroed struct is empty. */
struct decode_buffer {
	struct text text;
	size_t consumed; /* bytes of the text that are done with */
	size_t scanned;	 /* bytes of the text that were looked at; never less than `consumed` */
};

/* Forgets what is consumed, and appends. Returns 0 or -ENOMEM. */
int decode_buffer_push(struct decode_buffer *buffer, const char *data, size_t length);

/* Forgets all and frees the memory. */
void decode_buffer_free(struct decode_buffer *buffer);

#endif
