/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Who somebody is, by their token, and in which namespaces they may see what Skep sees: where they
 * may `get observabilitypolicies.skep.dev`. The API server decides; its answers are kept for a
 * short while.
 */
#ifndef SKEP_OPERATOR_ACCESS_H
#define SKEP_OPERATOR_ACCESS_H

#include <stdbool.h>

#include "lib/base/strings.h"
#include "lib/kube/client.h"

#define ACCESS_NAMESPACES_LIMIT 1024 /* that one check may ask about, one by one */
#define ACCESS_AT_ONCE		16   /* questions of one check that are under way */

struct access;

int access_new(struct kube_client *client, uv_loop_t *loop, struct access **ret_access,
	       struct error *error);

/* To be called after kube_client_free(): nobody is answered any more. Returns NULL. */
struct access *access_free(struct access *access);

enum access_outcome {
	ACCESS_ANSWERED,
	ACCESS_REFUSED, /* the token does not hold */
	ACCESS_FAILED,	/* the API server could not be asked */
	ACCESS_TOO_MUCH /* more namespaces than may be asked about */
};

/* `user` (as a TokenReview tells it) is NULL unless ANSWERED, and `why` then. */
typedef void (*access_identified)(void *context, enum access_outcome outcome, const cJSON *user,
				  const char *why);

/* Finds out whose token it is. The handler is called once, maybe from within this call. */
void access_identify(struct access *access, const char *token, access_identified handler,
		     void *context);

/* What somebody may see. */
struct access_view {
	bool all;		/* every namespace */
	struct strings allowed; /* these, sorted, where it is not all */
};

bool access_view_has(const struct access_view *view, const char *namespace);

/* `view` lives for the call; it is NULL unless ANSWERED. */
typedef void (*access_checked)(void *context, enum access_outcome outcome,
			       const struct access_view *view, const char *why);

/*
 * Finds out which of `namespaces` (sorted, each once; copied) the user may see: asks about the
 * whole cluster first, then about each. With a `needed` namespace that is not NULL, asks about it
 * before the others, and about none of them where it is denied, so that how long it takes does not
 * tell somebody how many there are. The handler is called once, maybe from within this call.
 */
void access_check(struct access *access, const cJSON *user, const struct strings *namespaces,
		  const char *needed, access_checked handler, void *context);

#endif
