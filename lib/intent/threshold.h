/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* "slowThreshold", which several probes have: what takes as long or longer is told one by one. */
#ifndef SKEP_LIB_INTENT_THRESHOLD_H
#define SKEP_LIB_INTENT_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"

struct threshold_bounds {
	const char *field;    /* "dns.slowThreshold" */
	uint64_t least, most; /* ns */
	const char *remedy;   /* "use 1ms to 60s" */
};

/* Reads a threshold; NULL, where none is given, is 0. Returns 0 or -EINVAL. */
int threshold_decode(const cJSON *item, const struct threshold_bounds *bounds, uint64_t *ret_ns,
		     struct error *error);

/* Adds "slowThreshold" to a probe's settings, if there is one. False: no memory. */
bool threshold_encode(uint64_t ns, cJSON *settings);

/* Whoever asks for the lower threshold gets all that he asks for; the other gets more. */
void threshold_merge(uint64_t *ns, uint64_t other);

#endif
