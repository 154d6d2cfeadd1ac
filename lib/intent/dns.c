// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The settings of the DNS probe: {"dns": {"slowThreshold": "100ms", "failures": true}}. */

#include <errno.h>
#include <string.h>

#include "lib/base/duration.h"
#include "lib/base/json.h"
#include "lib/intent/probe_kind.h"

static int decode_threshold(const cJSON *item, uint64_t *ret_ns, struct error *error)
{
	const char *text = json_string_of(item);
	uint64_t ns;
	int result;

	if (!text)
		return error_set(error, EINVAL, "dns.slowThreshold: must be a text like \"100ms\"");
	result = duration_parse(text, &ns, error);
	if (result < 0) {
		error_wrap(error, result, "dns.slowThreshold");
		return -EINVAL;
	}
	if (ns < DNS_SLOW_LEAST || ns > DNS_SLOW_MOST)
		return error_set(error, EINVAL,
				 "dns.slowThreshold: %.40s is out of bounds; use 1ms to 60s", text);
	*ret_ns = ns;
	return 0;
}

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
		result = decode_threshold(threshold, &dns.slow_ns, error);
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
	char threshold[DURATION_TEXT_SIZE];

	duration_format(settings->dns.slow_ns, threshold);
	if (settings->dns.slow_ns && !cJSON_AddStringToObject(dns, "slowThreshold", threshold))
		return -ENOMEM;
	return cJSON_AddBoolToObject(dns, "failures", settings->dns.failures) ? 0 : -ENOMEM;
}

/* Whoever asks for the lower threshold gets all that he asks for; the other gets more. */
static void dns_merge(union probe_settings *settings, const union probe_settings *other)
{
	struct dns_settings *dns = &settings->dns;
	uint64_t theirs = other->dns.slow_ns;

	if (theirs && (!dns->slow_ns || theirs < dns->slow_ns))
		dns->slow_ns = theirs;
	dns->failures |= other->dns.failures;
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
