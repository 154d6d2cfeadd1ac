/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A counter that a probe keeps for each of its targets, as a metric family. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_COUNTER_FAMILY_H
#define SKEP_NODE_AGENT_PROBES_COUNTER_FAMILY_H

#include <stddef.h>

#include "lib/base/text.h"
#include "node-agent/probes/probe.h"

struct counter_family {
	const char *name;
	const char *help;
	size_t offset; /* of an uint64_t in the probe's struct probe_attachment */
};

/* Writes the family, with a sample for each of `series`. */
void counter_family_write(const struct counter_family *family, const struct probe_series *series,
			  size_t count, struct text *out);

#endif
