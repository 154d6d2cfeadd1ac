/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The way of a request's record out of the HTTP probe: as an event, with the other end's name,
 * which it waits for a moment where it is not known.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_TELLER_H
#define SKEP_NODE_AGENT_PROBES_HTTP_TELLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/http.h"
#include "lib/intent/intent.h"
#include "node-agent/probes/probe.h"

#define HTTP_TELLER_LIMIT   64	 /* records of a node that wait; beyond, the oldest goes on */
#define HTTP_TELLER_WAIT_MS 1000 /* how long one waits */

/* A target as far as its records are concerned. */
struct http_told_target {
	uint64_t cgroup_id;
	bool is_container;
	enum http_paths paths;
	struct series_owner *series;
	uint64_t received;  /* records */
	uint64_t undecoded; /* of these, records that gave no event */
};

struct http_waiting {
	struct http_told_target *target;
	uint64_t since; /* ms */
	struct http_record record;
};

/* What the route of a request is called; "" where none was asked for. */
typedef const char *(*http_route_namer)(void *context, const struct http_record *record);

/* Zeroed but for the host and the namer, it is empty. */
struct http_teller {
	const struct probe_host *host;
	http_route_namer name_route;
	void *namer_context;
	struct http_waiting waiting[HTTP_TELLER_LIMIT]; /* oldest first */
	size_t count;
};

/* Takes a valid record of a target. */
void http_teller_take(struct http_teller *teller, struct http_told_target *target,
		      const struct http_record *record, uint64_t now_ms);

/* Hands on what has waited for a name that is known now, or for long enough. */
void http_teller_go_on(struct http_teller *teller, uint64_t now_ms);

/* Hands on what waits of a target, which changes or goes. */
void http_teller_flush(struct http_teller *teller, const struct http_told_target *target);

#endif
