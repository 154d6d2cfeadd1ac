// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "operator/options.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Parses one argument, or none for NULL. */
static int parse(const char *argument, struct operator_options *options, struct error *error)
{
	char *argv[] = {(char *)"skep-operator", (char *)argument, NULL};

	return operator_options_parse(argument ? 2 : 1, argv, options, error);
}

static void has_defaults(void **state)
{
	struct operator_options options;

	(void)state;
	unsetenv("POD_NAMESPACE");
	assert_int_equal(parse(NULL, &options, NULL), 0);
	assert_null(options.kubeconfig);
	assert_string_equal(options.namespace, "skep-system");
	assert_string_equal(options.agent_service_account, "skep-node-agent");
	assert_int_equal(options.agent_listen.port, 8443);
	assert_int_equal(options.api_listen.port, 8444);
	assert_int_equal(options.http_listen.port, 8080);
	assert_string_equal(options.tls_certificate, "");
	assert_int_equal(options.tls_life, 365 * 24 * 3600);
	assert_true(options.leader_elect);
	assert_int_equal(options.lease_duration_ms, 15000);
	assert_int_equal(options.lease_deadline_ms, 10000);
	assert_int_equal(options.lease_retry_ms, 2000);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
	assert_false(options.help || options.version);
	setenv("POD_NAMESPACE", "observed", 1);
	assert_int_equal(parse(NULL, &options, NULL), 0);
	assert_string_equal(options.namespace, "observed");
	unsetenv("POD_NAMESPACE");
}

static void reads_every_option(void **state)
{
	char *argv[] = {(char *)"skep-operator",
			(char *)"--kubeconfig=k",
			(char *)"--namespace",
			(char *)"n",
			(char *)"--agent-service-account=a",
			(char *)"--agent-listen=127.0.0.1:1",
			(char *)"--api-listen=127.0.0.2:3",
			(char *)"--http-listen=[::1]:2",
			(char *)"--tls-certificate=c",
			(char *)"--tls-key=y",
			(char *)"--tls-ca=z",
			(char *)"--tls-certificate-lifetime=90s",
			(char *)"--leader-elect=false",
			(char *)"--lease-duration=3s",
			(char *)"--lease-renew-deadline=2s",
			(char *)"--lease-retry=500ms",
			(char *)"--log-level=debug",
			NULL};
	struct operator_options options;

	(void)state;
	assert_int_equal(operator_options_parse(ARRAY_COUNT(argv) - 1, argv, &options, NULL), 0);
	assert_string_equal(options.kubeconfig, "k");
	assert_string_equal(options.namespace, "n");
	assert_string_equal(options.agent_service_account, "a");
	assert_string_equal(options.agent_listen.host, "127.0.0.1");
	assert_int_equal(options.agent_listen.port, 1);
	assert_string_equal(options.api_listen.host, "127.0.0.2");
	assert_int_equal(options.api_listen.port, 3);
	assert_string_equal(options.http_listen.host, "::1");
	assert_string_equal(options.tls_certificate, "c");
	assert_string_equal(options.tls_key, "y");
	assert_string_equal(options.tls_ca, "z");
	assert_int_equal(options.tls_life, 90);
	assert_false(options.leader_elect);
	assert_int_equal(options.lease_duration_ms, 3000);
	assert_int_equal(options.lease_deadline_ms, 2000);
	assert_int_equal(options.lease_retry_ms, 500);
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
	assert_false(options.help || options.version);
}

static void answers_questions(void **state)
{
	struct operator_options options;

	(void)state;
	assert_int_equal(parse("--help", &options, NULL), 0);
	assert_true(options.help && !options.version);
	assert_int_equal(parse("--version", &options, NULL), 0);
	assert_true(options.version && !options.help);
}

static void names_the_argument_that_is_wrong(void **state)
{
	static const struct {
		const char *argument, *named;
	} cases[] = {
		{"--colour", "--colour"},
		{"-x", "-x"},
		{"-xy", "-x"},
		{"--kubeconfig", "--kubeconfig=FILE"},
		{"--kubeconfig=", "--kubeconfig=FILE"},
		{"--agent-listen=8443", "--agent-listen"},
		{"--log-level=loud", "--log-level"},
		{"--tls-certificate=c", "--tls-key"},
		{"--tls-ca=c", "--tls-certificate"},
		{"--tls-certificate-lifetime=1s", "30s"},
		{"--leader-elect=maybe", "true or false"},
		{"--lease-duration=soon", "--lease-duration"},
		{"--lease-duration=2500ms", "whole seconds"},
		{"--lease-duration=1h", "10m"},
		{"--lease-duration=10s", "--lease-renew-deadline"},
		{"--lease-renew-deadline=3s", "--lease-retry"},
		{"--lease-retry=1ms", "100ms"},
		{"extra", "extra"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct operator_options options = {.namespace = "kept"};
		struct error error = {0};

		assert_int_equal(parse(cases[i].argument, &options, &error), -EINVAL);
		assert_says(error.message, cases[i].named);
		assert_string_equal(options.namespace, "kept");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(reads_every_option),
		cmocka_unit_test(answers_questions),
		cmocka_unit_test(names_the_argument_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
