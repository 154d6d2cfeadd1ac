/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The metrics that every process has: memory, descriptors, processor time, start. */
#ifndef SKEP_LIB_METRICS_PROCESS_H
#define SKEP_LIB_METRICS_PROCESS_H

#include "lib/base/text.h"

/* Reads them from /proc (proc(5)) and writes their families; what cannot be read is 0. */
void process_metrics_write(struct text *out);

#endif
