/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What a probe is to the agent: a row of functions. A probe knows cgroups and the kernel; it knows
 * nothing of policies, of the operator or of other probes. To add one, write its file, its BPF
 * program, and its row in registry.c.
 */
#ifndef SKEP_NODE_AGENT_PROBES_PROBE_H
#define SKEP_NODE_AGENT_PROBES_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "lib/base/error.h"
#include "lib/intent/intent.h"
#include "node-agent/edges/edge.h"
#include "node-agent/edges/peer_identity.h"
#include "node-agent/series/series.h"

struct selected_pod;

/* Where a probe is attached: the cgroup of a pod, or of one of its containers. */
struct probe_target {
	const char *path;	   /* of the cgroup's directory */
	uint64_t cgroup_id;	   /* its inode number, the kernel's id of it */
	unsigned int cgroup_level; /* depth below the root of the hierarchy, as the kernel counts */
	const struct selected_pod *pod;
	const char *container;	     /* the container's name, or NULL for the whole pod */
	struct series_owner *series; /* what its counts are added to; outlives the attachment */
};

/* What the agent gives its probes. Outlives them. */
struct probe_host {
	uv_loop_t *loop;
	const char *tracefs; /* where tracefs is mounted, or NULL */
	/*
	 * Takes an event that someone asked to see, with the members that the probe knows (takes
	 * `event`); the agent adds what it knows of the pod. `container_cgroup_id` is the cgroup
	 * below the pod's in which it happened, 0 when the probe cannot tell.
	 */
	void (*emit)(void *context, enum probe_type probe, uint64_t target_cgroup_id,
		     uint64_t container_cgroup_id, cJSON *event);
	/*
	 * The row of an edge between the owner's target and an address, under the name of whoever
	 * has that address now. NULL while that is not known: keep what was counted, and ask again
	 * at the next read.
	 */
	struct series_row *(*edge_row)(void *context, struct series_owner *owner,
				       const struct series_layout *layout, const struct edge *edge);
	/*
	 * Who has that address now, for an event: strings hold until the next call of the agent.
	 * False while that is not known; it is asked.
	 */
	bool (*find_peer)(void *context, struct series_owner *owner,
			  const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer);
	/*
	 * The target has looked up `name` and got this address (IPv4 as ::ffff:a.b.c.d), which
	 * holds for `ttl_s` seconds: addresses outside the cluster go by it.
	 */
	void (*learn_name)(void *context, struct series_owner *owner,
			   const uint8_t address[EDGE_ADDRESS_SIZE], const char *name,
			   uint32_t ttl_s);
	void *context;
};

/* One target as the probe keeps it, from attach to detach. */
struct probe_attachment;

struct probe;

struct probe_kind {
	enum probe_type type;
	/*
	 * Loads the programs; called when the first target comes. -EOPNOTSUPP when this kernel
	 * cannot run the probe, with a message that says what is missing.
	 */
	int (*open)(const struct probe_host *host, struct probe **ret_probe, struct error *error);
	/* Unloads them; every target has been detached. Returns NULL. */
	struct probe *(*close)(struct probe *probe);
	/*
	 * Attaches to the target (which may change or go after the call; the cgroup must exist).
	 * From return on, nothing that happens in the cgroup is missed.
	 */
	int (*attach)(struct probe *probe, const struct probe_target *target,
		      const union probe_settings *settings,
		      struct probe_attachment **ret_attachment, struct error *error);
	/* Changes the settings in place, without a gap. */
	int (*configure)(struct probe *probe, struct probe_attachment *attachment,
			 const union probe_settings *settings, struct error *error);
	/* Adds what was counted since the last read to the target's series; detaches. NULL. */
	struct probe_attachment *(*detach)(struct probe *probe,
					   struct probe_attachment *attachment);
	/* Adds what was counted since the last read to the series of all targets. */
	void (*read)(struct probe *probe);
};

/* The probes that this agent has, by enum probe_type. */
extern const struct probe_kind *const probe_kinds[PROBE_TYPES];

#endif
