/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Writes the status of policies by server-side apply: only what changed, one write at a time for
 * each policy, at once when a condition changes and at most once a second when only counts do. A
 * policy that was Ready is not shown as progressing for what is over within moments (a pod that
 * came, an operator that was started anew).
 */
#ifndef SKEP_OPERATOR_STATUS_WRITER_H
#define SKEP_OPERATOR_STATUS_WRITER_H

#include <stdint.h>

#include "lib/kube/client.h"
#include "operator/cluster.h"
#include "operator/fleet.h"

#define STATUS_PATIENCE_MS 8000 /* for which a Ready policy may be in progress unsaid */
#define STATUS_PACE_MS	   1000 /* between writes that change nothing but counts */

struct status_writer;

struct status_writer_stats {
	uint64_t writes;
	uint64_t failures;
};

/* `cluster` and `fleet` must outlive it. */
int status_writer_new(struct kube_client *client, uv_loop_t *loop, const struct cluster *cluster,
		      const struct fleet *fleet, struct status_writer **ret_writer,
		      struct error *error);

/* To be called after kube_client_free(). Returns NULL. */
struct status_writer *status_writer_free(struct status_writer *writer);

/* Says which status a policy has at the API server, when the policy is met first (NULL: none). */
void status_writer_learn(struct status_writer *writer, const char *policy_id, const cJSON *status);

/* Has the policy's status computed again soon, and written if it changed. */
void status_writer_touch(struct status_writer *writer, const char *policy_id);

/* The policy is gone. */
void status_writer_forget(struct status_writer *writer, const char *policy_id);

struct status_writer_stats status_writer_stats(const struct status_writer *writer);

#endif
