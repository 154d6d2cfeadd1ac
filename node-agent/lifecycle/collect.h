/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Reads the metrics of one kind of probe, for all that it is attached to. */
#ifndef SKEP_NODE_AGENT_LIFECYCLE_COLLECT_H
#define SKEP_NODE_AGENT_LIFECYCLE_COLLECT_H

#include "node-agent/lifecycle/running.h"

/*
 * Writes the probe's families, with a sample for each attachment; nothing while it is not loaded.
 */
void collect_probe(const struct running_probe *running, struct text *out);

#endif
