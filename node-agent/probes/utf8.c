// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/utf8.h"

#include <stddef.h>
#include <stdint.h>

/* The length that a sequence's first byte announces; 0 for a byte that begins none. */
static size_t announced_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* What RFC 3629 forbids beyond a wrong byte: longer than needed, surrogates, above U+10FFFF. */
static int forbidden(unsigned char first, unsigned char second)
{
	return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
	       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
}

/* The length of the well-formed sequence at `text`, 0 when there is none. */
static size_t sequence_length(const unsigned char *text)
{
	size_t length = announced_length(text[0]);

	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length > 2 && forbidden(text[0], text[1]) ? 0 : length;
}

void utf8_repair(char *text)
{
	while (*text) {
		size_t length = sequence_length((const unsigned char *)text);

		if (length == 0)
			*text = '?';
		text += length ? length : 1;
	}
}
