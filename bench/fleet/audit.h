/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The operator's requests, counted in the audit log of an API server that logs no others. */
#ifndef SKEP_BENCH_FLEET_AUDIT_H
#define SKEP_BENCH_FLEET_AUDIT_H

#include "bench/fleet/api.h"

/* Counts what has come to `log` (open for reading) since the last call. */
void audit_read(int log, uint64_t counts[API_COUNTS]);

#endif
