/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * NodeProbeReports: from what an agent says of its node to the object that people read. The
 * operator alone writes these objects, whole and by one request: they have no spec that somebody
 * else could own, so their status is no subresource. Pure.
 */
#ifndef SKEP_OPERATOR_NODE_REPORT_H
#define SKEP_OPERATOR_NODE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

enum node_condition {
	NODE_READY,   /* an agent is at work, and all that is asked of it is attached */
	NODE_CAPABLE, /* the kernel has all that probes need */
};
#define NODE_CONDITIONS 2

/* Figures that move all the time; they are written when they moved by a tenth, or from or to 0. */
enum node_figure {
	NODE_MEMORY_PROGRAMS, /* KiB */
	NODE_MEMORY_MAPS,
	NODE_LOST_RATE_LIMITED, /* events */
	NODE_LOST_RING_FULL,
	NODE_LOST_TABLE_FULL,
	NODE_LOST_DECODE,
	NODE_LOST_EXPORT,
};
#define NODE_FIGURES 7

/* What the API server has, as far as is known. A zeroed struct: no report. */
struct node_told {
	bool exists;
	uint64_t digest; /* of the status */
	uint64_t figures[NODE_FIGURES];
	int64_t revision; /* -1 for none */
	struct {
		char status[8]; /* "True", "False", "Unknown"; "" for none */
		int64_t since;	/* seconds since 1970 */
	} conditions[NODE_CONDITIONS];
};

/* Reads a status, which may be NULL or anything. */
struct node_told node_told_read(const cJSON *status);

/*
 * The members of a status but for its conditions and what is computed from them, by what an agent
 * says (node_facts_decode()). Owned by the caller; NULL: no memory.
 */
cJSON *node_report_facts(const cJSON *agent_facts);

/* The same of a status that was read back. */
cJSON *node_report_facts_of_status(const cJSON *status);

/* What is known of a node besides the facts. */
struct node_now {
	const char *node;
	const char *namespace; /* of the agents */
	bool absent;	       /* no agent has been at work for a while */
	bool applied;	       /* the agent has said which revision it carried out: */
	uint64_t revision;
	int64_t time; /* seconds since 1970 */
};

/*
 * The whole status: `facts` with figures that have not moved as they were told, conditions with the
 * time of their last turn. Owned by the caller; NULL: no memory.
 */
cJSON *node_report_status(const cJSON *facts, const struct node_now *now,
			  const struct node_told *told);

/*
 * Whether a status says anything that was not told; whether that is no more than another revision;
 * and whether a condition has turned by it.
 */
bool node_report_differs(const cJSON *status, const struct node_told *told);
bool node_report_differs_by_revision(cJSON *status, const struct node_told *told);
bool node_report_turns(const cJSON *status, const struct node_told *told);

/*
 * The object for server-side apply, owned by the Node; takes `status`, which may be NULL. NULL: no
 * memory.
 */
cJSON *node_report_object(const char *node, const char *node_uid, cJSON *status);

#endif
