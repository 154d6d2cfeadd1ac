// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/node_book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

static struct node_record *find_record(const struct node_book *book, const char *name)
{
	struct node_record *found;

	HASH_FIND_STR(book->records, name, found);
	return found;
}

static void free_record(struct node_record *record)
{
	free(record->facts);
	free(record->name);
	free(record);
}

static struct node_record *ensure_record(struct node_book *book, const char *name)
{
	struct node_record *record = find_record(book, name);

	if (record)
		return record;
	record = calloc(1, sizeof(*record));
	if (record)
		record->name = strdup(name);
	if (!record || !record->name) {
		free(record);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, book->records, record->name, strlen(record->name), record);
	if (is_in_table(record))
		return record;
	free_record(record);
	return NULL;
}

static void remove_record(struct node_book *book, struct node_record *record)
{
	HASH_DEL(book->records, record);
	free_record(record);
}

/* To be looked at, and soon: it may be that a condition has turned. */
static void look_soon(struct node_record *record)
{
	record->due = true;
	if (!record->failures)
		record->look_ms = 0;
}

static char *print_facts(cJSON *facts)
{
	cleanup_json cJSON *owned = facts;

	return owned ? cJSON_PrintUnformatted(owned) : NULL;
}

int node_book_learn(struct node_book *book, const char *name, const cJSON *object)
{
	const cJSON *status = json_find(object, "status");
	struct node_record *record = ensure_record(book, name);
	char *facts;

	if (!record)
		return -ENOMEM;
	record->told = node_told_read(status);
	record->due = true;
	if (record->said || !status)
		return 0;
	facts = print_facts(node_report_facts_of_status(status));
	if (!facts)
		return -ENOMEM;
	free(record->facts);
	record->facts = facts;
	return 0;
}

/* It is written anew, unless the node is gone as well. */
void node_book_gone(struct node_book *book, const char *name)
{
	struct node_record *record = find_record(book, name);

	if (!record)
		return;
	record->told = (struct node_told){0};
	record->due = true;
}

int node_book_take_facts(struct node_book *book, const char *name, const cJSON *agent_facts)
{
	char *facts = print_facts(node_report_facts(agent_facts));
	struct node_record *record = facts ? ensure_record(book, name) : NULL;

	if (!record) {
		free(facts);
		return -ENOMEM;
	}
	if (!record->said || strcmp(record->facts, facts) != 0)
		look_soon(record);
	free(record->facts);
	record->facts = facts;
	record->said = true;
	return 0;
}

void node_book_touch(struct node_book *book, const char *name)
{
	struct node_record *record = find_record(book, name);

	if (record)
		record->due = true;
}

/* Which reports are due. */

enum presence { AT_WORK, BETWEEN, ABSENT };

static enum presence presence_of(const struct node_record *record,
				 const struct node_book_view *view)
{
	const struct fleet_node *node = fleet_find_node(view->fleet, record->name);

	if (!node)
		return view->now_ms < view->settled_ms ? BETWEEN : ABSENT;
	if (node->connected && node->report.epoch)
		return AT_WORK;
	return fleet_node_is_absent(node, view->now_ms) ? ABSENT : BETWEEN;
}

static struct node_now now_of(const struct node_record *record, const struct node_book_view *view)
{
	const struct fleet_node *node = fleet_find_node(view->fleet, record->name);

	return (struct node_now){
		.node = record->name,
		.namespace = view->namespace,
		.absent = record->absent,
		.applied = node && node->report.epoch,
		.revision = node ? node->report.revision : 0,
		.time = view->time,
	};
}

static cJSON *make_status(const struct node_record *record, const struct node_book_view *view)
{
	cleanup_json cJSON *facts = cJSON_Parse(record->facts);
	const struct node_now now = now_of(record, view);

	return facts ? node_report_status(facts, &now, &record->told) : NULL;
}

/* From when on it may be written; a condition that turns goes on credit. */
static uint64_t time_of(cJSON *status, const struct node_record *record)
{
	const uint64_t credit = (uint64_t)NODE_TURNS_AT_ONCE * NODE_WRITE_INTERVAL_MS;

	if (node_report_differs_by_revision(status, &record->told))
		return record->budget_ms + NODE_REVISION_INTERVAL_MS - NODE_WRITE_INTERVAL_MS;
	if (!node_report_turns(status, &record->told))
		return record->budget_ms;
	return record->budget_ms > credit ? record->budget_ms - credit : 0;
}

/* Looks at a record that is due. Returns whether it is to be written, with the status. */
static bool look_at(struct node_record *record, const struct node_book_view *view,
		    cJSON **ret_status)
{
	cleanup_json cJSON *status = make_status(record, view);
	uint64_t from;

	if (!status) {
		*ret_status = NULL; /* the write fails, and is tried again */
		return true;
	}
	if (!node_report_differs(status, &record->told)) {
		record->due = false;
		return false;
	}
	from = time_of(status, record);
	if (view->now_ms < from) {
		record->look_ms = from;
		return false;
	}
	*ret_status = take_pointer(status);
	return true;
}

/* Sees whether the agent came or went. False while it is not known whether it is there. */
static bool note_presence(struct node_record *record, const struct node_book_view *view)
{
	enum presence presence = presence_of(record, view);

	if (presence == BETWEEN)
		return false;
	if (record->absent != (presence == ABSENT))
		look_soon(record);
	record->absent = presence == ABSENT;
	return true;
}

/* The node, if it is there and may own a report. */
static const struct cluster_node *find_owner(const struct node_record *record,
					     const struct node_book_view *view)
{
	const struct cluster_node *node = cluster_find_node(view->cluster, record->name);

	return node && node->exists && node->uid ? node : NULL;
}

static bool must_write(struct node_record *record, const struct node_book_view *view,
		       struct node_write *ret_write)
{
	const struct cluster_node *node = find_owner(record, view);

	if (record->writing || !record->facts || !node || !note_presence(record, view))
		return false;
	if (!record->due || view->now_ms < record->look_ms ||
	    !look_at(record, view, &ret_write->status))
		return false;
	ret_write->record = record;
	ret_write->node_uid = node->uid;
	return true;
}

/* Of which there is nothing to tell, and nothing has been told. */
static bool is_left_over(const struct node_record *record, const struct node_book_view *view)
{
	return !record->writing && !record->told.exists && !find_owner(record, view) &&
	       !fleet_find_node(view->fleet, record->name);
}

bool node_book_next(struct node_book *book, const struct node_book_view *view,
		    struct node_write *ret_write)
{
	struct node_record *record, *next;

	HASH_ITER(hh, book->records, record, next) {
		if (must_write(record, view, ret_write)) {
			record->writing = true;
			record->due = false;
			/* So all get their turn where not all can. */
			table_move_to_end(book->records, record);
			return true;
		}
		if (is_left_over(record, view))
			remove_record(book, record);
	}
	return false;
}

void node_book_written(struct node_record *record, const cJSON *status, uint64_t now_ms,
		       uint64_t delay_ms)
{
	record->writing = false;
	if (!status) {
		record->failures++;
		record->due = true;
		record->look_ms = now_ms + delay_ms;
		return;
	}
	record->failures = 0;
	if (record->budget_ms < now_ms)
		record->budget_ms = now_ms;
	if (record->told.exists)
		record->budget_ms += NODE_WRITE_INTERVAL_MS;
	record->told = node_told_read(status);
}

void node_book_begin(struct node_book *book)
{
	for (struct node_record *record = book->records; record; record = record->hh.next) {
		record->said = false;
		record->due = true;
		record->failures = 0;
		record->look_ms = 0;
	}
}

void node_book_clear(struct node_book *book)
{
	struct node_record *record, *next;

	HASH_ITER(hh, book->records, record, next)
		remove_record(book, record);
}
