/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The store behind series.h: all series of this agent, who adds to them, when they leave, and how
 * they are written.
 */
#ifndef SKEP_NODE_AGENT_SERIES_STORE_H
#define SKEP_NODE_AGENT_SERIES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/strings.h"
#include "lib/base/text.h"
#include "node-agent/series/series.h"

/* How long a row stays that has no owner any more, in ms. */
#define SERIES_LINGER_MS 60000

/*
 * A row that was not asked for in so many ms makes room for another when its policy has none left.
 */
#define SERIES_IDLE_MS 600000

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

/* Whoever the owner was made for: as it was set last, NULL at first. */
void series_owner_set_context(struct series_owner *owner, void *context);
void *series_owner_context(const struct series_owner *owner);

/* Lets go of the rows whose time is over; to be called after each read of all probes. */
void series_expire(struct series_store *store, uint64_t now);

/* How many series there are; each line of a histogram is one. */
size_t series_count(const struct series_store *store);

/* Writes all families, each once, and those of the store itself. */
void series_write(const struct series_store *store, struct text *out);

/*
 * A row can bear a mark, by which whoever had it made finds it again; not one that stands for rows
 * that have no room, which is many rows. `on_gone` is called before a marked row is freed.
 */
bool series_row_is_rest(const struct series_row *row);
void *series_row_mark(const struct series_row *row);
void series_row_set_mark(struct series_row *row, void *mark);

struct series_mark_handlers {
	void (*gone)(void *context, void *mark);
	void *context;
};

/* Copied. */
void series_store_set_handlers(struct series_store *store,
			       const struct series_mark_handlers *handlers);

/* How many series a policy may have, and who is told that one has no room. NULLs: nobody is. */
struct series_bounds {
	/* Asked whenever a row is to be made, so that it may change. */
	size_t (*limit)(void *context, const char *policy);
	/*
	 * Figures of a policy went to an overflow row: `limit` is the policy's, or that of the
	 * node. Not called for an owner without policies.
	 */
	void (*refused)(void *context, const char *policy, size_t limit);
	void *context;
};

/* Copied. */
void series_store_set_bounds(struct series_store *store, const struct series_bounds *bounds);

/* Calls `visit` for each row that bears a mark. */
typedef void (*series_visit)(void *context, const struct series_row *row, void *mark);
void series_each_marked(const struct series_store *store, series_visit visit, void *context);

/* The layout of a row that is no rest. */
const struct series_layout *series_row_layout(const struct series_row *row);

/* A counter, a gauge, or the sum of a histogram, in the family's unit. */
double series_value(const struct series_row *row, size_t family);

/* The number of observations of a histogram. */
uint64_t series_observations(const struct series_row *row, size_t family);

#endif
