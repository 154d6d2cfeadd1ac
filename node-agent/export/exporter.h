/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The way of an event out of the agent: enriched, held until its container has a name, written. */
#ifndef SKEP_NODE_AGENT_EXPORT_EXPORTER_H
#define SKEP_NODE_AGENT_EXPORT_EXPORTER_H

#include <uv.h>

#include "lib/base/error.h"
#include "node-agent/lifecycle/lifecycle.h"

struct exporter;

struct exporter_stats {
	uint64_t written;
	uint64_t lost; /* for want of a reader or of memory */
};

/* Borrows `node`, the node's name. Writes to `descriptor`, which stays the caller's. */
int exporter_new(uv_loop_t *loop, const char *node, int descriptor, struct exporter **ret_exporter,
		 struct error *error);

/* Writes an event of a probe (takes it). */
void exporter_emit(struct exporter *exporter, enum probe_type type,
		   const struct event_source *source, cJSON *event);

/* The pod's selection has changed: its containers may have names now. */
void exporter_pod_changed(struct exporter *exporter, const struct selected_pod *pod);

struct exporter_stats exporter_stats(const struct exporter *exporter);

/* Writes what waits. Returns NULL; the memory goes as the loop runs on. */
struct exporter *exporter_free(struct exporter *exporter);

#endif
