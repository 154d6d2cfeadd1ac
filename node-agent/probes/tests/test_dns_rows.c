// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Which names are told apart; what becomes of lookups in metrics and events. */

#include "lib/base/tests/parse.h"

#include "lib/base/cleanup.h"
#include "node-agent/probes/dns_event.h"
#include "node-agent/probes/dns_names.h"
#include "node-agent/probes/dns_rows.h"
#include "node-agent/series/store.h"

static const char *admit(struct dns_names *names, const char *name, bool exists)
{
	return dns_names_admit(names, name, strlen(name), DNS_TYPE_A, exists);
}

static void an_existing_name_has_its_place_at_once(void **state)
{
	struct dns_names names = {0};

	(void)state;
	assert_string_equal(admit(&names, "web", true), "web");
	assert_string_equal(admit(&names, "web", false), "web");
	assert_string_equal(dns_names_admit(&names, "web.shop", 3, DNS_TYPE_A, true), "web");
	assert_int_equal(names.count, 1);
	dns_names_free(&names);
}

static void a_failing_name_has_it_with_its_second_lookup(void **state)
{
	struct dns_names names = {0};

	(void)state;
	assert_string_equal(admit(&names, "wbe", false), "_other");
	assert_string_equal(dns_names_admit(&names, "wbe", 3, DNS_TYPE_AAAA, false), "_other");
	assert_string_equal(admit(&names, "wbe", false), "wbe");
	dns_names_free(&names);
}

/* Random names, each for A and AAAA, in between names that come again: those find their place. */
static void a_flood_takes_no_places_of_others(void **state)
{
	struct dns_names names = {0};
	char name[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "x%d.example", i);
		assert_string_equal(admit(&names, name, false), "_other");
		assert_string_equal(
			dns_names_admit(&names, name, strlen(name), DNS_TYPE_AAAA, false),
			"_other");
		snprintf(name, sizeof(name), "again%d.example", i / 1000);
		(void)admit(&names, name, false);
	}
	assert_in_range(names.count, 90, 100);
	for (size_t i = 0; i < names.count; i++)
		assert_int_equal(strncmp(names.names[i], "again", 5), 0);
	dns_names_free(&names);
}

/* A flood of names that all exist takes the half at most that is given at once. */
static void a_flood_of_existing_names_leaves_half(void **state)
{
	struct dns_names names = {0};
	char name[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "x%d.example", i);
		(void)admit(&names, name, true);
	}
	assert_int_equal(names.count, DNS_NAMES_FREE);
	(void)admit(&names, "web", true);
	assert_string_equal(admit(&names, "web", true), "web");
	for (int i = 0; i < 2 * DNS_NAMES_LIMIT; i++) {
		snprintf(name, sizeof(name), "y%d.example", i);
		(void)admit(&names, name, true);
		(void)admit(&names, name, true);
	}
	assert_int_equal(names.count, DNS_NAMES_LIMIT);
	assert_string_equal(admit(&names, "late", true), "_other");
	assert_string_equal(admit(&names, "late", true), "_other");
	assert_string_equal(admit(&names, "web", true), "web");
	dns_names_free(&names);
}

static const struct dns_lookup found = {
	.name = "web.example",
	.type = DNS_TYPE_A,
	.server = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 96, 0, 10},
	.asked = 1000000000,
	.duration = 2345678,
};

static struct dns_lookup failed(uint16_t code)
{
	struct dns_lookup lookup = found;

	lookup.code = code;
	return lookup;
}

static struct dns_lookup timed_out(void)
{
	struct dns_lookup lookup = found;

	lookup.timed_out = true;
	lookup.duration = DNS_TIMEOUT_NS;
	lookup.retries = 3;
	lookup.resent = 1;
	return lookup;
}

static struct dns_lookup step(void)
{
	struct dns_lookup lookup = failed(DNS_CODE_NXDOMAIN);

	lookup.search = 3;
	return lookup;
}

static void tells_what_was_asked_for(void **state)
{
	const struct dns_settings none = {0}, failures = {.failures = true},
				  slow = {.slow_ns = 2345678}, slower = {.slow_ns = 2345679};
	const struct dns_lookup nx = failed(3), servfail = failed(2), timeout = timed_out(),
				search = step();

	(void)state;
	assert_false(dns_event_wanted(&found, &none));
	assert_false(dns_event_wanted(&timeout, &none));
	assert_false(dns_event_wanted(&found, &failures));
	assert_true(dns_event_wanted(&nx, &failures));
	assert_true(dns_event_wanted(&servfail, &failures));
	assert_true(dns_event_wanted(&timeout, &failures));
	assert_false(dns_event_wanted(&search, &failures));
	assert_true(dns_event_wanted(&found, &slow));
	assert_true(dns_event_wanted(&search, &slow));
	assert_false(dns_event_wanted(&found, &slower));
	assert_true(dns_event_wanted(&timeout, &slower));
}

static void check_event(const struct dns_lookup *lookup, const char *expected)
{
	cleanup_json cJSON *event = dns_event_build(lookup, 1000000000);
	cleanup_free char *text = cJSON_PrintUnformatted(event);

	for (char *at = strchr(text, '"'); at; at = strchr(at, '"'))
		*at = '\'';
	assert_string_equal(text, expected);
}

static void writes_events(void **state)
{
	const struct dns_lookup timeout = timed_out(), search = step();
	struct dns_lookup odd = failed(999);

	(void)state;
	check_event(&found, "{'time':'1970-01-01T00:00:02.000000000Z','question':'web.example',"
			    "'question_type':'A','timed_out':false,'response_code':'NOERROR',"
			    "'truncated':false,'duration_ms':2.345,'retries':0,"
			    "'server':'10.96.0.10','transport':'udp'}");
	check_event(&timeout, "{'time':'1970-01-01T00:00:02.000000000Z','question':'web.example',"
			      "'question_type':'A','timed_out':true,'duration_ms':5000,"
			      "'retries':3,'server':'10.96.0.10','transport':'udp'}");
	check_event(&search, "{'time':'1970-01-01T00:00:02.000000000Z','question':'web.example',"
			     "'search_for':'web','question_type':'A','timed_out':false,"
			     "'response_code':'NXDOMAIN','truncated':false,'duration_ms':2.345,"
			     "'retries':0,'server':'10.96.0.10','transport':'udp'}");
	odd.type = 65280;
	odd.tcp = true;
	odd.truncated = true;
	memset(odd.server, 0, 16);
	odd.server[15] = 1;
	check_event(&odd, "{'time':'1970-01-01T00:00:02.000000000Z','question':'web.example',"
			  "'question_type':'TYPE65280','timed_out':false,"
			  "'response_code':'RCODE999','truncated':true,'duration_ms':2.345,"
			  "'retries':0,'server':'::1','transport':'tcp'}");
}

static double sample(struct series_store *store, const char *line)
{
	struct text text = TEXT_EMPTY;
	const char *at;
	double value;

	series_write(store, &text);
	at = strstr(text.data, line);
	if (!at)
		fail_msg("no %s in %s", line, text.data);
	value = strtod(at + strlen(line), NULL);
	text_free(&text);
	return value;
}

#define LABELS(name, type, code, transport, search)                                                \
	"{dns_question_name=\"" name "\",dns_question_type=\"" type "\",dns_response_code=\"" code \
	"\",network_transport=\"" transport "\",dns_search=\"" search "\"} "

static void counts_lookups_in_their_rows(void **state)
{
	const struct dns_lookup timeout = timed_out(), search = step();
	struct dns_lookup odd = failed(999);
	const struct strings policies = {0};
	struct series_store *store = series_store_new();
	struct series_owner *owner = series_owner_new(store, NULL, 0, &policies);
	struct dns_names names = {0};

	(void)state;
	odd.type = 65280;
	odd.tcp = true;
	odd.truncated = true;
	dns_rows_add_lookup(owner, &names, &found);
	dns_rows_add_lookup(owner, &names, &found);
	dns_rows_add_lookup(owner, &names, &timeout);
	dns_rows_add_lookup(owner, &names, &search);
	dns_rows_add_lookup(owner, &names, &search);
	dns_rows_add_lookup(owner, &names, &odd);
	assert_int_equal(sample(store, "dns_lookup_duration_seconds_count" LABELS(
					       "web.example", "A", "NOERROR", "udp", "false")),
			 2);
	assert_true(sample(store, "dns_lookup_duration_seconds_sum" LABELS(
					  "web.example", "A", "NOERROR", "udp", "false")) ==
		    2 * 2345678e-9);
	assert_int_equal(sample(store, "skep_dns_timeouts_total" LABELS("web.example", "A", "",
									"udp", "false")),
			 1);
	assert_int_equal(sample(store, "skep_dns_retries_total" LABELS("web.example", "A", "",
								       "udp", "false")),
			 1);
	assert_int_equal(sample(store, "dns_lookup_duration_seconds_count" LABELS(
					       "web", "A", "NXDOMAIN", "udp", "true")),
			 1);
	assert_int_equal(sample(store, "skep_dns_truncated_total" LABELS("web.example", "_other",
									 "_other", "tcp", "false")),
			 1);
	dns_names_free(&names);
	series_owner_free(owner, 0);
	series_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_existing_name_has_its_place_at_once),
		cmocka_unit_test(a_failing_name_has_it_with_its_second_lookup),
		cmocka_unit_test(a_flood_takes_no_places_of_others),
		cmocka_unit_test(a_flood_of_existing_names_leaves_half),
		cmocka_unit_test(tells_what_was_asked_for),
		cmocka_unit_test(writes_events),
		cmocka_unit_test(counts_lookups_in_their_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
