/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The kinds of exchanges of all targets as they were last read, so that what has been counted since
 * goes into the series, once. Pure: counters, names and time come in.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_KINDS_H
#define SKEP_NODE_AGENT_PROBES_HTTP_KINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "bpf/http.h"
#include "node-agent/probes/edge_rows.h"

struct http_read_kind {
	struct http_kind kind;
	/*
	 * What is in the series already: the beginning of the counters, as whatever follows is 0.
	 * Most kinds have only counted answers that came at once, and there are thousands of kinds.
	 */
	void *read;
	size_t read_size;
	uint64_t changed_at; /* ms */
	UT_hash_handle hh;
};

/* A zeroed struct is empty. */
struct http_kinds {
	struct http_read_kind *table; /* by kind */
};

/* The entry of this kind, made when it is new; NULL when memory ran out. */
struct http_read_kind *http_kinds_ensure(struct http_kinds *kinds, const struct http_kind *kind,
					 uint64_t now);

/* Who knows names: of the other end's address, and of a kind's route ("": it has none). */
struct http_kind_namer {
	edge_namer edge;
	const char *(*route)(void *context, const struct http_kind *kind);
	void *context;
};

/*
 * Adds what `now_read` has more than was read before to the owner's series. Where the other end has
 * no name yet, all waits for the next read; with `last`, there is none: it counts as unknown.
 */
void http_kind_take(struct http_read_kind *entry, const struct http_counters *now_read,
		    const struct http_kind_namer *namer, struct series_owner *owner, uint64_t now,
		    bool last);

/* Nothing new for EDGE_IDLE_MS; never true of the others' kinds. */
bool http_kind_is_idle(const struct http_read_kind *entry, uint64_t now);

void http_kinds_remove(struct http_kinds *kinds, struct http_read_kind *entry);

#endif
