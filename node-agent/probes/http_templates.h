/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Templates of routes as the kernel half follows them: from node to node, one step for each segment
 * of a path. Where several templates take a path, it is decided from the left: a literal segment
 * goes before a {name}, that before a {name...}. All that may still match is followed at once, so
 * that no step is ever taken back. Pure.
 */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_TEMPLATES_H
#define SKEP_NODE_AGENT_PROBES_HTTP_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/http.h"
#include "lib/intent/http_routes.h"

/* Steps of one list of templates; what a path would need beyond them is not matched. */
#define HTTP_TEMPLATES_STEPS_LIMIT 16384

struct http_template_step {
	uint64_t segment; /* its hash, or HTTP_STEP_ANY */
	uint16_t from;	  /* a node; 0 is the root */
	struct http_step step;
};

/* Steps end with http_templates_free(). A zeroed struct is empty. */
struct http_templates {
	struct http_template_step *steps;
	size_t count;
	uint32_t root;	/* the route of "/"; 0: none of them */
	bool truncated; /* they overlap too much: not all are told apart */
};

/*
 * The steps of a list, whose templates are the routes `first`, `first` + 1, … in its order. Returns
 * 0 or -ENOMEM.
 */
int http_templates_compile(const struct http_routes *routes, uint32_t first,
			   struct http_templates *ret_templates);

void http_templates_free(struct http_templates *templates);

#endif
