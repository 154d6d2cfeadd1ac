/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What the pods of one workload have in common: namespace, owner, labels and the names of their
 * containers, in one allocation. A table keeps one of each, which all such pods share, counted.
 */
#ifndef SKEP_OPERATOR_POD_TEMPLATE_H
#define SKEP_OPERATOR_POD_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "operator/labels.h"

struct pod_template {
	const char *namespace;
	const char *workload_kind;
	const char *workload_name;
	const char **container_names;
	struct labels labels;
	uint8_t container_count;

	uint32_t holders;
	size_t key_size;
	struct pod_template **table; /* that it is in, or NULL */
	UT_hash_handle hh;
	char key[]; /* all texts, each with its NUL, behind what says how many there are */
};

/* What a template is made of; nothing of it is taken. */
struct pod_template_parts {
	const char *namespace;
	const char *workload_kind;
	const char *workload_name;
	size_t workload_name_length;
	const char *const *container_names;
	uint8_t container_count;
	const struct labels *labels;
};

/* A template of its own, with one holder; NULL: no memory. */
struct pod_template *pod_template_new(const struct pod_template_parts *parts);

/*
 * Gives the caller's hold on `own` for one on the template of the table that says the same, and
 * returns it; that is `own` itself, which is in the table then, where there was none (without
 * memory for that, it stays its holder's alone).
 */
struct pod_template *pod_template_share(struct pod_template **table, struct pod_template *own);

/* Ends a hold; the last one frees it. Returns NULL, which it also takes. */
struct pod_template *pod_template_release(struct pod_template *held);

#endif
