/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What is known of each node for its NodeProbeReport: what its agent says, and what the API server
 * has; and which report must be written, and when. No I/O; time comes in.
 */
#ifndef SKEP_OPERATOR_NODE_BOOK_H
#define SKEP_OPERATOR_NODE_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/table.h"
#include "operator/cluster.h"
#include "operator/fleet.h"
#include "operator/node_report.h"

/*
 * A report is written once in so many ms. When a condition turns, that is not waited for; each such
 * write uses up the time that it came too soon, of at most NODE_TURNS_AT_ONCE such times. A new
 * report is written before its agent has attached anything, so what comes next may come at once.
 * Another revision alone, which each change of a pod brings, waits for longer.
 */
#define NODE_WRITE_INTERVAL_MS	  60000
#define NODE_REVISION_INTERVAL_MS 600000
#define NODE_TURNS_AT_ONCE	  2

struct node_record {
	char *name;
	char *facts; /* node_report_facts() as JSON text; NULL: nothing is known */
	bool said;   /* by an agent, since this operator leads */
	bool absent; /* as it was when it was looked at last */
	struct node_told told;
	bool writing;	       /* from node_book_next() to node_book_written() */
	bool due;	       /* what is to be told may have changed */
	uint64_t look_ms;      /* not before */
	uint64_t budget_ms;    /* grows by NODE_WRITE_INTERVAL_MS with each write */
	unsigned int failures; /* writes in a row */
	UT_hash_handle hh;     /* by name; those that were written first come first */
};

struct node_book {
	struct node_record *records;
};

/*
 * The API server has this report, or has none of that name any more. While this operator leads,
 * what agents have said goes before what is in it. Returns 0 or -ENOMEM.
 */
int node_book_learn(struct node_book *book, const char *name, const cJSON *object);
void node_book_gone(struct node_book *book, const char *name);

/* What a node's agent says (node_facts_decode()). Returns 0 or -ENOMEM, with all as it was. */
int node_book_take_facts(struct node_book *book, const char *name, const cJSON *agent_facts);

/* The node's agent came, went, or reported what it carried out. */
void node_book_touch(struct node_book *book, const char *name);

/* What the writer needs to know of the world. */
struct node_book_view {
	const struct cluster *cluster;
	const struct fleet *fleet;
	const char *namespace; /* of the agents */
	uint64_t settled_ms;   /* until then, agents are on their way from another leader */
	uint64_t now_ms;
	int64_t time; /* seconds since 1970 */
};

/* A report to be written. */
struct node_write {
	struct node_record *record; /* until node_book_written() */
	const char *node_uid;	    /* belongs to the cluster */
	cJSON *status;		    /* for the caller to free; NULL: no memory */
};

/*
 * The next report that must be written now; from then on, nothing else is written of that node
 * until node_book_written(). False: there is none. Also forgets nodes that are gone.
 */
bool node_book_next(struct node_book *book, const struct node_book_view *view,
		    struct node_write *ret_write);

/*
 * The write is over: `status` is what the API server has now, or NULL when it failed; then it is
 * tried again after `delay_ms`.
 */
void node_book_written(struct node_record *record, const cJSON *status, uint64_t now_ms,
		       uint64_t delay_ms);

/* This operator begins to lead: nothing has been said by agents yet, all is looked at. */
void node_book_begin(struct node_book *book);

void node_book_clear(struct node_book *book);

#endif
