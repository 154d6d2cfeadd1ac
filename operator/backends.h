/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Which workload is behind a Service. No I/O. */
#ifndef SKEP_OPERATOR_BACKENDS_H
#define SKEP_OPERATOR_BACKENDS_H

#include "operator/cluster.h"

struct backend;

/* What was found out so far, so that it is done once for each Service; empty with all 0. */
struct backends {
	struct backend *found;
};

struct service *backends_find_service(const struct cluster *cluster, const char *namespace,
				      const char *name);

/*
 * One of the pods that the Service selects, if all of them belong to one workload; else NULL. The
 * cluster must stay as it is until backends_clear().
 */
const struct pod *backends_find(struct backends *backends, const struct cluster *cluster,
				const struct service *service);

void backends_clear(struct backends *backends);

#endif
