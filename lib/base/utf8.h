/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* UTF-8, of text that may be any bytes. */
#ifndef SKEP_LIB_BASE_UTF8_H
#define SKEP_LIB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length in bytes of the well-formed character that the `length` bytes at `data` begin with, and
 * its code point; 0 where there is none (RFC 3629, 3: nothing longer than needed, no surrogate,
 * nothing above U+10FFFF).
 */
size_t utf8_decode(const char *data, size_t length, uint32_t *ret_point);

/* True when all of it is well-formed. */
bool utf8_is_valid(const char *data, size_t length);

/* Puts '?', in place, for each byte that is no part of a well-formed character. */
void utf8_repair(char *text);

/*
 * As utf8_repair(), and for control characters and what is no character. The API server reads what
 * we send as YAML, which takes neither (YAML 1.2, 5.1), so that one such byte in a message would
 * hold up the whole status.
 */
void utf8_make_printable(char *text);

#endif
