// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "node-agent/options.h"

#define NEEDED "--operator=op:8443", "--node=n", "--ca=/ca", "--token=/token"

static int parse(const char *const words[], struct agent_options *options, struct error *error)
{
	char *argv[32] = {(char *)"skep-node-agent"};
	int argc = 1;

	for (; *words; words++)
		argv[argc++] = (char *)*words;
	return agent_options_parse(argc, argv, options, error);
}

static void test_defaults(void **state)
{
	const char *const words[] = {NEEDED, NULL};
	struct agent_options options;
	struct error error;

	(void)state;
	assert_int_equal(parse(words, &options, &error), 0);
	assert_string_equal(options.operator.host, "op");
	assert_int_equal(options.operator.port, 8443);
	assert_null(options.operator_name);
	assert_string_equal(options.state_directory, "/var/lib/skep");
	assert_string_equal(options.cgroup_root, "/sys/fs/cgroup");
	assert_string_equal(options.http.host, "");
	assert_int_equal(options.http.port, 9810);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
	assert_int_equal(options.metrics_level, SERIES_OF_WORKLOADS);
}

static void test_given(void **state)
{
	const char *const words[] = {NEEDED,
				     "--operator-name",
				     "op.svc",
				     "--http-listen=[::1]:80",
				     "--log-level=debug",
				     "--metrics-level=pod",
				     "--tracefs=/t",
				     "--state-dir=/s",
				     "--cgroup-root=/c",
				     NULL};
	struct agent_options options;

	(void)state;
	assert_int_equal(parse(words, &options, NULL), 0);
	assert_string_equal(options.operator_name, "op.svc");
	assert_string_equal(options.http.host, "::1");
	assert_string_equal(options.tracefs, "/t");
	assert_string_equal(options.state_directory, "/s");
	assert_string_equal(options.cgroup_root, "/c");
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(options.metrics_level, SERIES_OF_PODS);
}

static void test_refused(void **state)
{
	static const struct {
		const char *words[8];
		const char *told; /* what the message names */
	} rows[] = {
		{{"--node=n"}, "--operator=HOST:PORT"},
		{{"--operator=op:1", "--node=n", "--ca=/ca"}, "--token=FILE"},
		{{NEEDED, "--verbose"}, "--verbose"},
		{{NEEDED, "stray"}, "stray"},
		{{NEEDED, "--nod=x"}, "--nod=x"},
		{{NEEDED, "--tracefs"}, "--tracefs=DIR"},
		{{NEEDED, "--tracefs="}, "--tracefs=DIR"},
		{{NEEDED, "--operator=op"}, "--operator"},
		{{NEEDED, "--operator=:8443"}, "--operator"},
		{{NEEDED, "--operator=op:0"}, "--operator"},
		{{NEEDED, "--operator=op:99999"}, "--operator"},
		{{NEEDED, "--http-listen=x"}, "--http-listen"},
		{{NEEDED, "--log-level=loud"}, "loud"},
		{{NEEDED, "--metrics-level=node"}, "workload or pod"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_options options;
		struct error error = {""};

		assert_int_equal(parse(rows[i].words, &options, &error), -EINVAL);
		if (!strstr(error.message, rows[i].told))
			fail_msg("row %zu: %s", i, error.message);
	}
}

static void test_questions(void **state)
{
	const char *const help[] = {"--help", NULL}, *const version[] = {"--version", NULL};
	struct agent_options options;

	(void)state;
	assert_int_equal(parse(help, &options, NULL), 0);
	assert_true(options.help);
	assert_int_equal(parse(version, &options, NULL), 0);
	assert_true(options.version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
