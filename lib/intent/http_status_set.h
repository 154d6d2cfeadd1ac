/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A set of HTTP's statuses as a policy writes it: classes ("5xx") and single ones ("404"). */
#ifndef SKEP_LIB_INTENT_HTTP_STATUS_SET_H
#define SKEP_LIB_INTENT_HTTP_STATUS_SET_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#define HTTP_STATUS_FIRST 100
#define HTTP_STATUS_LAST  599
#define HTTP_STATUS_WORDS ((HTTP_STATUS_LAST - HTTP_STATUS_FIRST) / 64 + 1)

/* Bit n stands for the status HTTP_STATUS_FIRST + n. A zeroed struct is empty. */
struct http_status_set {
	uint64_t bits[HTTP_STATUS_WORDS];
};

/* Adds "5xx" or "404"; false for what is neither, a NULL included. */
bool http_status_set_add(struct http_status_set *set, const char *text);

bool http_status_set_has(const struct http_status_set *set, unsigned int status);

bool http_status_set_is_empty(const struct http_status_set *set);

void http_status_set_merge(struct http_status_set *set, const struct http_status_set *other);

bool http_status_set_equal(const struct http_status_set *a, const struct http_status_set *b);

/*
 * The set as an array of texts in their order, whole classes as such; owned by the caller. NULL
 * when memory ran out.
 */
cJSON *http_status_set_encode(const struct http_status_set *set);

#endif
