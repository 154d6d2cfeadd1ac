/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* For which policies a row counts: those of all its owners, each once. Pure. */
#ifndef SKEP_NODE_AGENT_SERIES_CHARGE_H
#define SKEP_NODE_AGENT_SERIES_CHARGE_H

#include <stdbool.h>

#include "node-agent/series/quota.h"
#include "node-agent/series/sheet.h"

/* An owner for which `quota` asks holds the row from now on. Returns 0 or -ENOMEM. */
int series_charge(struct series_quotas *quotas, struct series_row *row, struct series_quota *quota);

/* The row shows so many series more. */
void series_charges_grow(struct series_row *row, size_t more);

/* Such an owner holds it no more. Nothing happens where there was none. */
void series_discharge(struct series_quotas *quotas, struct series_row *row,
		      const struct series_quota *quota);

/* Whether the row counts for a policy of which rows are to make room. */
bool series_is_swept(const struct series_row *row);

/* The row counts for nobody any more. */
void series_discharge_all(struct series_quotas *quotas, struct series_row *row);

#endif
