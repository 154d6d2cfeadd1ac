/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The Exec probe's metrics. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_METRICS_H
#define SKEP_NODE_AGENT_PROBES_EXEC_METRICS_H

#include <stddef.h>

#include "lib/base/text.h"
#include "node-agent/probes/probe.h"

/* Writes the families, with the totals of each attachment as they were last read. */
void exec_metrics_write(const struct probe_series *series, size_t count, struct text *out);

#endif
