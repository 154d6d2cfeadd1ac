/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Where JSON values begin and end, found byte after byte and without keeping any of them (RFC
 * 8259). This tells values apart; whether each is well-formed is for the parser to say.
 */
#ifndef SKEP_LIB_KUBE_JSON_SPAN_H
#define SKEP_LIB_KUBE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* A value that is being walked through. Start with all zero at its first byte. */
struct json_span {
	size_t depth; /* of brackets and braces that are open */
	bool is_begun;
	bool is_in_string;
	bool is_escaped; /* the next byte belongs to a backslash */
};

/*
 * Takes the bytes that come next. Returns how many of them belong to the value and sets
 * *ret_is_over when it ends with them. A value without a closing mark, as a number, is over when
 * the first byte behind it has come.
 */
size_t json_span_walk(struct json_span *span, const char *data, size_t length, bool *ret_is_over);

/* Whether the byte may stand between values: blank, tab, line feed, carriage return. */
bool json_is_space(char byte);

/* A stretch of text; NULL where there is none. */
struct json_stretch {
	const char *start;
	size_t length;
};

/*
 * The value of a member of the object that `text` begins with, which may be cut off anywhere; then
 * the value may be as well. Names are compared as they are written, without reading escapes.
 */
struct json_stretch json_span_member(struct json_stretch text, const char *name);

/*
 * Blanks metadata.managedFields of an object of the API: nobody here reads it, it is much of many
 * objects, and whoever may write an object may nest it deeper than the parser goes.
 */
void json_span_blank_managed(struct json_stretch object);

#endif
