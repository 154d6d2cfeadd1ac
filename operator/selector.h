/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Label selectors as Kubernetes defines them (meta/v1 LabelSelector): all requirements must hold.
 */
#ifndef SKEP_OPERATOR_SELECTOR_H
#define SKEP_OPERATOR_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/base/strings.h"
#include "operator/labels.h"

#define SELECTOR_REQUIREMENTS_LIMIT 64
#define SELECTOR_VALUES_LIMIT	    64

enum selector_operator { SELECTOR_IN, SELECTOR_NOT_IN, SELECTOR_EXISTS, SELECTOR_DOES_NOT_EXIST };

struct requirement {
	char *key;
	enum selector_operator operator;
	struct strings values;
};

/* Selects everything when it has no requirement. */
struct selector {
	struct requirement *requirements; /* owned */
	size_t count;
};

/*
 * Reads a LabelSelector ({matchLabels, matchExpressions}; NULL is the empty one). An error's
 * message starts with `path` and the field below it. Returns 0, -EINVAL or -ENOMEM.
 */
int selector_decode(const cJSON *json, const char *path, struct selector *ret_selector,
		    struct error *error);

/* Reads a map of labels that must all be there, as in a nodeSelector. */
int selector_decode_labels(const cJSON *json, const char *path, struct selector *ret_selector,
			   struct error *error);

bool selector_matches(const struct selector *selector, const struct labels *labels);

/* Frees the requirements; the selector is empty afterwards. */
void selector_free(struct selector *selector);

#endif
