// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/series/asking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/series/charge.h"

void asking_free(struct series_quotas *quotas, struct asking *asking)
{
	for (size_t i = 0; i < asking->count; i++)
		series_quota_leave(quotas, asking->quotas[i]);
	free(asking->quotas);
	*asking = (struct asking){0};
}

static int add(struct series_quotas *quotas, struct asking *asking, const char *policy)
{
	asking->quotas[asking->count] = series_quota_use(quotas, policy);
	if (!asking->quotas[asking->count])
		return -ENOMEM;
	asking->count++;
	return 0;
}

int asking_make(struct series_quotas *quotas, const struct strings *policies,
		struct asking *ret_asking)
{
	struct asking asking = {calloc(policies->count + 1, sizeof(struct series_quota *)), 0};
	int result = asking.quotas ? 0 : -ENOMEM;

	for (size_t i = 0; i < policies->count && result == 0; i++)
		result = add(quotas, &asking, policies->items[i]);
	if (result == 0 && policies->count == 0)
		result = add(quotas, &asking, "");
	if (result < 0)
		asking_free(quotas, &asking);
	else
		*ret_asking = asking;
	return result;
}

bool asking_equals(const struct asking *asking, const struct strings *policies)
{
	if (asking->count != policies->count)
		return false;
	for (size_t i = 0; i < asking->count; i++)
		if (strcmp(asking->quotas[i]->policy, policies->items[i]) != 0)
			return false;
	return true;
}

bool asking_has_room(const struct asking *asking, const struct series_quotas *quotas, size_t series)
{
	for (size_t i = 0; i < asking->count; i++)
		if (series_quota_has_room(quotas, asking->quotas[i], series))
			return true;
	return false;
}

bool asking_begin_sweep(const struct asking *asking, uint64_t now)
{
	bool due = false;

	for (size_t i = 0; i < asking->count; i++) {
		struct series_quota *quota = asking->quotas[i];

		quota->sweeping = quota->swept_at != now;
		quota->swept_at = now;
		due |= quota->sweeping;
	}
	return due;
}

void asking_end_sweep(const struct asking *asking)
{
	for (size_t i = 0; i < asking->count; i++)
		asking->quotas[i]->sweeping = false;
}

void asking_refuse(const struct asking *asking, const struct series_quotas *quotas, size_t series)
{
	for (size_t i = 0; i < asking->count; i++)
		series_quota_refuse(quotas, asking->quotas[i], series);
}

static void discharge(const struct asking *asking, struct series_quotas *quotas,
		      struct series_row *row, size_t count)
{
	for (size_t i = 0; i < count; i++)
		series_discharge(quotas, row, asking->quotas[i]);
}

int asking_charge(const struct asking *asking, struct series_quotas *quotas, struct series_row *row)
{
	for (size_t i = 0; i < asking->count; i++) {
		if (series_charge(quotas, row, asking->quotas[i]) < 0) {
			discharge(asking, quotas, row, i);
			return -ENOMEM;
		}
	}
	return 0;
}

void asking_discharge(const struct asking *asking, struct series_quotas *quotas,
		      struct series_row *row)
{
	discharge(asking, quotas, row, asking->count);
}
