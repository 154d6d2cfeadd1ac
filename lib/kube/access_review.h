/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Asks the API server whether somebody may do something (authorization.k8s.io/v1). */
#ifndef SKEP_LIB_KUBE_ACCESS_REVIEW_H
#define SKEP_LIB_KUBE_ACCESS_REVIEW_H

#include "lib/kube/client.h"

struct kube_access_question {
	const cJSON *user; /* as a TokenReview tells it: username, uid, groups, extra */
	const char *verb;
	const char *group;
	const char *resource;
	const char *namespace; /* "": in all of them */
};

/* `failure` is NULL when there is an answer; else it says why there is none. */
typedef void (*kube_access_review_handler)(void *context, bool allowed, const char *failure);

/* Asks the question (SubjectAccessReview). The handler is called once, as with kube_request(). */
int kube_access_review(struct kube_client *client, const struct kube_access_question *question,
		       kube_access_review_handler handler, void *context, struct error *error);

#endif
