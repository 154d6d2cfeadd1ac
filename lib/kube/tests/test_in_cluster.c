// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/kube/in_cluster.h"
#include "lib/kube/token_source.h"

static char directory[] = "/tmp/skep-test-in-cluster-XXXXXX";

static void write_file(const char *name, const char *contents)
{
	char path[128], new_path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	file = fopen(new_path, "w");
	assert_non_null(file);
	fputs(contents, file);
	fclose(file);
	assert_int_equal(rename(new_path, path), 0);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	remove_file("token");
	remove_file("ca.crt");
	return rmdir(directory);
}

static void reads_the_service_account(void **state)
{
	struct kube_config config;

	(void)state;
	write_file("token", "t1\n");
	write_file("ca.crt", "pem");
	assert_int_equal(in_cluster_load("10.0.0.1", "443", directory, &config, NULL), 0);
	assert_string_equal(config.server, "https://10.0.0.1:443");
	assert_non_null(strstr(config.token_file, "/token"));
	assert_non_null(strstr(config.ca_file, "/ca.crt"));
	kube_config_free(&config);
	assert_int_equal(in_cluster_load("fd00::1", "443", directory, &config, NULL), 0);
	assert_string_equal(config.server, "https://[fd00::1]:443");
	kube_config_free(&config);
}

static void says_what_is_missing(void **state)
{
	struct kube_config config;
	struct error error;

	(void)state;
	assert_int_equal(in_cluster_load(NULL, "443", directory, &config, &error), -ENOENT);
	assert_non_null(strstr(error.message, "--kubeconfig"));
	remove_file("ca.crt");
	assert_int_equal(in_cluster_load("h", "443", directory, &config, &error), -ENOENT);
	assert_non_null(strstr(error.message, "ca.crt"));
}

static void reads_a_token_again_when_it_changed(void **state)
{
	struct token_source source;
	char path[128];
	const char *token;
	struct error error;

	(void)state;
	snprintf(path, sizeof(path), "%s/token", directory);
	write_file("token", "t1\n");
	assert_int_equal(token_source_init(&source, path, NULL), 0);
	assert_int_equal(token_source_get(&source, &token, NULL), 0);
	assert_string_equal(token, "t1");
	write_file("token", "t2\n");
	assert_int_equal(token_source_get(&source, &token, NULL), 0);
	assert_string_equal(token, "t2");
	write_file("token", "\n");
	assert_int_equal(token_source_get(&source, &token, &error), -EINVAL);
	assert_non_null(strstr(error.message, "holds no token"));
	remove_file("token");
	assert_int_equal(token_source_get(&source, &token, &error), -ENOENT);
	write_file("token", "t3");
	assert_int_equal(token_source_get(&source, &token, NULL), 0);
	assert_string_equal(token, "t3");
	token_source_free(&source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_service_account),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(reads_a_token_again_when_it_changed),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
