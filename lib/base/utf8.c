// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/utf8.h"

#include <string.h>

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

static const struct utf8_form *form_of(uint8_t lead)
{
	for (size_t i = 0; i < FORMS; i++)
		if ((lead & forms[i].mask) == forms[i].lead)
			return &forms[i];
	return NULL;
}

static bool is_scalar(uint32_t point)
{
	bool surrogate = point >= 0xd800 && point < 0xe000;

	return !surrogate && point <= 0x10ffff;
}

size_t utf8_decode(const char *data, size_t length, uint32_t *ret_point)
{
	const struct utf8_form *form = length ? form_of((uint8_t)data[0]) : NULL;
	uint32_t point;

	if (!form || form->length > length)
		return 0;
	point = (uint8_t)data[0] & (uint8_t)~form->mask;
	for (size_t i = 1; i < form->length; i++) {
		if (((uint8_t)data[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | ((uint8_t)data[i] & 0x3f);
	}
	if (point < form->least || !is_scalar(point))
		return 0;
	*ret_point = point;
	return form->length;
}

bool utf8_is_valid(const char *data, size_t length)
{
	size_t at = 0;

	while (at < length) {
		uint32_t point;
		size_t size = utf8_decode(data + at, length - at, &point);

		if (size == 0)
			return false;
		at += size;
	}
	return true;
}

static bool is_any(uint32_t point)
{
	(void)point;
	return true;
}

static bool is_printable(uint32_t point)
{
	bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);

	return !control && (point & 0xfffe) != 0xfffe;
}

/* Puts '?' for each byte of what is not well-formed or not `wanted`. */
static void replace_others(char *text, bool (*wanted)(uint32_t point))
{
	const char *end = text + strlen(text);

	while (*text) {
		uint32_t point;
		size_t length = utf8_decode(text, (size_t)(end - text), &point);

		if (length == 0 || !wanted(point)) {
			*text = '?';
			length = 1;
		}
		text += length;
	}
}

void utf8_repair(char *text)
{
	replace_others(text, is_any);
}

void utf8_make_printable(char *text)
{
	replace_others(text, is_printable);
}
