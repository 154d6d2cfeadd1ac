// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/intent/budget.h"

#include <errno.h>

#include "lib/base/json.h"

static const struct {
	const char *field;
	const char *words;
	uint32_t most;
} parts[BUDGET_PARTS] = {
	[BUDGET_EVENTS] = {"eventsPerSecond", "events per second", BUDGET_EVENTS_MOST},
	[BUDGET_SERIES] = {"series", "series", BUDGET_SERIES_MOST},
};

const char *budget_part_field(enum budget_part part)
{
	return parts[part].field;
}

const char *budget_part_words(enum budget_part part)
{
	return parts[part].words;
}

uint32_t budget_part_most(enum budget_part part)
{
	return parts[part].most;
}

static int decode_part(const cJSON *item, enum budget_part part, uint32_t *ret_most,
		       struct error *error)
{
	int64_t value = json_integer_of(item, 0);

	if (item && (value < 1 || value > parts[part].most))
		return error_set(error, EINVAL, "%s: must be a whole number from 1 to %u",
				 parts[part].field, parts[part].most);
	*ret_most = (uint32_t)value;
	return 0;
}

int budget_decode(const cJSON *json, struct budget *ret_budget, struct error *error)
{
	struct budget budget = {0};
	int result = 0;

	if (json && !cJSON_IsObject(json))
		return error_set(error, EINVAL, "must be an object");
	for (int part = 0; part < BUDGET_PARTS && result == 0; part++)
		result = decode_part(json_find(json, parts[part].field), (enum budget_part)part,
				     &budget.most[part], error);
	if (result == 0)
		*ret_budget = budget;
	return result;
}

bool budget_encode(const struct budget *budget, cJSON *object)
{
	for (int part = 0; part < BUDGET_PARTS; part++)
		if (budget->most[part] &&
		    !cJSON_AddNumberToObject(object, parts[part].field, budget->most[part]))
			return false;
	return true;
}

bool budget_equal(const struct budget *a, const struct budget *b)
{
	for (int part = 0; part < BUDGET_PARTS; part++)
		if (a->most[part] != b->most[part])
			return false;
	return true;
}

bool budget_is_open(const struct budget *budget)
{
	static const struct budget open = {0};

	return budget_equal(budget, &open);
}
