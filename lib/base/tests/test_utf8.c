// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/utf8.h"

#define TEXT_SIZE 32

struct utf8_case {
	const char *text, *repaired, *printable;
};

static const struct utf8_case cases[] = {
	{"", "", ""},
	{"plain ~", "plain ~", "plain ~"},
	{"ü € 𝄞 \xef\xbf\xbd", "ü € 𝄞 \xef\xbf\xbd", "ü € 𝄞 \xef\xbf\xbd"},
	{"a\nb\tc\x7f", "a\nb\tc\x7f", "a?b?c?"},
	{"\xc2\x85|\xc2\x9f", "\xc2\x85|\xc2\x9f", "??|??"},		       /* U+0085, U+009F */
	{"\xef\xbf\xbf|\xef\xbf\xbe", "\xef\xbf\xbf|\xef\xbf\xbe", "???|???"}, /* no characters */
	{"\xc3", "?", "?"},						       /* cut */
	{"\xe2\x82", "??", "??"},					       /* the same */
	{"\xe2\x82x", "??x", "??x"},					       /* more behind */
	{"\x80|\xff|\xfe", "?|?|?", "?|?|?"},				       /* no lead byte */
	{"\x80x", "?x", "?x"},						       /* the same */
	{"\xc0\xaf|\xe0\x80\xaf", "??|???", "??|???"}, /* longer than needed */
	{"\xed\xa0\x80", "???", "???"},		       /* a surrogate */
	{"\xf4\x90\x80\x80", "????", "????"},	       /* above U+10FFFF */
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void repairs_what_is_not_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		char text[TEXT_SIZE];

		strcpy(text, cases[i].text);
		utf8_repair(text);
		assert_string_equal(text, cases[i].repaired);
	}
}

static void makes_text_printable(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		char text[TEXT_SIZE];

		strcpy(text, cases[i].text);
		utf8_make_printable(text);
		assert_string_equal(text, cases[i].printable);
	}
}

static void tells_valid_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++)
		assert_int_equal(utf8_is_valid(cases[i].text, strlen(cases[i].text)),
				 strcmp(cases[i].text, cases[i].repaired) == 0);
	assert_true(utf8_is_valid("\0", 1));
	assert_false(utf8_is_valid("\xe2\x82\xac", 2)); /* the third byte is not ours */
}

static void decodes_the_ends_of_each_length(void **state)
{
	static const struct {
		const char *text;
		uint32_t point;
	} ends[] = {
		{"\x7f", 0x7f},
		{"\xc2\x80", 0x80},
		{"\xdf\xbf", 0x7ff},
		{"\xe0\xa0\x80", 0x800},
		{"\xed\x9f\xbf", 0xd7ff},
		{"\xee\x80\x80", 0xe000},
		{"\xef\xbf\xbf", 0xffff},
		{"\xf0\x90\x80\x80", 0x10000},
		{"\xf4\x8f\xbf\xbf", 0x10ffff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t length = strlen(ends[i].text);
		uint32_t point = 0;

		assert_int_equal(utf8_decode(ends[i].text, length, &point), length);
		assert_int_equal(point, ends[i].point);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repairs_what_is_not_well_formed),
		cmocka_unit_test(makes_text_printable),
		cmocka_unit_test(tells_valid_text),
		cmocka_unit_test(decodes_the_ends_of_each_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
