/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * What one policy may take of each node: {"eventsPerSecond": 200, "series": 1000}. The same JSON in
 * policy and protocol.
 */
#ifndef SKEP_LIB_INTENT_BUDGET_H
#define SKEP_LIB_INTENT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "lib/base/error.h"

enum budget_part {
	BUDGET_EVENTS, /* that are told one by one, per second */
	BUDGET_SERIES, /* of metrics; each line of a histogram is one */
};
#define BUDGET_PARTS 2

#define BUDGET_EVENTS_MOST 100000
#define BUDGET_SERIES_MOST 10000 /* what an agent lets a policy have in any case */

struct budget {
	uint32_t most[BUDGET_PARTS]; /* by enum budget_part; 0: no bound */
};

/* The name of a part as the API writes it: "eventsPerSecond", "series". */
const char *budget_part_field(enum budget_part part);

/* In words, behind a number: "events per second". */
const char *budget_part_words(enum budget_part part);

/* The largest bound of a part. */
uint32_t budget_part_most(enum budget_part part);

/*
 * Reads a budget; what is not given is not bounded, NULL included. Returns 0 or -EINVAL, with a
 * message that begins with the field ("eventsPerSecond: ...") and names the remedy.
 */
int budget_decode(const cJSON *json, struct budget *ret_budget, struct error *error);

/* Adds the bounds that there are to an object. False: no memory. */
bool budget_encode(const struct budget *budget, cJSON *object);

bool budget_equal(const struct budget *a, const struct budget *b);

/* Whether it bounds nothing. */
bool budget_is_open(const struct budget *budget);

#endif
