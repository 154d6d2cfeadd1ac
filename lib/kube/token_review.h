/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Asks the API server whose token this is (authentication.k8s.io/v1 TokenReview). */
#ifndef SKEP_LIB_KUBE_TOKEN_REVIEW_H
#define SKEP_LIB_KUBE_TOKEN_REVIEW_H

#include "lib/kube/client.h"

/* Who a token belongs to; strings live for the time of the call that receives them. */
struct kube_token_owner {
	const char *username; /* "system:serviceaccount:<namespace>:<name>" */
	const char *pod_name; /* the pod that the token is bound to, or NULL */
	const char *pod_uid;  /* likewise */
	const cJSON *user;    /* all that the API server tells of them, for an access review */
};

/* What a user, as the API server tells of them, is; strings belong to it. */
struct kube_token_owner kube_token_owner_of(const cJSON *user);

/*
 * `owner` is NULL when the token does not hold or, with `answered` false, could not be checked;
 * `refusal` says why.
 */
typedef void (*kube_token_review_handler)(void *context, const struct kube_token_owner *owner,
					  const char *refusal, bool answered);

/* Reviews `token` for `audience`; "" is for the API server itself. The handler is called once, as
 * with kube_request(). */
int kube_token_review(struct kube_client *client, const char *token, const char *audience,
		      kube_token_review_handler handler, void *context, struct error *error);

#endif
