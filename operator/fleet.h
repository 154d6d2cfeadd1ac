/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The fleet of nodes: what each node's agent is to do (its selection, with revisions) and what it
 * said it has done (its last report). No I/O: messages go out and come in as JSON, time as a
 * number.
 */
#ifndef SKEP_OPERATOR_FLEET_H
#define SKEP_OPERATOR_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/base/pointer_set.h"
#include "lib/base/strings.h"
#include "lib/link/report.h"
#include "lib/link/selection.h"
#include "operator/fleet_form.h"

/*
 * A node without an agent at work for this long is failing; until then the last word of its agent
 * holds. An agent that only comes and goes, and never reports, is not at work.
 */
#define FLEET_AGENT_GRACE_MS 10000

/* A pod that is to be observed: one allocation, as there are many. */
struct fleet_entry {
	struct fleet_form *form;     /* held */
	uint64_t since[PROBE_TYPES]; /* revision that brought the probe as it is now */
	bool changed;		     /* not in a message yet */
	bool news;		     /* how it stands may have changed, see fleet_node_news() */
	bool crowded;		     /* more policies ask for it than it can have */
	uint32_t own_size;
	char own[]; /* strings as of fleet_form_append_own(): the first one is the UID */
};

struct fleet_node {
	char *name;
	struct pointer_set *forms;  /* the fleet's */
	struct pointer_set entries; /* of struct fleet_entry, by UID */
	struct strings removed;	    /* UIDs not in a message yet */
	uint64_t revision;	    /* of the last message made */
	bool changed;		    /* there is something for the next message */
	uint32_t turn;		    /* in which it was last told, see on_push() */

	bool connected;
	void *session;		      /* of who is connected; for the agents' door */
	uint64_t heard_ms;	      /* when its agent was last known to be at work */
	bool absence_told;	      /* the policies concerned know that it is absent */
	struct report report;	      /* of the last connection; epoch NULL while there is none */
	struct strings throttle_news; /* policies of which it tells otherwise than before */
	UT_hash_handle hh;
};

struct fleet {
	char *epoch;	     /* of this run of the operator */
	uint64_t settled_ms; /* until then, agents of which nothing is known may be on their way */
	struct fleet_node *nodes;
	struct pointer_set *forms; /* of struct fleet_form, by text; from the first node on */
};

/* How one probe of one pod stands. Strings live until the fleet changes. */
enum probe_standing {
	STANDING_ATTACHED,
	STANDING_PENDING, /* the agent has not answered yet */
	STANDING_WAITING, /* for the pod's containers */
	STANDING_FAILED,
	STANDING_UNSUPPORTED,
};

struct standing {
	enum probe_standing standing;
	const char *reason;
	const char *message;
};

struct fleet_node *fleet_find_node(const struct fleet *fleet, const char *name);

/* As fleet_find_node(), and makes the node where there is none; NULL when memory ran out. */
struct fleet_node *fleet_ensure_node(struct fleet *fleet, const char *name, uint64_t now_ms);

/*
 * Sets what is to be done on the pod `uid` of a node, and takes `pod`, which bears that UID; NULL
 * means nothing. Returns whether that is a change, or -ENOMEM.
 */
int fleet_node_select(struct fleet_node *node, const char *uid, struct selected_pod *pod);

/* A snapshot message with all that holds; the next delta builds on it. NULL when memory ran out. */
cJSON *fleet_node_snapshot(const struct fleet *fleet, struct fleet_node *node);

/* A delta with all changes since the last message; NULL when there are none, or no memory. */
cJSON *fleet_node_delta(const struct fleet *fleet, struct fleet_node *node);

/* The agent connected (what the one before it said is forgotten) or went away. */
void fleet_node_connect(struct fleet_node *node, bool connected, uint64_t now_ms);

/* Whether no agent has been at work on the node for FLEET_AGENT_GRACE_MS. */
bool fleet_node_is_absent(const struct fleet_node *node, uint64_t now_ms);

/* The same of a node that the fleet may not have met yet. */
bool fleet_lacks_agent(const struct fleet *fleet, const char *node_name, uint64_t now_ms);

/* Keeps the report and takes its contents; one of another epoch is dropped. */
void fleet_node_take_report(const struct fleet *fleet, struct fleet_node *node,
			    struct report *report);

/* How a probe of a pod stands at `now_ms`, by what its node's agent said. */
struct standing fleet_node_standing(const struct fleet_node *node, const char *uid,
				    enum probe_type type, uint64_t now_ms);

/* Whether a policy that is about the pod is left out there, as it has too many others. */
bool fleet_node_leaves_out(const struct fleet_node *node, const char *uid, const char *policy);

/* What bounds the policy is beyond on the node; NULL: none, or the agent has not told yet. */
const struct report_throttle *fleet_node_throttle(const struct fleet_node *node,
						  const char *policy);

/*
 * Whether how a pod stands may have changed since it was last asked: by a report that says
 * something new of it, or by an agent that came or went.
 */
bool fleet_node_news(struct fleet_node *node, const char *uid);

/* Forgets a node that is gone from the cluster. */
void fleet_remove_node(struct fleet *fleet, struct fleet_node *node);

void fleet_clear(struct fleet *fleet);

#endif
