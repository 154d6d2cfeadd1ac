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
		cmocka_unit_test(lets_no_more_text_out_than_allowed),
		cmocka_unit_test(knows_text_that_was_asked_for_from_the_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
