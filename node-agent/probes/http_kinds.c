// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_kinds.h"

#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/http_rows.h"

_Static_assert(HTTP_ANSWER_HOLDS_NS <= EDGE_IDLE_MS * 1000000ULL / 2, "see bpf/http.h");
_Static_assert(EDGE_ADDRESS_SIZE == sizeof(((struct http_kind *)0)->address), "one form");
_Static_assert(HTTP_LABELS <= EDGE_LABELS_LIMIT, "all are in the row");

struct http_read_kind *http_kinds_ensure(struct http_kinds *kinds, const struct http_kind *kind,
					 uint64_t now)
{
	struct http_read_kind *entry;

	HASH_FIND(hh, kinds->table, kind, sizeof(*kind), entry);
	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->kind = *kind;
	entry->changed_at = now;
	HASH_ADD(hh, kinds->table, kind, sizeof(entry->kind), entry);
	if (is_in_table(entry))
		return entry;
	free(entry);
	return NULL;
}

/* The edge of a kind, without labels. */
static struct edge edge_of(const struct http_kind *kind)
{
	struct edge edge = {
		.role = kind->role == HTTP_CLIENT ? EDGE_CLIENT : EDGE_SERVER,
		.port = kind->port,
	};

	memcpy(edge.address, kind->address, sizeof(edge.address));
	return edge;
}

void http_kind_take(struct http_read_kind *entry, const struct http_counters *now_read,
		    const struct http_kind_namer *namer, struct series_owner *owner, uint64_t now,
		    bool last)
{
	struct edge edge = edge_of(&entry->kind);
	struct http_labels labels;
	struct series_row *row;

	if (memcmp(now_read, &entry->read, sizeof(*now_read)) == 0)
		return;
	http_labels_of(&entry->kind, namer->route(namer->context, &entry->kind), &labels);
	edge.labels = labels.labels;
	edge.label_count = labels.count;
	row = edge_rows_find(owner, &http_layout, &edge, namer->edge, namer->context, last);
	if (!row)
		return;
	http_row_add(row, &entry->kind, &entry->read, now_read);
	entry->read = *now_read;
	entry->changed_at = now;
}

bool http_kind_is_idle(const struct http_read_kind *entry, uint64_t now)
{
	const struct edge edge = edge_of(&entry->kind);

	return !edge_stands_for_others(&edge) && now - entry->changed_at >= EDGE_IDLE_MS;
}

void http_kinds_remove(struct http_kinds *kinds, struct http_read_kind *entry)
{
	HASH_DEL(kinds->table, entry);
	free(entry);
}
