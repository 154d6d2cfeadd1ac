// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/intent/intent.h"

#define EXEC_OF(arguments, failures)                                                               \
	((union probe_settings){.exec = {EXEC_ARGUMENTS_##arguments, failures}})

static void names_every_type(void **state)
{
	enum probe_type type;

	(void)state;
	for (int i = 0; i < PROBE_TYPES; i++) {
		assert_int_equal(probe_type_parse(probe_type_name((enum probe_type)i), &type), 0);
		assert_int_equal(type, i);
	}
	assert_string_equal(probe_type_name(PROBE_TCP), "TCP");
	assert_string_equal(probe_type_name(PROBE_EXEC), "Exec");
	assert_string_equal(probe_type_name(PROBE_DNS), "DNS");
	assert_string_equal(probe_type_name(PROBE_HTTP), "HTTP");
	assert_int_equal(probe_type_parse("exec", &type), -EINVAL);
	assert_int_equal(probe_type_parse("", &type), -EINVAL);
	assert_int_equal(probe_type_parse(NULL, &type), -EINVAL);
}

static void reads_back_what_it_wrote(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		const union probe_settings settings = {
			.exec = {(enum exec_arguments)(i / 2), i % 2}};
		cleanup_json cJSON *entry = json_of("{'type': 'Exec'}");
		union probe_settings decoded;

		assert_int_equal(probe_settings_encode(PROBE_EXEC, &settings, entry), 0);
		assert_int_equal(probe_settings_decode(PROBE_EXEC, entry, &decoded, NULL), 0);
		assert_true(probe_settings_equal(PROBE_EXEC, &settings, &decoded));
	}
}

static void merges_to_the_union(void **state)
{
	for (int i = 0; i < 36; i++) {
		union probe_settings a = {.exec = {(enum exec_arguments)(i / 12), i / 6 % 2}};
		const union probe_settings b = {.exec = {(enum exec_arguments)(i / 2 % 3), i % 2}};
		const union probe_settings before = a;

		(void)state;
		probe_settings_merge(PROBE_EXEC, &a, &b);
		assert_true(a.exec.arguments >= before.exec.arguments);
		assert_true(a.exec.arguments >= b.exec.arguments);
		assert_true(a.exec.arguments == before.exec.arguments ||
			    a.exec.arguments == b.exec.arguments);
		assert_int_equal(a.exec.failures, before.exec.failures || b.exec.failures);
	}
}

static void compares_what_counts(void **state)
{
	const union probe_settings raw = EXEC_OF(RAW, false), none = EXEC_OF(NONE, false),
				   failures = EXEC_OF(RAW, true);

	(void)state;
	assert_true(probe_settings_equal(PROBE_EXEC, &raw, &raw));
	assert_false(probe_settings_equal(PROBE_EXEC, &raw, &none));
	assert_false(probe_settings_equal(PROBE_EXEC, &raw, &failures));
	assert_true(probe_settings_equal(PROBE_TCP, &raw, &none));
}

static void refuses_settings_of_another_probe(void **state)
{
	cleanup_json cJSON *entry = json_of("{'type': 'TCP', 'exec': {'arguments': 'Raw'}}");
	cleanup_json cJSON *plain = json_of("{'type': 'TCP'}");
	union probe_settings settings;
	struct error error;

	(void)state;
	assert_int_equal(probe_settings_decode(PROBE_TCP, entry, &settings, &error), -EINVAL);
	assert_says(error.message, "exec: goes with type Exec only");
	assert_int_equal(probe_settings_decode(PROBE_TCP, plain, &settings, &error), 0);
	assert_int_equal(probe_settings_encode(PROBE_TCP, &settings, plain), 0);
	assert_int_equal(cJSON_GetArraySize(plain), 1);
}

static void reads_dns(void **state)
{
	static const struct {
		const char *entry;
		struct dns_settings expected;
	} cases[] = {
		{"{'type': 'DNS'}", {0, false}},
		{"{'type': 'DNS', 'dns': {}}", {0, false}},
		{"{'type': 'DNS', 'dns': {'failures': true}}", {0, true}},
		{"{'type': 'DNS', 'dns': {'slowThreshold': '1ms'}}", {1000000, false}},
		{"{'type': 'DNS', 'dns': {'slowThreshold': '1m', 'failures': false}}",
		 {60000000000, false}},
		{"{'type': 'DNS', 'dns': {'slowThreshold': '1.5s', 'failures': true}}",
		 {1500000000, true}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json cJSON *entry = json_of(cases[i].entry);
		cleanup_json cJSON *written = json_of("{'type': 'DNS'}");
		union probe_settings settings, again;

		assert_int_equal(probe_settings_decode(PROBE_DNS, entry, &settings, NULL), 0);
		assert_int_equal(settings.dns.slow_ns, cases[i].expected.slow_ns);
		assert_int_equal(settings.dns.failures, cases[i].expected.failures);
		assert_int_equal(probe_settings_encode(PROBE_DNS, &settings, written), 0);
		assert_int_equal(probe_settings_decode(PROBE_DNS, written, &again, NULL), 0);
		assert_true(probe_settings_equal(PROBE_DNS, &settings, &again));
	}
}

static void refuses_dns_that_is_wrong(void **state)
{
	static const struct {
		const char *dns;
		const char *says;
	} cases[] = {
		{"[]", "dns: must be an object"},
		{"{'failures': 1}", "dns.failures: must be true or false"},
		{"{'slowThreshold': 100}", "dns.slowThreshold: must be a text like"},
		{"{'slowThreshold': 'soon'}", "dns.slowThreshold: \"soon\" is no duration"},
		{"{'slowThreshold': '999us'}", "use 1ms to 60s"},
		{"{'slowThreshold': '61s'}", "use 1ms to 60s"},
		{"{'slowThreshold': '0s'}", "use 1ms to 60s"},
		{"{'slowThreshold': '99999999999999h'}", "dns.slowThreshold: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json cJSON *entry = json_format("{'type': 'DNS', 'dns': %s}", cases[i].dns);
		union probe_settings settings;
		struct error error;

		assert_int_equal(probe_settings_decode(PROBE_DNS, entry, &settings, &error),
				 -EINVAL);
		assert_says(error.message, cases[i].says);
	}
}

static void merges_dns_to_the_union(void **state)
{
	static const uint64_t thresholds[] = {0, 5000000, 7000000};

	(void)state;
	for (int i = 0; i < 36; i++) {
		uint64_t mine = thresholds[i / 12], theirs = thresholds[i / 4 % 3];
		union probe_settings a = {.dns = {mine, i / 2 % 2}};
		const union probe_settings b = {.dns = {theirs, i % 2}};
		uint64_t lower = mine < theirs ? mine : theirs;

		probe_settings_merge(PROBE_DNS, &a, &b);
		assert_int_equal(a.dns.slow_ns, lower ? lower : mine + theirs);
		assert_int_equal(a.dns.failures, i / 2 % 2 || i % 2);
	}
}

/* A probe that tells text says where, how much, and can be held to less. */
static void lets_no_more_text_out_than_allowed(void **state)
{
	static const enum exec_arguments asked[] = {
		[PROBE_TEXT_NONE] = EXEC_ARGUMENTS_NONE,
		[PROBE_TEXT_NORMALIZED] = EXEC_ARGUMENTS_REDACTED,
		[PROBE_TEXT_RAW] = EXEC_ARGUMENTS_RAW,
	};

	(void)state;
	for (int i = 0; i < 9; i++) {
		union probe_settings settings = {.exec = {asked[i / 3], true}};
		enum probe_text most = (enum probe_text)(i % 3);

		assert_int_equal(probe_settings_text(PROBE_EXEC, &settings), i / 3);
		probe_settings_cap_text(PROBE_EXEC, &settings, most);
		assert_int_equal(probe_settings_text(PROBE_EXEC, &settings),
				 i / 3 < i % 3 ? i / 3 : i % 3);
		assert_true(settings.exec.failures);
	}
}

static void knows_text_that_was_asked_for_from_the_default(void **state)
{
	cleanup_json cJSON *given = json_of("{'type': 'Exec', 'exec': {'arguments': 'Redacted'}}");
	cleanup_json cJSON *left_out = json_of("{'type': 'Exec', 'exec': {'failures': true}}");
	cleanup_json cJSON *bare = json_of("{'type': 'Exec'}");
	union probe_settings none = {0};

	(void)state;
	assert_string_equal(probe_text_field(PROBE_EXEC), "exec.arguments");
	assert_true(probe_text_is_given(PROBE_EXEC, given));
	assert_false(probe_text_is_given(PROBE_EXEC, left_out));
	assert_false(probe_text_is_given(PROBE_EXEC, bare));
	assert_null(probe_text_field(PROBE_TCP));
	assert_false(probe_text_is_given(PROBE_TCP, given));
	assert_int_equal(probe_settings_text(PROBE_TCP, &none), PROBE_TEXT_NONE);
	probe_settings_cap_text(PROBE_TCP, &none, PROBE_TEXT_NONE);
}

/* Routes that the probe finds by itself are made of paths, so they count as text. */
static void counts_routes_as_text(void **state)
{
	static const struct {
		const char *entry;
		bool given;
		enum probe_text text;
	} cases[] = {
		{"{'type': 'HTTP'}", false, PROBE_TEXT_NORMALIZED},
		{"{'type': 'HTTP', 'http': {'paths': 'None'}}", true, PROBE_TEXT_NONE},
		{"{'type': 'HTTP', 'http': {'paths': 'Raw'}}", true, PROBE_TEXT_RAW},
		{"{'type': 'HTTP', 'http': {'byRoute': true}}", true, PROBE_TEXT_NORMALIZED},
		{"{'type': 'HTTP', 'http': {'byRoute': false}}", false, PROBE_TEXT_NORMALIZED},
		{"{'type': 'HTTP', 'http': {'paths': 'None', 'byRoute': true}}", true,
		 PROBE_TEXT_NORMALIZED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_json cJSON *entry = json_of(cases[i].entry);
		union probe_settings settings;

		assert_int_equal(probe_settings_decode(PROBE_HTTP, entry, &settings, NULL), 0);
		assert_int_equal(probe_text_is_given(PROBE_HTTP, entry), cases[i].given);
		assert_int_equal(probe_settings_text(PROBE_HTTP, &settings), cases[i].text);
		probe_settings_cap_text(PROBE_HTTP, &settings, PROBE_TEXT_NONE);
		assert_int_equal(settings.http.paths, HTTP_PATHS_NONE);
		assert_false(settings.http.by_route);
	}
}

#define HTTP_OF(http) "{'type': 'HTTP', 'http': {" http "}}"

static union probe_settings http_of(const char *text)
{
	cleanup_json cJSON *entry = json_of(text);
	union probe_settings settings;
	struct error error;

	if (probe_settings_decode(PROBE_HTTP, entry, &settings, &error) < 0)
		fail_msg("%s: %s", text, error.message);
	return settings;
}

static void reads_http(void **state)
{
	const union probe_settings none = http_of("{'type': 'HTTP'}");
	const union probe_settings all =
		http_of(HTTP_OF("'ports': [8080, 80, 65535, 80], 'slowThreshold': '250ms',"
				"'report': ['5xx', '404'], 'sampleOneIn': 1000000,"
				"'paths': 'Raw', 'byRoute': true"));

	(void)state;
	assert_int_equal(none.http.slow_ns, 0);
	assert_int_equal(none.http.port_count, 0);
	assert_int_equal(none.http.sample_one_in, 0);
	assert_int_equal(none.http.paths, HTTP_PATHS_NORMALIZED);
	assert_true(http_status_set_is_empty(&none.http.report));
	assert_false(none.http.by_route);
	assert_int_equal(all.http.port_count, 3);
	assert_int_equal(all.http.ports[0], 80);
	assert_int_equal(all.http.ports[1], 8080);
	assert_int_equal(all.http.ports[2], 65535);
	assert_int_equal(all.http.slow_ns, 250000000);
	assert_int_equal(all.http.sample_one_in, 1000000);
	assert_int_equal(all.http.paths, HTTP_PATHS_RAW);
	assert_true(all.http.by_route);
	for (unsigned int status = 0; status < 1000; status++)
		assert_int_equal(http_status_set_has(&all.http.report, status),
				 status == 404 || (status >= 500 && status < 600));
}

static void http_reads_back_what_it_wrote(void **state)
{
	static const char *const cases[] = {
		"{'type': 'HTTP'}",
		HTTP_OF("'slowThreshold': '1ms'"),
		HTTP_OF("'slowThreshold': '10m', 'paths': 'None'"),
		HTTP_OF("'report': ['100', '1xx', '2xx', '399', '404', '599']"),
		HTTP_OF("'sampleOneIn': 1, 'byRoute': true, 'paths': 'Raw'"),
		HTTP_OF("'ports': [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const union probe_settings settings = http_of(cases[i]);
		cleanup_json cJSON *entry = json_of("{'type': 'HTTP'}");
		union probe_settings decoded;

		assert_int_equal(probe_settings_encode(PROBE_HTTP, &settings, entry), 0);
		assert_int_equal(probe_settings_decode(PROBE_HTTP, entry, &decoded, NULL), 0);
		assert_true(probe_settings_equal(PROBE_HTTP, &settings, &decoded));
	}
}

static void writes_classes_as_such(void **state)
{
	const union probe_settings settings =
		http_of(HTTP_OF("'report': ['501', '404', '5xx', '403', '1xx']"));
	cleanup_json cJSON *array = http_status_set_encode(&settings.http.report);
	static const char *const expected[] = {"1xx", "403", "404", "5xx"};

	(void)state;
	assert_int_equal(cJSON_GetArraySize(array), 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(cJSON_GetArrayItem(array, i)->valuestring, expected[i]);
}

static void refuses_http_that_is_wrong(void **state)
{
	static const struct {
		const char *http;
		const char *says;
	} cases[] = {
		{"[]", "http: must be an object"},
		{"{'ports': 80}", "http.ports: must list 1 to 16 ports; leave it out for all"},
		{"{'ports': []}", "http.ports: must list 1 to 16 ports"},
		{"{'ports': [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
		 "http.ports: must list 1 to 16 ports"},
		{"{'ports': [0]}", "http.ports: each must be a number from 1 to 65535"},
		{"{'ports': [65536]}", "http.ports: each must be a number"},
		{"{'ports': ['80']}", "http.ports: each must be a number"},
		{"{'ports': [80.5]}", "http.ports: each must be a number"},
		{"{'slowThreshold': 5}", "http.slowThreshold: must be a text like"},
		{"{'slowThreshold': '999us'}", "use 1ms to 10m"},
		{"{'slowThreshold': '601s'}", "use 1ms to 10m"},
		{"{'report': '5xx'}", "http.report: must list statuses"},
		{"{'report': []}", "http.report: must list statuses"},
		{"{'report': ['6xx']}", "http.report: \"6xx\" is no class (\"5xx\") and no status"},
		{"{'report': ['0xx']}", "http.report: \"0xx\" is no class"},
		{"{'report': ['5XX']}", "http.report: \"5XX\" is no class"},
		{"{'report': ['40']}", "http.report: \"40\" is no class"},
		{"{'report': ['4000']}", "http.report: \"4000\" is no class"},
		{"{'report': ['4x4']}", "http.report: \"4x4\" is no class"},
		{"{'report': [404]}", "and no status (\"404\"), as text"},
		{"{'sampleOneIn': 0}", "http.sampleOneIn: must be a number from 1 to 1000000"},
		{"{'sampleOneIn': 1000001}", "http.sampleOneIn: must be a number from 1"},
		{"{'sampleOneIn': 2.5}", "http.sampleOneIn: must be a number from 1"},
		{"{'sampleOneIn': '10'}", "http.sampleOneIn: must be a number from 1"},
		{"{'paths': 'raw'}",
		 "http.paths: \"raw\" is not known; use None, Normalized or Raw"},
		{"{'paths': 1}", "http.paths: \"\" is not known"},
		{"{'byRoute': 'yes'}", "http.byRoute: must be true or false"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json cJSON *entry =
			json_format("{'type': 'HTTP', 'http': %s}", cases[i].http);
		union probe_settings settings;
		struct error error;

		assert_int_equal(probe_settings_decode(PROBE_HTTP, entry, &settings, &error),
				 -EINVAL);
		assert_says(error.message, cases[i].says);
	}
}

static void merges_http_to_the_union(void **state)
{
	union probe_settings settings =
		http_of(HTTP_OF("'ports': [80, 90], 'slowThreshold': '2s', 'report': ['404'],"
				"'sampleOneIn': 100, 'paths': 'None'"));
	const union probe_settings other =
		http_of(HTTP_OF("'ports': [70, 80], 'slowThreshold': '1s', 'report': ['5xx'],"
				"'sampleOneIn': 1000, 'paths': 'Raw', 'byRoute': true"));
	const union probe_settings both =
		http_of(HTTP_OF("'ports': [70, 80, 90], 'slowThreshold': '1s',"
				"'report': ['404', '5xx'], 'sampleOneIn': 100, 'paths': 'Raw',"
				"'byRoute': true"));
	const union probe_settings plain = http_of("{'type': 'HTTP'}");

	(void)state;
	assert_false(probe_settings_equal(PROBE_HTTP, &settings, &both));
	probe_settings_merge(PROBE_HTTP, &settings, &other);
	assert_true(probe_settings_equal(PROBE_HTTP, &settings, &both));
	probe_settings_merge(PROBE_HTTP, &settings, &plain);
	assert_int_equal(settings.http.port_count, 0);
	settings = plain;
	probe_settings_merge(PROBE_HTTP, &settings, &both);
	assert_int_equal(settings.http.port_count, 0);
	assert_int_equal(settings.http.slow_ns, 1000000000);
	assert_int_equal(settings.http.sample_one_in, 100);
}

/* More ports than there is room for: all of them. */
static void merges_many_ports_to_all(void **state)
{
	union probe_settings settings =
		http_of(HTTP_OF("'ports': [2,4,6,8,10,12,14,16,18,20,22,24,26,28,30]"));
	const union probe_settings one = http_of(HTTP_OF("'ports': [4, 5]"));
	const union probe_settings another = http_of(HTTP_OF("'ports': [31]"));
	const union probe_settings plain = http_of("{'type': 'HTTP'}");

	(void)state;
	probe_settings_merge(PROBE_HTTP, &settings, &one);
	assert_int_equal(settings.http.port_count, 16);
	probe_settings_merge(PROBE_HTTP, &settings, &another);
	assert_true(probe_settings_equal(PROBE_HTTP, &settings, &plain));
}

static void compares_http(void **state)
{
	static const char *const cases[] = {
		HTTP_OF(""),
		HTTP_OF("'ports': [80]"),
		HTTP_OF("'ports': [81]"),
		HTTP_OF("'slowThreshold': '1s'"),
		HTTP_OF("'report': ['5xx']"),
		HTTP_OF("'sampleOneIn': 10"),
		HTTP_OF("'paths': 'None'"),
		HTTP_OF("'byRoute': true"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
			const union probe_settings a = http_of(cases[i]), b = http_of(cases[j]);

			assert_int_equal(probe_settings_equal(PROBE_HTTP, &a, &b), i == j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_every_type),
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(merges_to_the_union),
		cmocka_unit_test(compares_what_counts),
		cmocka_unit_test(refuses_settings_of_another_probe),
		cmocka_unit_test(reads_dns),
		cmocka_unit_test(refuses_dns_that_is_wrong),
		cmocka_unit_test(merges_dns_to_the_union),
		cmocka_unit_test(reads_http),
		cmocka_unit_test(http_reads_back_what_it_wrote),
		cmocka_unit_test(writes_classes_as_such),
		cmocka_unit_test(refuses_http_that_is_wrong),
		cmocka_unit_test(merges_http_to_the_union),
		cmocka_unit_test(merges_many_ports_to_all),
		cmocka_unit_test(compares_http),
		cmocka_unit_test(lets_no_more_text_out_than_allowed),
		cmocka_unit_test(counts_routes_as_text),
		cmocka_unit_test(knows_text_that_was_asked_for_from_the_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
