// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/intent/threshold.h"

#include <errno.h>

#include "lib/base/duration.h"
#include "lib/base/json.h"

int threshold_decode(const cJSON *item, const struct threshold_bounds *bounds, uint64_t *ret_ns,
		     struct error *error)
{
	const char *text = json_string_of(item);
	uint64_t ns = 0;
	int result;

	if (item && !text)
		return error_set(error, EINVAL, "%s: must be a text like \"100ms\"", bounds->field);
	result = text ? duration_parse(text, &ns, error) : 0;
	if (result < 0) {
		error_wrap(error, result, "%s", bounds->field);
		return -EINVAL;
	}
	if (text && (ns < bounds->least || ns > bounds->most))
		return error_set(error, EINVAL, "%s: %.40s is out of bounds; %s", bounds->field,
				 text, bounds->remedy);
	*ret_ns = ns;
	return 0;
}

bool threshold_encode(uint64_t ns, cJSON *settings)
{
	char text[DURATION_TEXT_SIZE];

	duration_format(ns, text);
	return !ns || cJSON_AddStringToObject(settings, "slowThreshold", text);
}

void threshold_merge(uint64_t *ns, uint64_t other)
{
	if (other && (!*ns || other < *ns))
		*ns = other;
}
