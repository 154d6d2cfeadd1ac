/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Aggregates what the agents reported into the state of one policy. Pure: the picture of the
 * cluster, the fleet and the time come in, numbers and words go out.
 */
#ifndef SKEP_OPERATOR_AGGREGATE_H
#define SKEP_OPERATOR_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "operator/cluster.h"
#include "operator/fleet.h"
#include "operator/policy.h"

#define AGGREGATE_FAILURES_LIMIT 10 /* that are told one by one */

/* Counts of probes of pods, by how they stand. */
struct standing_counts {
	unsigned int attached;
	unsigned int pending;
	unsigned int waiting;
	unsigned int failed;
	unsigned int unsupported;
};

/* Strings belong to the cluster and the fleet, and live until either changes. */
struct aggregate_failure {
	const char *node;
	const char *namespace;
	const char *pod;
	enum probe_type probe;
	const char *reason;
	const char *message;
};

struct aggregate {
	struct {
		unsigned int matched;  /* scheduled, unfinished, on nodes that nodeSelector takes */
		unsigned int attached; /* every probe is */
		unsigned int waiting;  /* for their containers, and otherwise attached */
	} pods;
	struct {
		unsigned int matched; /* that have matching pods and are taken by nodeSelector */
		unsigned int ready;
		unsigned int failed;
		unsigned int unsupported;
		unsigned int skipped; /* that have matching pods, but nodeSelector leaves out */
	} nodes;
	struct {
		unsigned int count;
		const char *first; /* by name */
	} unheard; /* nodes whose agents are away, and know the policy as it was before */
	struct {
		unsigned int nodes;	  /* on which the policy is beyond the bound */
		uint32_t most;		  /* the bound, as agents tell it: the lowest */
		uint64_t shed_per_second; /* events on all of them, about */
	} throttled[BUDGET_PARTS];
	struct standing_counts probes[PROBE_TYPES]; /* pods by standing, for each probe */
	struct aggregate_failure failures[AGGREGATE_FAILURES_LIMIT];
	unsigned int failure_count; /* filled in */
	unsigned int failure_total; /* in all */
	unsigned int crowded;	    /* of these, for want of room on their pods */
};

/* The state of an accepted policy at `now_ms` (monotonic, the clock of the fleet). */
struct aggregate aggregate_policy(const struct policy *policy, const struct cluster *cluster,
				  const struct fleet *fleet, uint64_t now_ms);

/* All probes together. */
struct standing_counts aggregate_totals(const struct aggregate *aggregate);

#endif
