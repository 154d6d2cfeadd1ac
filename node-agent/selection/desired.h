/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* What the operator wants of this node: the selected pods and the version of it. Pure. */
#ifndef SKEP_NODE_AGENT_SELECTION_DESIRED_H
#define SKEP_NODE_AGENT_SELECTION_DESIRED_H

#include <stdint.h>

#include <cjson/cJSON.h>
#include "lib/base/table.h"

#include "lib/base/error.h"
#include "lib/base/strings.h"
#include "lib/link/message.h"
#include "lib/link/report.h"
#include "lib/link/selection.h"

/* Pods that one node is told to observe at most. */
#define DESIRED_PODS_LIMIT 4096

struct desired_pod {
	struct selected_pod *pod;
	struct desired_pod *next; /* of the retired ones */
	UT_hash_handle hh;
};

/* A zeroed struct is the empty selection. */
struct desired {
	char *epoch; /* NULL before the first */
	uint64_t revision;
	struct desired_pod *pods;
	struct strings unreadable;   /* UIDs of pods of which what is asked is not understood */
	struct desired_pod *retired; /* replaced or removed, kept until desired_release_retired() */
};

/* The selected pod, or NULL. Valid until the change after which retired pods are released. */
const struct selected_pod *desired_find(const struct desired *desired, const char *uid);

/* Where the selection stands; belongs to it. */
struct selection_version desired_version(const struct desired *desired);

/*
 * Carries a snapshot or delta into the selection and appends the UIDs of pods that differ now to
 * `changed`. Pods that cannot be read are left out and kept in `unreadable` (a message for each
 * goes to `complaints`). -ESTALE, with nothing done, for a delta that does not build on what is
 * there; -ENOMEM, after which it has no version; -E2BIG.
 */
int desired_apply(struct desired *desired, const struct selection_change *change,
		  struct strings *changed, struct strings *complaints, struct error *error);

/* The whole selection as a snapshot message, owned by the caller; NULL when memory ran out. */
cJSON *desired_encode(const struct desired *desired);

/* Reports the pods that could not be read. As report_add(). */
int desired_report_unreadable(const struct desired *desired, struct report *report);

/* Frees the pods that changes have put aside: nothing refers to them any more. */
void desired_release_retired(struct desired *desired);

void desired_free(struct desired *desired);

#endif
