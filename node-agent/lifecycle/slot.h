/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* One probe on one pod: brings what is attached to what is wanted, and knows how that went. */
#ifndef SKEP_NODE_AGENT_LIFECYCLE_SLOT_H
#define SKEP_NODE_AGENT_LIFECYCLE_SLOT_H

#include "lib/link/report.h"
#include "node-agent/lifecycle/plan.h"
#include "node-agent/lifecycle/running.h"

struct probe_slot {
	enum probe_type type;
	const struct selected_pod *pod; /* borrowed; the last that was selected */
	bool wanted;
	struct attachment *attachments; /* a list */
	enum probe_state state;		/* of a probe that is wanted */
	const char *reason;		/* a constant; "" when attached */
	char *message;			/* owned; NULL for none */
	struct retry retry;
};

/*
 * Does what has to be done now. `pod` is NULL when the pod is no longer selected (the slot goes on
 * with the old one until it has detached), `folder` when it has no cgroup. Returns whether the
 * state, reason or message differ from before.
 */
bool slot_sync(struct probe_slot *slot, struct running_probe *running,
	       const struct selected_pod *pod, const struct pod_folder *folder, uint64_t now);

/* Whether the slot failed and its pause is over or ends at `now`. */
bool slot_is_due(const struct probe_slot *slot, uint64_t now);

/* Frees what the slot holds; everything has been detached. */
void slot_free(struct probe_slot *slot);

#endif
