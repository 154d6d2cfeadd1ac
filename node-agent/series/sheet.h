/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The rows of one layout: where the values of a row lie, and how they are written. Pure. */
#ifndef SKEP_NODE_AGENT_SERIES_SHEET_H
#define SKEP_NODE_AGENT_SERIES_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "lib/base/text.h"
#include "lib/metrics/exposition.h"
#include "node-agent/series/quota.h"
#include "node-agent/series/series.h"

struct series_sheet;
struct series_hold;

/* A policy that a row counts for. */
struct series_charge {
	struct series_quota *quota;
	size_t owners; /* of the row, that this policy asked for */
	struct series_charge *next;
};

struct series_row {
	struct series_sheet *sheet; /* NULL: of a row that shows nothing */
	struct series_hold *holds;  /* of its owners, a list */
	uint64_t used_at;	    /* ms, when it was last asked for */
	uint64_t used_round;	    /* and after how many calls of series_expire() */
	uint64_t leaves_at;	    /* ms; of one without owners */
	size_t series;		    /* that it shows */
	struct series_charge *charges;
	void *mark;	  /* see series_row_set_mark() */
	bool is_rest;	  /* stands for rows that have no room */
	uint64_t touched; /* a bit for each family that something was added to */
	char *labels;	  /* owned, the row's key: as they stand between the braces */
	UT_hash_handle hh;
	int64_t values[];
};

struct series_sheet {
	const struct series_layout *layout;
	struct series_quotas *quotas;	      /* of the node: count what rows show */
	size_t starts[SERIES_FAMILIES_LIMIT]; /* where each family's values begin in a row */
	size_t value_count;		      /* of one row */
	size_t series_count;		      /* that one row can show */
	char (*bounds)[METRICS_NUMBER_SIZE];  /* of all histograms, as text */
	struct series_row *rows;	      /* by labels */
	struct series_sheet *next;
};

/*
 * A value in the family's unit. For a fraction it is divided by its inverse, which is a whole
 * number: 3 microseconds are then what "3e-06" reads as, and no digit more.
 */
double series_scale(const struct series_family *family, int64_t value);

/* `quotas` are borrowed. NULL when memory ran out. */
struct series_sheet *series_sheet_new(const struct series_layout *layout,
				      struct series_quotas *quotas);

/* Frees the sheet and its rows. Returns NULL. */
struct series_sheet *series_sheet_free(struct series_sheet *sheet);

struct series_row *series_sheet_find(const struct series_sheet *sheet, const struct text *labels);

/* Adds a row, all zero; NULL when memory ran out. */
struct series_row *series_sheet_add(struct series_sheet *sheet, const struct text *labels);

/* Takes a row out and frees it; its charges have been taken away. */
void series_sheet_remove(struct series_sheet *sheet, struct series_row *row);

/* The family is shown in the row from now on. */
void series_row_show(struct series_row *row, size_t family);

/* Writes its families with a sample for each row; nothing when there is none. */
void series_sheet_write(const struct series_sheet *sheet, struct text *out);

#endif
