/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The store behind series.h: all series of this agent, who adds to them, when they leave, and how
 * they are written.
 */
#ifndef SKEP_NODE_AGENT_SERIES_STORE_H
#define SKEP_NODE_AGENT_SERIES_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/strings.h"
#include "lib/base/text.h"
#include "node-agent/series/series.h"

/* How long a row stays that has no owner any more, in ms. */
#define SERIES_LINGER_MS 60000

/* The label of a row that stands for those which have no room; OpenTelemetry's name for it. */
#define SERIES_OVERFLOW_LABEL "otel_metric_overflow"

struct series_store;

/* NULL when memory ran out. */
struct series_store *series_store_new(void);

/* Every owner has been freed. Returns NULL. */
struct series_store *series_store_free(struct series_store *store);

/*
 * An owner whose rows begin with these labels, and count for these policies ("namespace/name").
 * All is copied. NULL when memory ran out.
 */
struct series_owner *series_owner_new(struct series_store *store, const struct metric_label *labels,
				      size_t label_count, const struct strings *policies);

/*
 * Other policies ask for the owner now: its rows count for these. Returns 0, or -ENOMEM with all
 * as it was.
 */
int series_owner_set_policies(struct series_owner *owner, const struct strings *policies);

/*
 * The owner ends at `now` (ms): rows that no other owner holds stay for SERIES_LINGER_MS. Takes
 * NULL. Returns NULL.
 */
struct series_owner *series_owner_free(struct series_owner *owner, uint64_t now);

/* Lets go of the rows whose time is over. */
void series_expire(struct series_store *store, uint64_t now);

/* Writes all families, each once, and those of the store itself. */
void series_write(const struct series_store *store, struct text *out);

#endif
