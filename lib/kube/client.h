/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Requests to the Kubernetes API: one curl multi handle on the caller's event loop, so that all
 * requests and watches share its connections.
 */
#ifndef SKEP_LIB_KUBE_CLIENT_H
#define SKEP_LIB_KUBE_CLIENT_H

#include <stdbool.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "lib/base/error.h"
#include "lib/kube/config.h"

struct kube_client;

/* What came of a request. Lives for the time of the call that receives it. */
struct kube_response {
	int status;		 /* HTTP status; 0 when no whole answer came */
	const cJSON *body;	 /* the decoded body; NULL where there is none or it is no JSON */
	const char *reason;	 /* why it failed, fit for a log line; NULL on success (2xx) */
	int retry_after_seconds; /* from Retry-After, 0 to KUBE_RETRY_AFTER_LIMIT */
};

typedef void (*kube_response_handler)(void *context, const struct kube_response *response);

/* Bounds of one client. */
#define KUBE_REQUEST_TIMEOUT_SECONDS 30
#define KUBE_RETRY_AFTER_LIMIT	     60 /* seconds; who asks for more patience gets no more */
#define KUBE_OBJECT_LIMIT	     (4 << 20)	/* bytes of one object of a list or watch */
#define KUBE_BODY_LIMIT		     (16 << 20) /* bytes of an answer that are kept at a time */

/*
 * Makes a client on `loop`; copies what it needs of `config`. Returns 0 with *ret_client, which the
 * caller ends with kube_client_free().
 */
int kube_client_new(uv_loop_t *loop, const struct kube_config *config,
		    struct kube_client **ret_client, struct error *error);

/*
 * Cancels what is under way (no handler is called any more) and frees the client. Not to be called
 * from within a handler of the client. Returns NULL at once; the loop must run on (or be run once
 * more) for its handles to close and the last memory to be freed.
 */
struct kube_client *kube_client_free(struct kube_client *client);

/*
 * Sends one request. `path` starts with a slash and may hold a query; `body` may be NULL and stays
 * the caller's; `content_type` is that of the body. The handler is called exactly once, from the
 * loop and never from within this call, unless the client is freed first. An answer of 429 or 5xx
 * is not tried again here: who asks knows whether that is right.
 */
int kube_request(struct kube_client *client, const char *method, const char *path,
		 const char *content_type, const cJSON *body, kube_response_handler handler,
		 void *context, struct error *error);

#define KUBE_JSON	 "application/json"
#define KUBE_APPLY	 "application/apply-patch+yaml" /* server-side apply; JSON is YAML */
#define KUBE_MERGE_PATCH "application/merge-patch+json"

#endif
