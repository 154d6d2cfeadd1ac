// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/link/report.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_back_what_it_wrote(void **state)
{
	struct report report = {.epoch = strdup("e"), .revision = 7}, decoded;
	cleanup_json cJSON *json = NULL;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(report_add(&report, "u", (enum probe_type)(i % 2),
					    (enum probe_state)i, "Reason", i ? "words" : ""),
				 0);
	assert_int_equal(
		report_add_throttle(&report, &(struct report_throttle){.policy = "shop/a",
								       .beyond = {{5, 0}},
								       .shed_per_second = 200}),
		0);
	assert_int_equal(
		report_add_throttle(
			&report, &(struct report_throttle){.policy = "b", .beyond = {{0, 50000}}}),
		0);
	json = report_encode(&report);
	assert_int_equal(report_decode(json, &decoded, NULL), 0);
	assert_string_equal(decoded.epoch, "e");
	assert_int_equal(decoded.revision, 7);
	assert_int_equal(decoded.exception_count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(decoded.exceptions[i].pod_uid, "u");
		assert_int_equal(decoded.exceptions[i].probe, i % 2);
		assert_int_equal(decoded.exceptions[i].state, i);
		assert_string_equal(decoded.exceptions[i].reason, "Reason");
		assert_string_equal(decoded.exceptions[i].message, i ? "words" : "");
	}
	assert_int_equal(decoded.throttle_count, 2);
	assert_int_equal(report_find_throttle(&decoded, "shop/a")->beyond.most[BUDGET_EVENTS], 5);
	assert_int_equal(report_find_throttle(&decoded, "shop/a")->shed_per_second, 200);
	assert_int_equal(report_find_throttle(&decoded, "b")->beyond.most[BUDGET_SERIES], 50000);
	assert_null(report_find_throttle(&decoded, "shop/b"));
	report_free(&report);
	report_free(&decoded);
}

static void refuses_malformed_members(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"null", "pods"},
		{"{'epoch': 'e', 'revision': 1}", "pods"},
		{"{'epoch': 'e', 'revision': 1, 'pods': {}}", "pods"},
		{"{'epoch': 'e', 'pods': []}", "revision"},
		{"{'epoch': 'e', 'revision': -1, 'pods': []}", "revision"},
		{"{'epoch': 'e', 'revision': '1', 'pods': []}", "revision"},
		{"{'epoch': 'e', 'revision': 1, 'pods': [7]}", "probe"},
		{"{'epoch': 'e', 'revision': 1, 'pods': [{'uid': 'u', 'probe': 'SMTP',"
		 " 'state': 'Failed', 'reason': 'R'}]}",
		 "\"SMTP\""},
		{"{'epoch': 'e', 'revision': 1, 'pods': [{'uid': 'u', 'probe': 'TCP',"
		 " 'state': 'Odd', 'reason': 'R'}]}",
		 "\"Odd\""},
		{"{'epoch': 'e', 'revision': 1, 'pods': [{'uid': 'u', 'probe': 'TCP',"
		 " 'state': 'Failed'}]}",
		 "without a reason"},
		{"{'epoch': 'e', 'revision': 1, 'pods': [], 'throttled': {}}", "throttled"},
		{"{'epoch': 'e', 'revision': 1, 'pods': [], 'throttled': [{'policy': 'a'}]}",
		 "throttled: a policy and one of its bounds"},
		{"{'epoch': 'e', 'revision': 1, 'pods': [], 'throttled': [{'series': 7}]}",
		 "throttled: a policy and one of its bounds"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_json cJSON *json = json_of(cases[i].text);
		struct report report = {.revision = 99};
		struct error error = {0};

		if (report_decode(json, &report, &error) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		assert_says(error.message, cases[i].part);
		assert_int_equal(report.revision, 99);
	}
}

static void bounds_what_an_agent_may_say(void **state)
{
	struct report report = {.epoch = strdup("e")};
	char words[2000];

	(void)state;
	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	for (int i = 0; i < REPORT_EXCEPTIONS_LIMIT; i++)
		assert_int_equal(report_add(&report, "u", PROBE_TCP, PROBE_FAILED, words, words),
				 0);
	assert_false(report.truncated);
	assert_int_equal(report_add(&report, "u", PROBE_TCP, PROBE_FAILED, "R", ""), 0);
	assert_true(report.truncated);
	assert_int_equal(report.exception_count, REPORT_EXCEPTIONS_LIMIT);
	assert_int_equal(strlen(report.exceptions[0].reason), 64);
	assert_int_equal(strlen(report.exceptions[0].message), 512);
	report_free(&report);
	assert_null(report.exceptions);
}

static void leaves_out_what_is_too_much(void **state)
{
	const struct report_throttle throttle = {.policy = "p", .beyond = {{1, 1}}};
	char name[600];
	struct report report = {0}, decoded;
	struct error error = {0};
	cleanup_json cJSON *json = NULL;

	(void)state;
	for (int i = 0; i < REPORT_THROTTLES_LIMIT + 1; i++)
		assert_int_equal(report_add_throttle(&report, &throttle), 0);
	assert_int_equal(report.throttle_count, REPORT_THROTTLES_LIMIT);
	report_free(&report);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	json = json_format("{'epoch': 'e', 'revision': 1, 'pods': [], 'throttled':"
			   " [{'policy': '%s', 'series': 7}]}",
			   name);
	assert_int_equal(report_decode(json, &decoded, &error), -EINVAL);
	assert_says(error.message, "throttled: policy: is longer than");
}

static void makes_cut_words_printable(void **state)
{
	struct report report = {0};
	char words[513 + 2];

	(void)state;
	memset(words, 'w', sizeof(words));
	strcpy(words + 511, "ü"); /* two bytes across the limit */
	assert_int_equal(report_add(&report, "u", PROBE_TCP, PROBE_FAILED, "R\n", words), 0);
	assert_string_equal(report.exceptions[0].reason, "R?");
	assert_string_equal(report.exceptions[0].message + 510, "w?");
	report_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(refuses_malformed_members),
		cmocka_unit_test(bounds_what_an_agent_may_say),
		cmocka_unit_test(leaves_out_what_is_too_much),
		cmocka_unit_test(makes_cut_words_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
