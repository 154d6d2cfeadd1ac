/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Spans of time as people write them in a policy: "250ms", "1.5s", "1m30s". */
#ifndef SKEP_LIB_BASE_DURATION_H
#define SKEP_LIB_BASE_DURATION_H

#include <stdint.h>

#include "lib/base/error.h"

#define DURATION_MILLISECOND 1000000ULL /* in ns, as all of them */
#define DURATION_SECOND	     (1000 * DURATION_MILLISECOND)
#define DURATION_MINUTE	     (60 * DURATION_SECOND)
#define DURATION_HOUR	     (60 * DURATION_MINUTE)

#define DURATION_TEXT_SIZE 32

/*
 * Reads a duration: numbers with a unit each (ns, us, ms, s, m or h) and perhaps a fraction, added
 * up, without blanks or a sign. Returns 0 with *ret_ns, -EINVAL where it is none, -ERANGE where it
 * is beyond 2^63 ns; the message names the text and the remedy.
 */
int duration_parse(const char *text, uint64_t *ret_ns, struct error *error);

/* Writes a duration so that duration_parse() reads the same: in its largest whole unit, "90s". */
void duration_format(uint64_t ns, char ret_text[DURATION_TEXT_SIZE]);

#endif
