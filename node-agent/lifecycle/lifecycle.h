/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Keeps the probes of this node as they are selected: what is wanted and what is in the cgroup
 * hierarchy come in from two sides, one pod at a time; failures are tried again.
 */
#ifndef SKEP_NODE_AGENT_LIFECYCLE_LIFECYCLE_H
#define SKEP_NODE_AGENT_LIFECYCLE_LIFECYCLE_H

#include <uv.h>

#include "lib/link/report.h"
#include "node-agent/edges/local_edges.h"
#include "node-agent/export/labels.h"
#include "node-agent/pods/folders.h"
#include "node-agent/probes/probe.h"

struct lifecycle;

/* Where an event happened. Borrowed, for the call. */
struct event_source {
	const struct selected_pod *pod;
	const char *container;	  /* its name, NULL where it is not known (yet) */
	const char *container_id; /* NULL where it is not known */
	const bool *told;	  /* which of the probe's policies it is told to; NULL: all */
};

/* What lifecycle asks and tells. */
struct lifecycle_handlers {
	/*
	 * The selected pod, or NULL. Old pods stay valid until lifecycle_sync() has seen the new.
	 */
	const struct selected_pod *(*find_pod)(void *context, const char *uid);
	/* The pod's cgroup, or NULL; with its containers, which are looked for from now on. */
	const struct pod_folder *(*find_folder)(void *context, const char *uid);
	/* An event (takes it). */
	void (*emit)(void *context, enum probe_type type, const struct event_source *source,
		     cJSON *event);
	/*
	 * As edge_row, find_peer and learn_name of struct probe_host, of the pod that the owner
	 * stands for.
	 */
	struct series_row *(*edge_row)(void *context, const struct edge_source *source,
				       const struct series_layout *layout, const struct edge *edge);
	bool (*find_peer)(void *context, const struct selected_pod *pod,
			  const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer);
	void (*learn_name)(void *context, const struct selected_pod *pod,
			   const uint8_t address[EDGE_ADDRESS_SIZE], const char *name,
			   uint32_t ttl_s);
	/* What lifecycle_report() says has changed. */
	void (*changed)(void *context);
};

struct lifecycle_settings {
	const struct probe_kind *const *kinds; /* a row for each probe type */
	const char *tracefs;		       /* where it is mounted, or NULL */
	struct series_store *store;	       /* what the probes count goes into it */
	enum series_level level;
};

/* Counts of pods for the agent's own metrics; a pod counts once, for its worst probe. */
struct lifecycle_counts {
	size_t pods[PROBE_UNSUPPORTED + 1]; /* by enum probe_state */
	size_t attached[PROBE_TYPES];	    /* pods that have the probe */
	size_t programs_loaded;		    /* probes whose programs are in the kernel */
};

/* Borrows what the settings point to. */
int lifecycle_new(uv_loop_t *loop, const struct lifecycle_settings *settings,
		  const struct lifecycle_handlers *handlers, void *context,
		  struct lifecycle **ret_lifecycle, struct error *error);

/* Detaches and unloads everything. Returns NULL; the memory goes as the loop runs on. */
struct lifecycle *lifecycle_free(struct lifecycle *lifecycle);

/* The pod's selection or cgroups may have changed: does what has to be done. */
void lifecycle_sync(struct lifecycle *lifecycle, const char *uid);

/* Unloads probes that have no target left; call it when a batch of lifecycle_sync() is through. */
void lifecycle_settle(struct lifecycle *lifecycle);

/* Adds to `report` each probe of a selected pod that is not attached. */
int lifecycle_report(const struct lifecycle *lifecycle, struct report *report);

struct lifecycle_counts lifecycle_count(const struct lifecycle *lifecycle);

/* Has the probes add what they have counted until now to the series. */
void lifecycle_read(struct lifecycle *lifecycle);

#endif
