// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/expiry.h"

#include "lib/base/json.h"
#include "operator/timestamp.h"

void expiry_begin(struct policy *policy, const cJSON *status, time_t now)
{
	bool told = json_integer(status, 0, "observedGeneration") == policy->generation;

	if (policy->expires_after == 0)
		return;
	policy->expires_at = told ? timestamp_parse(json_text(status, "expiresAt")) : 0;
	if (policy->expires_at == 0)
		policy->expires_at = now + policy->expires_after;
	(void)expiry_check(policy, now); /* all of it is new to whoever asks */
}

bool expiry_check(struct policy *policy, time_t now)
{
	int64_t expires_at = policy->expires_at;
	bool expired;

	if (policy->expires_after == 0)
		return false;
	if (expires_at > now + policy->expires_after)
		expires_at = now + policy->expires_after;
	expired = now >= expires_at;
	if (expired == policy->expired && expires_at == policy->expires_at)
		return false;
	policy->expired = expired;
	policy->expires_at = expires_at;
	return true;
}
