/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* JSON for tests, written with single quotes so that it can be read within C strings. */
#ifndef SKEP_LIB_BASE_TESTS_PARSE_H
#define SKEP_LIB_BASE_TESTS_PARSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

/* The tree of `text`, owned by the caller. A text that is no JSON fails the test. */
static inline cJSON *json_of(const char *text)
{
	char *copy = strdup(text);
	cJSON *json;

	assert_non_null(copy);
	for (char *at = strchr(copy, '\''); at; at = strchr(at, '\''))
		*at = '"';
	json = cJSON_Parse(copy);
	if (!json)
		fail_msg("no JSON: %s", copy);
	free(copy);
	return json;
}

/* As json_of(), of a text that is put together as printf() does. */
__attribute__((format(printf, 1, 2))) static inline cJSON *json_format(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	cJSON *json;

	va_start(arguments, format);
	assert_true(vasprintf(&text, format, arguments) >= 0);
	va_end(arguments);
	json = json_of(text);
	free(text);
	return json;
}

/* Fails the test unless `text` holds `part`. */
static inline void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

#endif
