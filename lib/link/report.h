/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What an agent reports of its node: the revision that it has carried out, each probe of a pod
 * that is not attached, with the reason, and each policy that gets less than it asks for as it is
 * beyond a bound. What a report does not name is attached, unless it says that it is truncated.
 */
#ifndef SKEP_LIB_LINK_REPORT_H
#define SKEP_LIB_LINK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"
#include "lib/intent/budget.h"
#include "lib/intent/intent.h"

#define REPORT_EXCEPTIONS_LIMIT (1024 * PROBE_TYPES)
#define REPORT_THROTTLES_LIMIT	256

enum probe_state {
	PROBE_ATTACHED,
	PROBE_WAITING,	   /* the pod's cgroup is not there yet */
	PROBE_FAILED,	   /* the kernel or the node refused */
	PROBE_UNSUPPORTED, /* this node's kernel lacks what the probe needs */
};

/* One probe of one pod that is not attached. Strings are owned by the report. */
struct report_exception {
	char *pod_uid;
	enum probe_type probe;
	enum probe_state state;
	char *reason;  /* CamelCase, API */
	char *message; /* what happened and what to do; may be "" */
};

/* A policy that is beyond a bound. The string is owned by the report. */
struct report_throttle {
	char *policy;		  /* "namespace/name", or "name" of one of the cluster */
	struct budget beyond;	  /* the bounds that it is beyond */
	uint32_t shed_per_second; /* events, about; 0: not beyond, or not known yet */
};

struct report {
	char *epoch;	   /* of the operator whose selection this is; "" for none yet */
	uint64_t revision; /* carried out up to here */
	struct report_exception *exceptions;
	size_t exception_count;
	bool truncated; /* there were more: what is not named is attached or not */
	struct report_throttle *throttles;
	size_t throttle_count;
};

/* Returns 0 with *ret_report, to be released with report_free(), or a negative errno. */
int report_decode(const cJSON *json, struct report *ret_report, struct error *error);

/* The message {"type": "report", ...}, owned by the caller; NULL when memory ran out. */
cJSON *report_encode(const struct report *report);

/*
 * Appends an exception (copies the strings); beyond the limit, only marks the report as truncated.
 * Returns 0 or -ENOMEM.
 */
int report_add(struct report *report, const char *pod_uid, enum probe_type probe,
	       enum probe_state state, const char *reason, const char *message);

/*
 * Appends a policy that is beyond bounds (copies the string); those beyond the limit are left out.
 * Returns 0 or -ENOMEM.
 */
int report_add_throttle(struct report *report, const struct report_throttle *throttle);

/* What the report says of a policy; NULL: it is within its bounds. */
const struct report_throttle *report_find_throttle(const struct report *report, const char *policy);

void report_free(struct report *report);

const char *probe_state_name(enum probe_state state);

#endif
