/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Who talks to whom, as an agent reports it: from a workload of its node to a peer, with totals
 * since the edge was first seen. An edge that is reported again replaces what was said of it.
 */
#ifndef SKEP_LIB_LINK_EDGES_H
#define SKEP_LIB_LINK_EDGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"

#define EDGES_LIMIT	     4096    /* edges of one node */
#define EDGES_STRING_LIMIT   253     /* bytes of a name, kind or namespace */
#define EDGES_PROTOCOL_LIMIT 16	     /* bytes of "tcp", "http", ... */
#define EDGES_BYTES_LIMIT    4000000 /* of one message, which the link would refuse from 4 MiB on */

/* Which end of the edge the reported workload is. */
enum edge_side { SIDE_CLIENT, SIDE_SERVER };

/* One end. Strings are "" where there is none, and belong to who made it. */
struct edge_party {
	const char *namespace;
	const char *kind;
	const char *name;
};

enum edge_figure {
	FIGURE_CONNECTIONS,
	FIGURE_FAILED, /* connections that did not come about */
	FIGURE_SENT_BYTES,
	FIGURE_RECEIVED_BYTES,
	FIGURE_RETRANSMITTED_PACKETS,
	FIGURE_RTT_SECONDS, /* sum of round-trip times */
	FIGURE_RTT_COUNT,   /* how many make the sum */

	FIGURE_REQUESTS,
	FIGURE_ERRORS,		 /* requests that failed at the server, or got no response */
	FIGURE_DURATION_SECONDS, /* sum over the requests */
	FIGURE_REQUEST_BYTES,
	FIGURE_RESPONSE_BYTES,
};
#define EDGE_FIGURES (FIGURE_RESPONSE_BYTES + 1)

/* The figure's name in JSON: "connections", "sentBytes", ... */
const char *edge_figure_name(enum edge_figure figure);

/* Whether edges of this protocol have the figure. */
bool edge_has_figure(const char *protocol, enum edge_figure figure);

/* What carries the protocol, as the port of a Service names it: "tcp" for "http". */
const char *edge_transport(const char *protocol);

struct reported_edge {
	enum edge_side side;
	const char *protocol;	    /* "tcp", "http" */
	struct edge_party workload; /* of the agent's node */
	struct edge_party peer;
	uint16_t port; /* the server's */
	double figures[EDGE_FIGURES];
};

/* Figures that are missing are 0. -EINVAL for what is no edge. Strings belong to the JSON. */
int reported_edge_decode(const cJSON *item, struct reported_edge *ret_edge, struct error *error);

/* Appends an edge to an array that may be NULL, with its figures or without. False: no memory. */
bool reported_edge_encode(cJSON *array, const struct reported_edge *edge, bool with_figures);

/* What a message holds; all of it belongs to the JSON. */
struct edges_report {
	bool full;	    /* it replaces all that was reported before */
	bool truncated;	    /* there are more edges than may be told */
	const cJSON *edges; /* array of edges that are new or changed */
	const cJSON *gone;  /* array of edges, without figures, that are no more */
};

/* Returns 0, or -EINVAL when arrays are missing or too long. Their members are not looked at. */
int edges_report_decode(const cJSON *message, struct edges_report *ret_report, struct error *error);

/* {"type": "edges", ...}; takes both arrays, which may be NULL. NULL: no memory. */
cJSON *edges_report_encode(bool full, bool truncated, cJSON *edges, cJSON *gone);

#endif
