// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The table of probes: to add one is to add its files and its row here. */

#include "node-agent/probes/kinds.h"

const struct probe_kind *const probe_kinds[PROBE_TYPES] = {
	[PROBE_TCP] = &tcp_probe_kind,
	[PROBE_EXEC] = &exec_probe_kind,
	[PROBE_DNS] = &dns_probe_kind,
	[PROBE_HTTP] = &http_probe_kind,
};
