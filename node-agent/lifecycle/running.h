/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * One kind of probe on this node: loaded while it has targets, and known by what it is attached to.
 */
#ifndef SKEP_NODE_AGENT_LIFECYCLE_RUNNING_H
#define SKEP_NODE_AGENT_LIFECYCLE_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "node-agent/export/labels.h"
#include "node-agent/probes/probe.h"
#include "node-agent/series/store.h"

/* How long to wait after a failure, in ms: doubled from the first to the limit. */
#define RETRY_FIRST_MS 1000
#define RETRY_LIMIT_MS 60000

/* When to try again. A zeroed struct: no failure yet. */
struct retry {
	uint64_t pause; /* ms, after the last failure; 0: none */
	uint64_t at;	/* time of the next try, ms */
};

/* Notes a failure at `now`. */
void retry_failed(struct retry *retry, uint64_t now);

struct probe_slot;

/* A target of a probe, from attach to detach. */
struct attachment {
	uint64_t cgroup_id; /* the key of the table */
	struct probe_attachment *handle;
	struct series_owner *series;
	const struct probe_slot *slot; /* whose it is */
	char *container;	       /* name, owned; NULL for the whole pod */
	union probe_settings settings; /* as attached */
	struct attachment *next;       /* of the same slot */
	UT_hash_handle hh;
};

struct running_probe {
	const struct probe_kind *kind;
	const struct probe_host *host;
	struct series_store *store; /* of what is counted */
	enum series_level level;
	struct probe *probe;		/* NULL while its programs are not loaded */
	struct attachment *attachments; /* by cgroup id */
	struct retry retry;
	int open_result; /* of the last try to load */
	struct error open_error;
};

/*
 * Loads the programs unless they are. After a failure it fails the same way, without a try, until
 * the pause is over.
 */
int running_probe_open(struct running_probe *running, uint64_t now, struct error *error);

/* Unloads the programs if nothing is attached. */
void running_probe_settle(struct running_probe *running);

/* Attaches to `target`; the attachment belongs to the slot and is in the table until detached. */
int running_probe_attach(struct running_probe *running, const struct probe_slot *slot,
			 const struct probe_target *target, const union probe_settings *settings,
			 uint64_t now, struct attachment **ret_attachment, struct error *error);

/* Detaches and frees; events of the target are emitted until it returns. */
void running_probe_detach(struct running_probe *running, struct attachment *attachment,
			  uint64_t now);

/* Has the probe add what it has counted to the series, if it is loaded. */
void running_probe_read(struct running_probe *running);

/* The attachment to this cgroup, or NULL. */
struct attachment *running_probe_find(const struct running_probe *running, uint64_t cgroup_id);

#endif
