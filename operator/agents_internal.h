/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the files of the agents' door share: sessions, and what their tokens let them do. */
#ifndef SKEP_OPERATOR_AGENTS_INTERNAL_H
#define SKEP_OPERATOR_AGENTS_INTERNAL_H

#include "operator/agents.h"
#include "operator/review_cache.h"

#define AGENTS_TICK_MS 1000

/* One connection, from its token on. */
struct session {
	struct agents *agents;
	struct link_peer *peer; /* NULL when it has been closed */
	char *node;		/* that the token binds it to; NULL until that is known */
	char *pod_uid;		/* likewise */
	bool reviewing;		/* the API server is being asked about its token */
	uint64_t reviewed_ms;	/* when that began last */
	int64_t expiry;		/* that the token tells of itself; 0 for none */
	struct review_key key;	/* of the token that is being reviewed */
	uint64_t until_ms;	/* for which it may stay without showing a token */
	bool refused;		/* is about to end */
	bool greeted;		/* said hello: stands for its node */
	bool asks_too_much;	/* which has been logged */
	struct asker asker;	/* in the lookups while it has a peer */
	struct session *prev, *next;
};

struct agents {
	struct link_server *server;
	struct kube_client *client;
	uv_loop_t *loop;
	struct agents_books books;
	struct agents_times times;
	agents_handler changed;
	void *context;
	char *username; /* of agents, as a TokenReview tells it */
	struct review_cache reviews;
	uv_timer_t tick;
	struct session *sessions;
};

/* Takes it out of the list and frees it. */
void session_free(struct session *session);

/* Ends the connection, tells the agent why, and logs it. */
void session_refuse(struct session *session, const char *why);

/*
 * Finds out whose the token is: lets the session in, lets it stay, or refuses it. One at a time for
 * each session.
 */
void session_review(struct session *session, const char *token);

/* Whether it may show a token again: none is under review, and the last one was a while ago. */
bool session_may_review(const struct session *session);

/*
 * Until when who shows a token that holds may stay, by the loop's clock (`now_ms`): until the token
 * ends by its own word (`expiry` in seconds since 1970, 0 for none; it is `wall` now), and no
 * longer than `stay_ms`. Pure.
 */
uint64_t session_until_ms(uint64_t now_ms, uint64_t stay_ms, int64_t wall, int64_t expiry);

/* Timer: ends sessions whose token is to be shown again, or whose pod is gone. */
void agents_check_sessions(uv_timer_t *tick);

#endif
