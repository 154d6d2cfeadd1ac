/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A list of strings that owns them. */
#ifndef SKEP_LIB_BASE_STRINGS_H
#define SKEP_LIB_BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

struct strings {
	char **items;
	size_t count;
};

/* Appends a copy. Returns 0, or -ENOMEM with the list as it was. */
int strings_add(struct strings *strings, const char *string);

/* Appends a copy unless the list has the string already. Returns 0 or -ENOMEM. */
int strings_add_unique(struct strings *strings, const char *string);

/* Takes the string out; the order of the others may change. Nothing happens where it is not in. */
void strings_remove(struct strings *strings, const char *string);

bool strings_contain(const struct strings *strings, const char *string);

/* Same strings in the same order. */
bool strings_equal(const struct strings *a, const struct strings *b);

/* Sorts by byte value. */
void strings_sort(struct strings *strings);

/* Frees the strings; the list is empty afterwards. */
void strings_free(struct strings *strings);

/* strcmp() of two strings that may be NULL; NULL equals only NULL. */
bool string_equal(const char *a, const char *b);

#endif
