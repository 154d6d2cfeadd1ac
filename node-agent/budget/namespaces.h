/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Namespaces of which somebody has something, and what each holds of what all share
 * (bpf/lib/share.h). Each has a number, by which the kernel counts what it holds there, and reads
 * heads only by shapes that its own targets have left (bpf/lib/http_shape.h). A namespace whose
 * last user has gone gets a new number when it comes again, as none is given twice: shapes of the
 * former one may still be there.
 */
#ifndef SKEP_NODE_AGENT_BUDGET_NAMESPACES_H
#define SKEP_NODE_AGENT_BUDGET_NAMESPACES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

/* A namespace that has users: targets, as a rule. */
struct namespace
{
	char *name; /* the key of the table */
	uint32_t number;
	unsigned int users;
	size_t held; /* places of a table in user space that all share; whoever takes them counts */
	UT_hash_handle hh;
};

struct namespaces {
	struct namespace *table; /* by name */
	uint32_t last_number;
};

/*
 * One more user of a namespace (its name is copied), which namespaces_leave() takes away
 * again. Returns NULL when memory ran out.
 */
struct namespace *namespaces_join(struct namespaces *namespaces, const char *name);

/* NULL is taken. */
void namespaces_leave(struct namespaces *namespaces, struct namespace *namespace);

#endif
