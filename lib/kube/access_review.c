// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/access_review.h"

#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/review.h"

static const struct review_kind access_review = {
	.path = "/apis/authorization.k8s.io/v1/subjectaccessreviews",
	.api_version = "authorization.k8s.io/v1",
	.kind = "SubjectAccessReview",
};

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

static cJSON *spec_json(const struct kube_access_question *question)
{
	cleanup_json cJSON *spec = cJSON_CreateObject();

	if (!add_user(spec, question->user) || !add_resource(spec, question))
		return NULL;
	return take_pointer(spec);
}

static struct review *review_new(kube_access_review_handler handler, void *context)
{
	struct review *review = malloc(sizeof(*review));

	if (review)
		*review = (struct review){.handler = handler, .context = context};
	return review;
}

int kube_access_review(struct kube_client *client, const struct kube_access_question *question,
		       kube_access_review_handler handler, void *context, struct error *error)
{
	return review_send(client, &access_review, spec_json(question), on_reviewed,
			   review_new(handler, context), error);
}
