// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/token_review.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/review.h"

static const struct review_kind token_review = {
	.path = "/apis/authentication.k8s.io/v1/tokenreviews",
	.api_version = "authentication.k8s.io/v1",
	.kind = "TokenReview",
};

/* What the API server adds about a token that is bound to a pod. */
#define POD_NAME_KEY "authentication.kubernetes.io/pod-name"
#define POD_UID_KEY  "authentication.kubernetes.io/pod-uid"

struct review {
	kube_token_review_handler handler;
	void *context;
	char audience[];
};

/* The first of the values that `user.extra` holds for a key, or NULL. */
static const char *extra_value(const cJSON *user, const char *key)
{
	return json_string_of(cJSON_GetArrayItem(json_find(user, "extra", key), 0));
}

/*
 * A server that knows nothing of audiences leaves the list out, and has then checked the token for
 * itself only (TokenReviewStatus.audiences).
 */
static bool has_audience(const cJSON *status, const char *audience)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, json_find(status, "audiences")) {
		if (strcmp(json_text_of(item), audience) == 0)
			return true;
	}
	return false;
}

/* Why the token does not hold for the audience, or NULL when it does. */
static const char *refusal_of(const cJSON *status, const char *audience)
{
	const char *why = json_text(status, "error");

	if (!json_boolean(status, false, "authenticated"))
		return *why ? why : "the API server does not know the token";
	if (*audience && !has_audience(status, audience))
		return "the token is not meant for this audience";
	if (!*json_text(status, "user", "username"))
		return "the API server names no owner of the token";
	return NULL;
}

struct kube_token_owner kube_token_owner_of(const cJSON *user)
{
	return (struct kube_token_owner){
		.username = json_string(user, "username"),
		.pod_name = extra_value(user, POD_NAME_KEY),
		.pod_uid = extra_value(user, POD_UID_KEY),
		.user = user,
	};
}

static void on_reviewed(void *context, const struct kube_response *response)
{
	const struct review *review = context;
	const cJSON *status = json_find(response->body, "status");
	const cJSON *user = json_find(status, "user");
	const struct kube_token_owner owner = kube_token_owner_of(user);
	const char *refusal =
		response->reason ? response->reason : refusal_of(status, review->audience);

	review->handler(review->context, refusal ? NULL : &owner, refusal,
			!response->reason && status);
}

static cJSON *spec_json(const char *token, const char *audience)
{
	cleanup_json cJSON *spec = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(spec, "token", token) ||
	    !json_add_item(spec, "audiences", cJSON_CreateStringArray(&audience, *audience != 0)))
		return NULL;
	return take_pointer(spec);
}

static struct review *review_new(const char *audience, kube_token_review_handler handler,
				 void *context)
{
	struct review *review = malloc(sizeof(*review) + strlen(audience) + 1);

	if (!review)
		return NULL;
	review->handler = handler;
	review->context = context;
	strcpy(review->audience, audience);
	return review;
}

int kube_token_review(struct kube_client *client, const char *token, const char *audience,
		      kube_token_review_handler handler, void *context, struct error *error)
{
	return review_send(client, &token_review, spec_json(token, audience), on_reviewed,
			   review_new(audience, handler, context), error);
}
