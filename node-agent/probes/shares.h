/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The namespaces whose pods have a probe, and what each of them holds of the probe's tables in the
 * kernel (bpf/lib/share.h): the programs take places there, here they are returned.
 */
#ifndef SKEP_NODE_AGENT_PROBES_SHARES_H
#define SKEP_NODE_AGENT_PROBES_SHARES_H

#include <stdint.h>

#include "bpf/lib/share.h"
#include "lib/base/error.h"
#include "node-agent/budget/namespaces.h"

struct shares {
	int map; /* struct share_key → struct share_row */
	struct namespaces namespaces;
};

/* Without a descriptor yet. */
struct shares shares_init(void);

/* Once the map is there. Returns 0 or a negative errno. */
int shares_open(const struct shares *shares, struct error *error);

void shares_close(struct shares *shares);

/*
 * One more target of a namespace (its name is copied), which shares_leave() takes away again.
 * Returns 0 with *ret_namespace, or a negative errno.
 */
int shares_join(struct shares *shares, const char *name, struct namespace **ret_namespace,
		struct error *error);

/* NULL is taken. What the namespace still holds may be returned afterwards as well. */
void shares_leave(struct shares *shares, struct namespace *namespace);

/* A place in a table that a namespace (by its number) had taken is free. */
void shares_return(const struct shares *shares, uint32_t namespace, uint32_t table);

#endif
