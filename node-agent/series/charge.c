// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/charge.h"

#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

static struct series_charge *find(const struct series_row *row, const struct series_quota *quota)
{
	struct series_charge *charge;

	LL_SEARCH_SCALAR(row->charges, charge, quota, quota);
	return charge;
}

/* Whether the row counts for a namespace, by one of these charges. */
static bool counts_for(const struct series_charge *charges, const struct namespace *namespace)
{
	const struct series_charge *charge;

	LL_FOREACH(charges, charge)
		if (charge->quota->namespace == namespace)
			return true;
	return false;
}

static void remove_charge(struct series_quotas *quotas, struct series_row *row,
			  struct series_charge *charge)
{
	LL_DELETE(row->charges, charge);
	charge->quota->series -= row->series;
	if (!counts_for(row->charges, charge->quota->namespace))
		charge->quota->namespace->held -= row->series;
	series_quota_leave(quotas, charge->quota);
	free(charge);
}

int series_charge(struct series_quotas *quotas, struct series_row *row, struct series_quota *quota)
{
	struct series_charge *charge = find(row, quota);

	if (!charge) {
		charge = calloc(1, sizeof(*charge));
		if (!charge)
			return -ENOMEM;
		/* It is known to the table: no memory is asked for. */
		charge->quota = series_quota_use(quotas, quota->policy);
		quota->series += row->series;
		if (!counts_for(row->charges, quota->namespace))
			quota->namespace->held += row->series;
		LL_PREPEND(row->charges, charge);
	}
	charge->owners++;
	return 0;
}

void series_discharge(struct series_quotas *quotas, struct series_row *row,
		      const struct series_quota *quota)
{
	struct series_charge *charge = find(row, quota);

	if (charge && --charge->owners == 0)
		remove_charge(quotas, row, charge);
}

void series_charges_grow(struct series_row *row, size_t more)
{
	struct series_charge *charge;

	LL_FOREACH(row->charges, charge) {
		charge->quota->series += more;
		if (!counts_for(charge->next, charge->quota->namespace))
			charge->quota->namespace->held += more;
	}
}

bool series_is_swept(const struct series_row *row)
{
	const struct series_charge *charge;

	LL_FOREACH(row->charges, charge)
		if (charge->quota->sweeping)
			return true;
	return false;
}

void series_discharge_all(struct series_quotas *quotas, struct series_row *row)
{
	while (row->charges)
		remove_charge(quotas, row, row->charges);
}
