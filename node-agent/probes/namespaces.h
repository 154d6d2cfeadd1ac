/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The kernel's numbers of namespaces: by them it counts what each has of what is shared
 * (bpf/lib/share.h), and reads heads only by shapes that targets of their own namespace have left
 * (bpf/lib/http_shape.h). A namespace whose last target has gone gets a new number when it comes
 * again, as none is given twice: shapes of the former one may still be there.
 */
#ifndef SKEP_NODE_AGENT_PROBES_NAMESPACES_H
#define SKEP_NODE_AGENT_PROBES_NAMESPACES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

/* A namespace that has targets. */
struct namespace
{
	char *name; /* the key of the table */
	uint32_t number;
	unsigned int targets;
	size_t held; /* places of a table in user space that all share; whoever takes them counts */
	UT_hash_handle hh;
};

struct namespaces {
	struct namespace *table; /* by name */
	uint32_t last_number;
};

/*
 * One more target of a namespace (its name is copied), which namespaces_leave() takes away
 * again. Returns NULL when memory ran out.
 */
struct namespace *namespaces_join(struct namespaces *namespaces, const char *name);

/* NULL is taken. */
void namespaces_leave(struct namespaces *namespaces, struct namespace *namespace);

#endif
