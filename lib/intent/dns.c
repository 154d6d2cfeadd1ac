// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The settings of the DNS probe: {"dns": {"slowThreshold": "100ms", "failures": true}}. */

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/intent/probe_kind.h"
#include "lib/intent/threshold.h"

static const struct threshold_bounds slow_bounds = {
	.field = "dns.slowThreshold",
	.least = DNS_SLOW_LEAST,
	.most = DNS_SLOW_MOST,
	.remedy = "use 1ms to 60s",
};

static int dns_decode(const cJSON *entry, union probe_settings *ret_settings, struct error *error)
{
	const cJSON *given = json_find(entry, "dns");
	const cJSON *threshold = json_find(given, "slowThreshold");
	const cJSON *failures = json_find(given, "failures");
	struct dns_settings dns = {0};
	int result;

	if (given && !cJSON_IsObject(given))
		return error_set(error, EINVAL, "dns: must be an object");
	if (failures && !cJSON_IsBool(failures))
		return error_set(error, EINVAL, "dns.failures: must be true or false");
	if (threshold) {
		result = threshold_decode(threshold, &slow_bounds, &dns.slow_ns, error);
		if (result < 0)
			return result;
	}
	dns.failures = cJSON_IsTrue(failures);
	memset(ret_settings, 0, sizeof(*ret_settings));
	ret_settings->dns = dns;
	return 0;
}

static int dns_encode(const union probe_settings *settings, cJSON *entry)
{
	cJSON *dns = cJSON_AddObjectToObject(entry, "dns");

	if (!threshold_encode(settings->dns.slow_ns, dns) ||
	    !cJSON_AddBoolToObject(dns, "failures", settings->dns.failures))
		return -ENOMEM;
	return 0;
}

static int dns_merge(union probe_settings *settings, const union probe_settings *other)
{
	threshold_merge(&settings->dns.slow_ns, other->dns.slow_ns);
	settings->dns.failures |= other->dns.failures;
	return 0;
}

static bool dns_equal(const union probe_settings *a, const union probe_settings *b)
{
	return a->dns.slow_ns == b->dns.slow_ns && a->dns.failures == b->dns.failures;
}

const struct intent_kind dns_intent = {
	.name = "DNS",
	.member = "dns",
	.decode = dns_decode,
	.encode = dns_encode,
	.merge = dns_merge,
	.equal = dns_equal,
};
