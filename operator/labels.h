/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The labels of an object, as a list sorted by key. */
#ifndef SKEP_OPERATOR_LABELS_H
#define SKEP_OPERATOR_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

struct label {
	char *key;
	char *value;
};

struct labels {
	struct label *items; /* owned */
	size_t count;
};

/* Reads {"key": "value", ...}; members that are no strings are left out. Returns 0 or -ENOMEM. */
int labels_decode(const cJSON *json, struct labels *ret_labels);

/* Gives a label this value, whatever it had. Returns 0, or -ENOMEM with all as it was. */
int labels_set(struct labels *labels, const char *key, const char *value);

/* The value of `key`, or NULL. */
const char *labels_get(const struct labels *labels, const char *key);

bool labels_equal(const struct labels *a, const struct labels *b);

/* Frees the list; it is empty afterwards. */
void labels_free(struct labels *labels);

#endif
