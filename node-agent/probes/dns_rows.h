/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The DNS probe's families of metrics, and what goes into them. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_DNS_ROWS_H
#define SKEP_NODE_AGENT_PROBES_DNS_ROWS_H

#include "node-agent/probes/dns_names.h"
#include "node-agent/probes/dns_tracker.h"
#include "node-agent/series/series.h"

/* Counts a lookup in the row of its name, type, code and transport. */
void dns_rows_add_lookup(struct series_owner *owner, struct dns_names *names,
			 const struct dns_lookup *lookup);

/* What went wrong with messages. */
struct dns_losses {
	uint64_t malformed;
	/* lost, by stage: */
	uint64_t rate_limited;
	uint64_t ring_full;
	uint64_t decode;
	uint64_t table_full;
};

/* Adds by how much these have grown from `before` to `now`. */
void dns_rows_add_losses(struct series_owner *owner, const struct dns_losses *before,
			 const struct dns_losses *now);

#endif
