/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The Exec probe's metrics. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_EXEC_METRICS_H
#define SKEP_NODE_AGENT_PROBES_EXEC_METRICS_H

#include "node-agent/probes/probe.h"

/* Adds what the totals have grown by since they were last added to the target's series. */
void exec_metrics_add(struct probe_attachment *attachment);

#endif
