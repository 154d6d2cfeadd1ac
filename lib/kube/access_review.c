// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/access_review.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/transfer.h"

#define ACCESS_REVIEW_PATH "/apis/authorization.k8s.io/v1/subjectaccessreviews"

struct review {
	kube_access_review_handler handler;
	void *context;
};

static void on_reviewed(void *context, const struct kube_response *response)
{
	const struct review *review = context;
	const cJSON *status = json_find(response->body, "status");
	const char *failure = response->reason;

	if (!failure && !cJSON_IsBool(json_find(status, "allowed")))
		failure = "the API server's answer does not say whether it is allowed";
	review->handler(review->context, !failure && json_boolean(status, false, "allowed"),
			failure);
}

/* Copies a member of the user that there may be. */
static bool add_copy(cJSON *spec, const char *name, const cJSON *member)
{
	return !member || json_add_item(spec, name, cJSON_Duplicate(member, true));
}

static bool add_user(cJSON *spec, const cJSON *user)
{
	return cJSON_AddStringToObject(spec, "user", json_text(user, "username")) &&
	       add_copy(spec, "uid", json_find(user, "uid")) &&
	       add_copy(spec, "groups", json_find(user, "groups")) &&
	       add_copy(spec, "extra", json_find(user, "extra"));
}

static bool add_resource(cJSON *spec, const struct kube_access_question *question)
{
	cJSON *attributes = cJSON_AddObjectToObject(spec, "resourceAttributes");

	return cJSON_AddStringToObject(attributes, "verb", question->verb) &&
	       cJSON_AddStringToObject(attributes, "group", question->group) &&
	       cJSON_AddStringToObject(attributes, "resource", question->resource) &&
	       cJSON_AddStringToObject(attributes, "namespace", question->namespace);
}

static cJSON *review_json(const struct kube_access_question *question)
{
	cleanup_json cJSON *review = cJSON_CreateObject();
	cJSON *spec = cJSON_AddObjectToObject(review, "spec");

	if (!cJSON_AddStringToObject(review, "apiVersion", "authorization.k8s.io/v1") ||
	    !cJSON_AddStringToObject(review, "kind", "SubjectAccessReview") ||
	    !add_user(spec, question->user) || !add_resource(spec, question))
		return NULL;
	return take_pointer(review);
}

int kube_access_review(struct kube_client *client, const struct kube_access_question *question,
		       kube_access_review_handler handler, void *context, struct error *error)
{
	cleanup_json cJSON *body = review_json(question);
	cleanup_free struct review *review = malloc(sizeof(*review));
	const struct kube_transfer_request request = {
		.method = "POST",
		.path = ACCESS_REVIEW_PATH,
		.content_type = KUBE_JSON,
		.body = body,
		.done = on_reviewed,
		.release = free,
		.context = review,
	};
	int result;

	if (!body || !review)
		return error_set_errno(error, ENOMEM, "access review");
	*review = (struct review){.handler = handler, .context = context};
	result = kube_transfer_start(client, &request, NULL, error);
	if (result == 0)
		(void)take_pointer(review); /* the transfer's now */
	return result;
}
