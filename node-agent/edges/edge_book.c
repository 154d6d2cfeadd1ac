// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/edge_book.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/lib/share.h"
#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "node-agent/edges/figures.h"

/* What a row bears. */
struct book_mark {
	struct book_edge *edge;
	bool errors; /* what the row counts are errors */
};

struct book_edge {
	size_t rows;		   /* that bear one of its marks */
	struct book_mark marks[2]; /* by `errors` */
	bool told;
	struct namespace *namespace; /* of the workload */
	struct reported_edge edge;   /* its strings are in the key, its figures those of now */
	double figures_told[EDGE_FIGURES];
	UT_hash_handle hh;
	char key[];
};

#define KEY_STRINGS 7
#define EDGE_OVERHEAD                                                                              \
	512 /* bytes of an edge in JSON besides its strings: names of members, numbers */

/* The strings of an edge, in the order in which the key has them. */
static void list_strings(struct reported_edge *edge, const char **ret_strings[KEY_STRINGS])
{
	ret_strings[0] = &edge->protocol;
	ret_strings[1] = &edge->workload.namespace;
	ret_strings[2] = &edge->workload.kind;
	ret_strings[3] = &edge->workload.name;
	ret_strings[4] = &edge->peer.namespace;
	ret_strings[5] = &edge->peer.kind;
	ret_strings[6] = &edge->peer.name;
}

static void make_key(const struct reported_edge *edge, struct text *key)
{
	struct reported_edge copy = *edge;
	const char **strings[KEY_STRINGS];

	list_strings(&copy, strings);
	for (int i = 0; i < KEY_STRINGS; i++)
		text_append(key, *strings[i], strlen(*strings[i]) + 1);
	text_append(key, (const char *)&edge->port, sizeof(edge->port));
	text_append(key, edge->side == SIDE_CLIENT ? "c" : "s", 1);
}

/* The edge with its strings in its own key. */
static struct book_edge *edge_new(const struct reported_edge *edge, const struct text *key)
{
	struct book_edge *entry = calloc(1, sizeof(*entry) + key->length);
	const char **strings[KEY_STRINGS];
	const char *string;

	if (!entry)
		return NULL;
	memcpy(entry->key, key->data, key->length);
	entry->marks[false] = (struct book_mark){entry, false};
	entry->marks[true] = (struct book_mark){entry, true};
	entry->edge.side = edge->side;
	entry->edge.port = edge->port;
	list_strings(&entry->edge, strings);
	string = entry->key;
	for (int i = 0; i < KEY_STRINGS; i++) {
		*strings[i] = string;
		string += strlen(string) + 1;
	}
	return entry;
}

static void edge_free(struct edge_book *book, struct book_edge *entry)
{
	entry->namespace->held--;
	namespaces_leave(&book->namespaces, entry->namespace);
	free(entry);
}

/* NULL where its namespace has its share, or memory ran out. */
static struct book_edge *edge_of_share(struct edge_book *book, const struct reported_edge *edge,
				       const struct text *key)
{
	struct namespace *namespace = namespaces_join(&book->namespaces, edge->workload.namespace);
	struct book_edge *entry = NULL;

	if (namespace && share_has_room(namespace->held, HASH_COUNT(book->edges), EDGES_LIMIT, 1))
		entry = edge_new(edge, key);
	if (!entry) {
		namespaces_leave(&book->namespaces, namespace);
		return NULL;
	}
	entry->namespace = namespace;
	namespace->held++;
	return entry;
}

static struct book_edge *ensure_edge(struct edge_book *book, const struct reported_edge *edge)
{
	cleanup_text struct text key = TEXT_EMPTY;
	struct book_edge *entry;

	make_key(edge, &key);
	if (key.failed)
		return NULL;
	HASH_FIND(hh, book->edges, key.data, key.length, entry);
	if (entry)
		return entry;
	entry = edge_of_share(book, edge, &key);
	if (entry)
		HASH_ADD_KEYPTR(hh, book->edges, entry->key, key.length, entry);
	if (!entry || is_in_table(entry))
		return entry;
	edge_free(book, entry);
	return NULL;
}

void edge_book_enter(struct edge_book *book, struct series_row *row,
		     const struct reported_edge *edge, bool errors)
{
	struct book_edge *entry = ensure_edge(book, edge);

	if (!entry) {
		book->truncated = true;
		return;
	}
	entry->rows++;
	series_row_set_mark(row, &entry->marks[errors]);
}

void edge_book_row_gone(struct edge_book *book, void *mark)
{
	struct book_mark *borne = mark;

	(void)book; /* it leaves the book when that has been told */
	borne->edge->rows--;
}

void edge_book_truncate(struct edge_book *book)
{
	book->truncated = true;
}

void edge_book_begin_anew(struct edge_book *book)
{
	for (struct book_edge *entry = book->edges; entry; entry = entry->hh.next)
		entry->told = false;
	book->told = false;
}

static void add_row(void *context, const struct series_row *row, void *mark)
{
	struct book_mark *borne = mark;

	(void)context;
	figures_add(row, borne->errors, borne->edge->edge.figures);
}

static void add_up(struct edge_book *book, const struct series_store *store)
{
	for (struct book_edge *entry = book->edges; entry; entry = entry->hh.next)
		memset(entry->edge.figures, 0, sizeof(entry->edge.figures));
	series_each_marked(store, add_row, NULL);
}

static void remove_edge(struct edge_book *book, struct book_edge *entry)
{
	HASH_DEL(book->edges, entry);
	edge_free(book, entry);
}

static bool has_changed(const struct book_edge *entry)
{
	for (int i = 0; i < EDGE_FIGURES; i++)
		if (entry->edge.figures[i] != entry->figures_told[i])
			return true;
	return false;
}

/* Whether the operator knows something else of the edge than it should. */
static bool is_news(const struct book_edge *entry)
{
	if (!entry->rows)
		return entry->told;
	return !entry->told || has_changed(entry);
}

/* In JSON, a byte of a string may become two; there are no control characters in them. */
static size_t most_bytes(const struct book_edge *entry)
{
	return EDGE_OVERHEAD + 2 * (size_t)entry->hh.keylen;
}

static bool tell_edge(struct book_edge *entry, cJSON *edges)
{
	entry->told = true;
	memcpy(entry->figures_told, entry->edge.figures, sizeof(entry->figures_told));
	return reported_edge_encode(edges, &entry->edge, true);
}

/*
 * Fills both arrays, up to EDGES_BYTES_LIMIT: what goes beyond is news of the next report. Edges
 * that no row tells of leave the book. False: no memory.
 */
static bool tell_edges(struct edge_book *book, cJSON *edges, cJSON *gone)
{
	struct book_edge *entry, *next;
	size_t room = EDGES_BYTES_LIMIT;
	bool complete = true;

	HASH_ITER(hh, book->edges, entry, next) {
		if (is_news(entry)) {
			if (most_bytes(entry) > room) {
				book->truncated = true;
				continue;
			}
			room -= most_bytes(entry);
			complete &= entry->rows ? tell_edge(entry, edges)
						: reported_edge_encode(gone, &entry->edge, false);
		}
		if (!entry->rows)
			remove_edge(book, entry);
	}
	return complete;
}

cJSON *edge_book_report(struct edge_book *book, const struct series_store *store)
{
	cleanup_json cJSON *edges = cJSON_CreateArray();
	cleanup_json cJSON *gone = cJSON_CreateArray();
	bool full = !book->told, truncated, complete;
	cJSON *message = NULL;

	add_up(book, store);
	complete = tell_edges(book, edges, gone) && edges && gone;
	truncated = book->truncated;
	if (complete && !full && !edges->child && !gone->child && truncated == book->truncated_told)
		return NULL;
	if (complete)
		message = edges_report_encode(full, truncated, take_pointer(edges),
					      take_pointer(gone));
	if (!message) {
		edge_book_begin_anew(book);
		return NULL;
	}
	book->told = true;
	book->truncated_told = truncated;
	book->truncated = false;
	return message;
}

size_t edge_book_count(const struct edge_book *book)
{
	return HASH_COUNT(book->edges);
}

void edge_book_clear(struct edge_book *book)
{
	struct book_edge *entry, *next;

	HASH_ITER(hh, book->edges, entry, next)
		remove_edge(book, entry);
}
