/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What the API's reviews have in common: an object with a question in its spec is posted, is kept
 * nowhere, and comes back with the answer in its status.
 */
#ifndef SKEP_LIB_KUBE_REVIEW_H
#define SKEP_LIB_KUBE_REVIEW_H

#include "lib/kube/client.h"

struct review_kind {
	const char *path;
	const char *api_version;
	const char *kind;
};

/*
 * Sends the question and takes both `spec` and `context`, which may be NULL when memory ran out for
 * them. The handler is called with the context, which is freed with free() when it is done with.
 * Returns 0 or a negative errno, when both are gone.
 */
int review_send(struct kube_client *client, const struct review_kind *kind, cJSON *spec,
		kube_response_handler handler, void *context, struct error *error);

#endif
