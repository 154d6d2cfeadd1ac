/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The API's times (meta/v1 Time: RFC 3339, UTC, whole seconds) as numbers. */
#ifndef SKEP_OPERATOR_TIMESTAMP_H
#define SKEP_OPERATOR_TIMESTAMP_H

#include <stdint.h>

#define TIMESTAMP_SIZE 32

/* Seconds since 1970, or 0 for what is no such time. */
int64_t timestamp_parse(const char *text);

void timestamp_format(int64_t seconds, char text[TIMESTAMP_SIZE]);

#endif
