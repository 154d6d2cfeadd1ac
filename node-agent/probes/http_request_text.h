/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the beginning of a request says of its target: path, query, host. Pure. */
#ifndef SKEP_NODE_AGENT_PROBES_HTTP_REQUEST_TEXT_H
#define SKEP_NODE_AGENT_PROBES_HTTP_REQUEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Some of the bytes that were read; empty where there are none. */
struct http_span {
	const char *data;
	size_t size;
};

struct http_request_text {
	struct http_span path;	/* without query and fragment; "*" of OPTIONS; none of CONNECT */
	struct http_span query; /* behind the question mark */
	struct http_span host;	/* without port and brackets; only as a whole */
	bool has_query;
	bool is_cut; /* the target goes on behind the bytes that there are */
};

/*
 * Reads the first `size` bytes of a request, of any content: in each of the four forms of a target
 * (RFC 9112, 3.2), of which the absolute one says the host in place of the header.
 */
struct http_request_text http_request_text_of(const char *head, size_t size);

#endif
