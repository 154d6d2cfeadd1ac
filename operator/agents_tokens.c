// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Who comes in and who may stay: by tokens, and by the pods that they are bound to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <utlist.h>

#include "lib/base/log.h"
#include "lib/kube/jwt.h"
#include "lib/kube/token_review.h"
#include "operator/agents_internal.h"

#define STAY_LEAST_MS 60000 /* where our clock says that a token has ended which holds */

const struct agents_times agents_times = {.stay_ms = 900000, .show_least_ms = 10000};

uint64_t session_until_ms(uint64_t now_ms, uint64_t stay_ms, int64_t wall, int64_t expiry)
{
	uint64_t left_ms = expiry > wall ? (uint64_t)(expiry - wall) * 1000 : 0;

	if (left_ms < STAY_LEAST_MS)
		left_ms = STAY_LEAST_MS;
	return now_ms + (expiry && left_ms < stay_ms ? left_ms : stay_ms);
}

bool session_may_review(const struct session *session)
{
	uint64_t since_ms = uv_now(session->agents->loop) - session->reviewed_ms;

	return !session->reviewing && since_ms >= session->agents->times.show_least_ms;
}

/* The node of the agent pod that the token is bound to; NULL with `why` filled where it is none. */
static const char *node_of(const struct agents *agents, const struct kube_token_owner *owner,
			   char *why, size_t size)
{
	const struct pod *pod;

	if (strcmp(owner->username, agents->username) != 0) {
		snprintf(why, size, "the token is of %s, not of %s", owner->username,
			 agents->username);
		return NULL;
	}
	pod = owner->pod_uid ? cluster_find_pod(agents->books.cluster, owner->pod_uid) : NULL;
	if (!pod || !*pod->node) {
		snprintf(why, size, "the token is bound to no running pod; use a projected token");
		return NULL;
	}
	return pod->node;
}

/* The node and pod that the token binds it to are its own from now on. */
static int bind_session(struct session *session, const char *node, const char *pod_uid)
{
	session->node = strdup(node);
	session->pod_uid = strdup(pod_uid);
	return session->node && session->pod_uid ? 0 : -1;
}

static void let_stay(struct session *session)
{
	const struct agents *agents = session->agents;

	session->until_ms = session_until_ms(uv_now(agents->loop), agents->times.stay_ms,
					     time(NULL), session->expiry);
}

static void let_in(struct session *session, const struct kube_token_owner *owner, const char *node)
{
	if (bind_session(session, node, owner->pod_uid) < 0) {
		session_refuse(session, "out of memory");
		return;
	}
	let_stay(session);
	link_peer_admit(session->peer);
}

/* What the owner of a token that holds may do: come in, or stay as who it came as. */
static void judge(struct session *session, const struct kube_token_owner *owner)
{
	char why[256];
	const char *node = node_of(session->agents, owner, why, sizeof(why));

	if (!node)
		session_refuse(session, why);
	else if (!session->node)
		let_in(session, owner, node);
	else if (strcmp(session->pod_uid, owner->pod_uid) == 0)
		let_stay(session);
	else
		session_refuse(session, "this token is bound to another pod than the one before");
}

/*
 * While the API server cannot be asked, nobody comes in, but who is in stays, whatever the token
 * says: nobody could be let in again.
 */
static void judge_unanswered(struct session *session, const char *why)
{
	if (!session->node) {
		session_refuse(session, why);
		return;
	}
	session->expiry = 0;
	let_stay(session);
}

static void on_reviewed(void *context, const struct kube_token_owner *owner, const char *refusal,
			bool answered)
{
	struct session *session = context;
	struct agents *agents = session->agents;

	session->reviewing = false;
	if (owner)
		review_cache_keep(&agents->reviews, &session->key, true, owner->user, NULL,
				  uv_now(agents->loop));
	if (!session->peer)
		session_free(session);
	else if (owner)
		judge(session, owner);
	else if (answered)
		session_refuse(session, refusal);
	else
		judge_unanswered(session, refusal);
}

static void ask_for_owner(struct session *session, const char *token)
{
	struct error error;

	session->reviewing = true;
	if (kube_token_review(session->agents->client, token, AGENTS_AUDIENCE, on_reviewed, session,
			      &error) == 0)
		return;
	session->reviewing = false;
	judge_unanswered(session, error.message);
}

void session_review(struct session *session, const char *token)
{
	struct agents *agents = session->agents;
	const struct review *known;
	struct kube_token_owner owner;

	session->expiry = jwt_expiry(token);
	session->key = review_key_of_token(token);
	session->reviewed_ms = uv_now(agents->loop);
	known = review_cache_find(&agents->reviews, &session->key, session->reviewed_ms);
	if (!known) {
		ask_for_owner(session, token);
		return;
	}
	owner = kube_token_owner_of(known->user);
	judge(session, &owner);
}

/* Why the session may not go on, or NULL. */
static const char *end_of(const struct session *session, uint64_t now_ms)
{
	const struct pod *pod = cluster_find_pod(session->agents->books.cluster, session->pod_uid);

	if (!pod || strcmp(pod->node, session->node) != 0)
		return "the pod that its token is bound to is gone";
	if (now_ms >= session->until_ms)
		return "its token has ended, or was not shown again in time";
	return NULL;
}

void agents_check_sessions(uv_timer_t *tick)
{
	struct agents *agents = tick->data;
	struct session *session, *next;
	const char *why;

	DL_FOREACH_SAFE(agents->sessions, session, next) {
		why = session->peer && session->node ? end_of(session, uv_now(tick->loop)) : NULL;
		if (why && !session->refused)
			session_refuse(session, why);
	}
}
