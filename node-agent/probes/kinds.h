/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The rows of the registry, each defined in the file of its probe. */
#ifndef SKEP_NODE_AGENT_PROBES_KINDS_H
#define SKEP_NODE_AGENT_PROBES_KINDS_H

#include "node-agent/probes/probe.h"

extern const struct probe_kind tcp_probe_kind;
extern const struct probe_kind exec_probe_kind;
extern const struct probe_kind dns_probe_kind;
extern const struct probe_kind http_probe_kind;

#endif
