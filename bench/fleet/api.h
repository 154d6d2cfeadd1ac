/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * The API server that the operator talks to, as the measurements see it: one that this process
 * plays (stand_in.h), or a real one that it fills (real_api.h). Either writes the agents' tokens
 * and the CA to the folder that it is given.
 */
#ifndef SKEP_BENCH_FLEET_API_H
#define SKEP_BENCH_FLEET_API_H

#include <stdbool.h>
#include <stdint.h>

/* The operator's requests by what they are. */
enum api_count {
	API_PAGES,
	API_WATCHES,
	API_STATUSES,
	API_NODE_REPORTS,
	API_REVIEWS,
	API_EVENTS,
	API_OTHERS,
};
#define API_COUNTS 7

struct api {
	uint64_t counts[API_COUNTS]; /* so far */
	uint64_t last_status_ms;     /* when the last policy's status was written, by the loop */
	uint64_t last_report_ms;     /* likewise, a NodeProbeReport */
	uint64_t behind;	     /* changes of the world that it does not have yet */
	bool has_ca; /* the operator has published its CA, and it lies in the folder */
};

#endif
