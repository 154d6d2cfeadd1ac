// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/review.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/transfer.h"

/* Takes `spec`. */
static cJSON *review_json(const struct review_kind *kind, cJSON *spec)
{
	cleanup_json cJSON *review = cJSON_CreateObject();

	if (!json_add_item(review, "spec", spec) ||
	    !cJSON_AddStringToObject(review, "apiVersion", kind->api_version) ||
	    !cJSON_AddStringToObject(review, "kind", kind->kind))
		return NULL;
	return take_pointer(review);
}

int review_send(struct kube_client *client, const struct review_kind *kind, cJSON *spec,
		kube_response_handler handler, void *context, struct error *error)
{
	cleanup_json cJSON *body = review_json(kind, spec);
	cleanup_free void *owned = context;
	const struct kube_transfer_request request = {
		.method = "POST",
		.path = kind->path,
		.content_type = KUBE_JSON,
		.body = body,
		.done = handler,
		.release = free,
		.context = context,
	};
	int result;

	if (!body || !context)
		return error_set_errno(error, ENOMEM, "%s", kind->kind);
	result = kube_transfer_start(client, &request, NULL, error);
	if (result == 0)
		(void)take_pointer(owned); /* the transfer's now */
	return result;
}
