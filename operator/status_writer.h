/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Writes the status of policies by server-side apply: only what changed, one write at a time for
 * each policy, at once when a condition changes and at most once a second when only counts do. A
 * policy that was Ready or Degraded is not shown as progressing for what is over within moments (a
 * pod that came, an operator that was started anew). What others change in a status is put right
 * again, ever more seldom where they go on.
 */
#ifndef SKEP_OPERATOR_STATUS_WRITER_H
#define SKEP_OPERATOR_STATUS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/kube/client.h"
#include "operator/cluster.h"
#include "operator/fleet.h"

#define STATUS_PATIENCE_MS 8000 /* for which a settled policy may be in progress unsaid */
#define STATUS_PACE_MS	   1000 /* between writes that change nothing but counts */

/* A status that others changed is written again after the first; then after twice as long, … */
#define STATUS_REPAIR_FIRST_MS 1000
#define STATUS_REPAIR_LIMIT_MS 300000 /* … up to this; and after twice that in peace, the first */

struct status_writer;

struct status_writer_stats {
	uint64_t writes;
	uint64_t failures;
	uint64_t repairs; /* statuses that others had changed */
};

/* Whether, at this very moment, this process and no other may write. */
typedef bool (*status_writer_guard)(void *context);

/* `cluster` and `fleet` must outlive it. It rests at first. */
int status_writer_new(struct kube_client *client, uv_loop_t *loop, const struct cluster *cluster,
		      const struct fleet *fleet, status_writer_guard may_write, void *context,
		      struct status_writer **ret_writer, struct error *error);

/* To be called after kube_client_free(). Returns NULL. */
struct status_writer *status_writer_free(struct status_writer *writer);

/*
 * Writes no more, not even what is under way; that is how it begins. While it rests, what others
 * write is learnt. And begins to write; until `settled_ms`, a settled policy may be in
 * progress unsaid.
 */
void status_writer_rest(struct status_writer *writer);
void status_writer_wake(struct status_writer *writer, uint64_t settled_ms);

/*
 * Says which status a policy has at the API server (NULL: none), each time that the policy is seen.
 * Our own writes come back so, late as it may be.
 */
void status_writer_learn(struct status_writer *writer, const char *policy_id, const cJSON *status);

/* Puts right what others have changed; to be called about once a second. */
void status_writer_tick(struct status_writer *writer);

/* Has the policy's status computed again soon, and written if it changed. */
void status_writer_touch(struct status_writer *writer, const char *policy_id);

/* The policy is gone. */
void status_writer_forget(struct status_writer *writer, const char *policy_id);

struct status_writer_stats status_writer_stats(const struct status_writer *writer);

#endif
