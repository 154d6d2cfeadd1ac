// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/printable.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A lead byte's length and the least code point that needs it (RFC 3629, 3). */
struct utf8_form {
	uint8_t mask, lead;
	size_t length;
	uint32_t least;
};

static const struct utf8_form forms[] = {
	{0x80, 0x00, 1, 0},
	{0xe0, 0xc0, 2, 0x80},
	{0xf0, 0xe0, 3, 0x800},
	{0xf8, 0xf0, 4, 0x10000},
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static bool is_printable(uint32_t point)
{
	bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
	bool surrogate = point >= 0xd800 && point < 0xe000;

	return !control && !surrogate && (point & 0xfffe) != 0xfffe && point <= 0x10ffff;
}

/* The code point of `form` at `text`; 0 where the bytes are not of that form. */
static uint32_t decode(const struct utf8_form *form, const char *text)
{
	uint32_t point = (uint8_t)text[0] & (uint8_t)~form->mask;

	for (size_t i = 1; i < form->length; i++) {
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | ((uint8_t)text[i] & 0x3f);
	}
	return point >= form->least ? point : 0;
}

/* Length of the printable character that `text` starts with, or 0. */
static size_t printable_length(const char *text)
{
	for (size_t i = 0; i < FORMS; i++)
		if (((uint8_t)text[0] & forms[i].mask) == forms[i].lead)
			return is_printable(decode(&forms[i], text)) ? forms[i].length : 0;
	return 0;
}

void text_make_printable(char *text)
{
	while (*text) {
		size_t length = printable_length(text);

		if (length == 0)
			*text = '?';
		text += length ? length : 1;
	}
}
