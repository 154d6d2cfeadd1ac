/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The kernel's numbers of namespaces: heads of one namespace are read only by shapes that its own
 * targets have left (bpf/lib/http_shape.h). A namespace whose last target has gone gets a new
 * number when it comes again, as none is given twice: shapes of the former one may still be there.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_NAMESPACES_H
#define SKEP_NODE_AGENT_PROBES_HTTP_NAMESPACES_H

#include <stdint.h>

#include "lib/base/table.h"

/* A namespace that has targets. */
struct http_namespace {
	char *name; /* the key of the table */
	uint32_t number;
	unsigned int targets;
	UT_hash_handle hh;
};

struct http_namespaces {
	struct http_namespace *table; /* by name */
	uint32_t last_number;
};

/*
 * One more target of a namespace (its name is copied), which http_namespaces_leave() takes away
 * again. Returns NULL when memory ran out.
 */
struct http_namespace *http_namespaces_join(struct http_namespaces *namespaces, const char *name);

/* NULL is taken. */
void http_namespaces_leave(struct http_namespaces *namespaces, struct http_namespace *namespace);

#endif
