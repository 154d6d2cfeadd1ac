/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What is to be done on a pod, kept small, as there are many: what the pods of a workload have in
 * common is one text, the message with empty strings for what is a pod's own, which all of them
 * share; the pod keeps its own strings.
 */
#ifndef SKEP_OPERATOR_FLEET_FORM_H
#define SKEP_OPERATOR_FLEET_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/pointer_set.h"
#include "lib/base/strings.h"
#include "lib/base/text.h"
#include "lib/link/selection.h"

struct fleet_form {
	struct pointer_set *table; /* that it is in */
	uint32_t holders;
	struct strings policies; /* that the text names; empty until they are asked for */
	char text[];		 /* JSON */
};

/* The form of a pod, shared by way of `table`, held once more; NULL: no memory. */
struct fleet_form *fleet_form_of(struct pointer_set *table, const struct selected_pod *pod);

/* Ends a hold; the last one frees it. Returns NULL, which it also takes. */
struct fleet_form *fleet_form_release(struct fleet_form *form);

/* Whether a policy is among those that ask for something; so it is without memory to look. */
bool fleet_form_names(struct fleet_form *form, const char *policy);

/*
 * Appends what is a pod's own, each with its NUL: UID, name, IDs of containers. Failure shows in
 * the text.
 */
void fleet_form_append_own(const struct selected_pod *pod, struct text *own);

/* The whole message of a pod, from its form and its own strings; NULL: no memory. */
cJSON *fleet_form_fill(const struct fleet_form *form, const char *own);

#endif
