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

/* So much is kept at a time. */
#define PART 64
_Static_assert(sizeof(struct http_counters) % PART == 0, "whole parts");

/* How many bytes, in parts, there are before the counters are all 0. */
static size_t used_size(const struct http_counters *counters)
{
	static const char zero[PART];
	size_t size = sizeof(*counters);

	while (size && memcmp((const char *)counters + size - PART, zero, PART) == 0)
		size -= PART;
	return size;
}

static struct http_counters read_before(const struct http_read_kind *entry)
{
	struct http_counters counters = {0};

	if (entry->read_size)
		memcpy(&counters, entry->read, entry->read_size);
	return counters;
}

/* Counters do not shrink, but go round: what is kept may become 0 again. */
static bool read_reserve(struct http_read_kind *entry, const struct http_counters *counters)
{
	size_t size = used_size(counters);
	char *read;

	if (size <= entry->read_size)
		return true;
	read = realloc(entry->read, size);
	if (!read)
		return false;
	memset(read + entry->read_size, 0, size - entry->read_size);
	entry->read = read;
	entry->read_size = size;
	return true;
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
	const struct http_counters before = read_before(entry);
	struct edge edge = edge_of(&entry->kind);
	struct http_labels labels;
	struct series_row *row;

	if (memcmp(now_read, &before, sizeof(*now_read)) == 0 || !read_reserve(entry, now_read))
		return;
	http_labels_of(&entry->kind, namer->route(namer->context, &entry->kind), &labels);
	edge.labels = labels.labels;
	edge.label_count = labels.count;
	row = edge_rows_find(owner, &http_layout, &edge, namer->edge, namer->context, last);
	if (!row)
		return;
	http_row_add(row, &entry->kind, &before, now_read);
	memcpy(entry->read, now_read, entry->read_size);
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
	free(entry->read);
	free(entry);
}
