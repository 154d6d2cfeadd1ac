// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes http_glance(): the input is a head behind changes to it. One that is learned and the
 *other, changed, is read by its shape; what comes out must be what reading it tells.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE \
 *	node-agent/probes/fuzz/fuzz_http_shape.c -o build/fuzz_http_shape
 * build/fuzz_http_shape build/corpus node-agent/probes/fuzz/corpus_http_shape
 */

#include "node-agent/probes/tests/http_shape_reader.h"

#define CHANGES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A shape that was renewed by a response may tell nothing else of it, or of a further one. */
static void check_renewed(struct http_shape *shape, uint8_t *text, size_t size,
			  const uint8_t *changes)
{
	struct http_reading glanced, read;

	http_renew_by(shape, text, size, 'x');
	for (int i = 0; i < CHANGES; i++)
		if (changes[2 * i] < size)
			text[changes[2 * i]] ^= changes[2 * i + 1] & 0x5f;
	glanced = http_read_by_shape(shape, 0, text, size, '\n');
	read = http_read_from((struct http_head){0}, text, size, SIZE_MAX, 'x');
	if (glanced.end != HTTP_NOT_ENDED && !http_reading_equal(&glanced, &read))
		abort();
}

/* The first byte tells the direction; then places and what is put there, 0 being no change. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_shape shape;
	uint8_t text[HTTP_WINDOW];
	struct http_reading glanced, read;
	__u8 flags;

	if (size < 1 + 2 * CHANGES || size > 1 + 2 * CHANGES + HTTP_WINDOW)
		return 0;
	flags = data[0] & 1 ? HTTP_HEAD_REQUEST : 0;
	size -= 1 + 2 * CHANGES;
	memcpy(text, data + 1 + 2 * CHANGES, size);
	http_learn(&shape, flags, text, size);
	for (int i = 0; i < CHANGES; i++)
		if (data[2 + 2 * i] && data[1 + 2 * i] < size)
			text[data[1 + 2 * i]] = data[2 + 2 * i];
	glanced = http_read_by_shape(&shape, flags, text, size, '\n');
	read = http_read_from((struct http_head){.flags = flags}, text, size, SIZE_MAX, 'x');
	if (glanced.end == HTTP_NOT_ENDED)
		return 0;
	if (!http_reading_equal(&glanced, &read))
		abort();
	if (!flags)
		check_renewed(&shape, text, glanced.end, data + 1);
	return 0;
}
