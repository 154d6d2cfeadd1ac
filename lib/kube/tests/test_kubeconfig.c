// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "lib/kube/kubeconfig.h"

/* A kubeconfig with one context; the parameters are further lines of cluster and user. */
#define KUBECONFIG(cluster, user)                                                                  \
	"apiVersion: v1\n"                                                                         \
	"kind: Config\n"                                                                           \
	"current-context: here\n"                                                                  \
	"contexts:\n"                                                                              \
	"- name: elsewhere\n"                                                                      \
	"  context: {cluster: c0, user: u0}\n"                                                     \
	"- name: here\n"                                                                           \
	"  context: {cluster: c1, user: u1}\n"                                                     \
	"clusters:\n"                                                                              \
	"- name: c0\n"                                                                             \
	"  cluster: {server: 'https://wrong:1'}\n"                                                 \
	"- name: c1\n"                                                                             \
	"  cluster:\n" cluster "users:\n"                                                          \
	"- name: u1\n"                                                                             \
	"  user:\n" user

#define SERVER "    server: https://10.0.0.1:6443/\n"
#define TOKEN  "    token: secret\n"

static int parse(const char *text, struct kube_config *config, struct error *error)
{
	return kubeconfig_parse(text, strlen(text), "/home/me", config, error);
}

static void reads_the_current_context(void **state)
{
	struct kube_config config;

	(void)state;
	assert_int_equal(parse(KUBECONFIG(SERVER, TOKEN), &config, NULL), 0);
	assert_string_equal(config.server, "https://10.0.0.1:6443");
	assert_string_equal(config.token, "secret");
	assert_null(config.ca_file);
	assert_null(config.ca_data);
	assert_null(config.token_file);
	kube_config_free(&config);
	assert_null(config.server);
}

static void reads_json(void **state)
{
	struct kube_config config;
	const char *text = "{\"current-context\": \"x\", \"contexts\": [{\"name\": \"x\", "
			   "\"context\": {\"cluster\": \"c\", \"user\": \"u\"}}], \"clusters\": "
			   "[{\"name\": \"c\", \"cluster\": {\"server\": \"http://h\"}}], "
			   "\"users\": [{\"name\": \"u\", \"user\": {}}]}";

	(void)state;
	assert_int_equal(parse(text, &config, NULL), 0);
	assert_string_equal(config.server, "http://h");
	kube_config_free(&config);
}

static void decodes_data(void **state)
{
	struct kube_config config;

	(void)state;
	assert_int_equal(parse(KUBECONFIG(SERVER "    certificate-authority-data: Y2EK\n",
					  "    client-certificate-data: Y2VydA==\n"
					  "    client-key-data: |\n"
					  "      a2\n"
					  "      V5\n"),
			       &config, NULL),
			 0);
	assert_string_equal(config.ca_data, "ca\n");
	assert_string_equal(config.certificate_data, "cert");
	assert_string_equal(config.key_data, "key");
	kube_config_free(&config);
}

static void finds_files_beside_itself(void **state)
{
	struct kube_config config;

	(void)state;
	assert_int_equal(parse(KUBECONFIG(SERVER "    certificate-authority: pki/ca.crt\n",
					  "    client-certificate: /etc/c.crt\n"
					  "    client-key: c.key\n"
					  "    tokenFile: token\n"),
			       &config, NULL),
			 0);
	assert_string_equal(config.ca_file, "/home/me/pki/ca.crt");
	assert_string_equal(config.certificate_file, "/etc/c.crt");
	assert_string_equal(config.key_file, "/home/me/c.key");
	assert_string_equal(config.token_file, "/home/me/token");
	kube_config_free(&config);
}

static void copies(void **state)
{
	struct kube_config config, copy;

	(void)state;
	assert_int_equal(parse(KUBECONFIG(SERVER, TOKEN), &config, NULL), 0);
	assert_int_equal(kube_config_copy(&config, &copy), 0);
	kube_config_free(&config);
	assert_string_equal(copy.server, "https://10.0.0.1:6443");
	assert_string_equal(copy.token, "secret");
	assert_null(copy.key_file);
	kube_config_free(&copy);
}

struct bad_file {
	const char *text;
	const char *message; /* that the error must hold */
};

static const struct bad_file bad_files[] = {
	{"", "current-context"},
	{"a: [", "no YAML"},
	{"- just\n- a list\n", "current-context"},
	{"current-context: x\n", "context \"x\" is not in contexts"},
	{"current-context: x\ncontexts: text\n", "context \"x\" is not in contexts"},
	{"current-context: x\ncontexts: [{name: x, context: {user: u}}]\n", "names no cluster"},
	{"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n",
	 "cluster \"c\" is not in clusters"},
	{KUBECONFIG("    server: ''\n", TOKEN), "no server"},
	{KUBECONFIG("    server: 10.0.0.1:6443\n", TOKEN), "begin it with https://"},
	{KUBECONFIG(SERVER "    certificate-authority-data: '*'\n", TOKEN),
	 "\"certificate-authority-data\" is no base64"},
	{KUBECONFIG(SERVER "    certificate-authority-data: AAAA\n", TOKEN), "no base64 of a text"},
	{KUBECONFIG(SERVER "    insecure-skip-tls-verify: true\n", TOKEN), "not supported"},
	{KUBECONFIG(SERVER, "    exec: {command: aws}\n"), "\"exec\" is not supported"},
	{KUBECONFIG(SERVER, "    password: p\n"), "user \"u1\": field \"password\""},
};

static void says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
		struct kube_config config = {0};
		struct error error = {""};

		assert_true(parse(bad_files[i].text, &config, &error) < 0);
		if (!strstr(error.message, bad_files[i].message))
			fail_msg("\"%s\" does not say: %s", error.message, bad_files[i].message);
		assert_null(config.server);
	}
}

static void ignores_an_explicit_false(void **state)
{
	struct kube_config config;

	(void)state;
	assert_int_equal(parse(KUBECONFIG(SERVER "    insecure-skip-tls-verify: false\n", TOKEN),
			       &config, NULL),
			 0);
	kube_config_free(&config);
}

static void names_a_file_that_is_not_there(void **state)
{
	struct kube_config config;
	struct error error;

	(void)state;
	assert_int_equal(kube_config_load("/nowhere/config", &config, &error), -ENOENT);
	assert_non_null(strstr(error.message, "/nowhere/config"));
	assert_true(kube_config_load("/", &config, &error) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_current_context),
		cmocka_unit_test(reads_json),
		cmocka_unit_test(decodes_data),
		cmocka_unit_test(finds_files_beside_itself),
		cmocka_unit_test(copies),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(ignores_an_explicit_false),
		cmocka_unit_test(names_a_file_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
