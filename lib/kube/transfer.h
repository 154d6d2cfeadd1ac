/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * One HTTP exchange with the API server, the stuff of requests and watches. Unlike kube_request()
 * it can be cancelled, can hand on the answer as it comes, and says when its context is done with.
 */
#ifndef SKEP_LIB_KUBE_TRANSFER_H
#define SKEP_LIB_KUBE_TRANSFER_H

#include <stddef.h>

#include "lib/kube/client.h"

struct kube_transfer;

struct kube_transfer_request {
	const char *method;
	const char *path;	  /* with the query */
	const char *content_type; /* of the body */
	const cJSON *body;	  /* NULL for none */
	unsigned int seconds;	  /* that it may take; 0: KUBE_REQUEST_TIMEOUT_SECONDS */
	bool is_endless;	  /* it may take for ever once it is connected */
	/* Takes the bytes of an answer of status 200 as they come. NULL: collected for `done`. */
	void (*stream)(void *context, const char *data, size_t length);
	kube_response_handler done; /* called once unless cancelled; the transfer is gone then */
	void (*release)(void *context); /* or NULL; called last, also when cancelled */
	void *context;
};

/*
 * Starts it; no handler is called from within. Returns 0, with *ret_transfer good until `done` is
 * called (NULL: not wanted), or a negative errno, when `release` is not called.
 */
int kube_transfer_start(struct kube_client *client, const struct kube_transfer_request *request,
			struct kube_transfer **ret_transfer, struct error *error);

/* Ends it without `done`. Returns NULL. */
struct kube_transfer *kube_transfer_cancel(struct kube_transfer *transfer);

struct curl_loop;

/* For the client: fails all that goes over the connections of a loop. Calls handlers. */
void kube_transfers_fail(struct kube_client *client, const struct curl_loop *curl_loop,
			 const char *why);

/* For the client: hands on what has come and ends what has finished. Calls handlers. */
void kube_transfers_advance(struct kube_client *client);

#endif
