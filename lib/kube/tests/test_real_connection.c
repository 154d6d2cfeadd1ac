// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The client's connections to a real API server: how many, whom they trust, when they are left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/kube/tests/follower.h"
#include "lib/kube/tests/real_api_server.h"
#include "lib/kube/tests/relay.h"

static int count_sockets(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(directory))) {
		char *path = format("/proc/self/fd/%s", entry->d_name);
		char target[16] = "";

		if (readlink(path, target, sizeof(target) - 1) > 0)
			count += strncmp(target, "socket:", 7) == 0;
		free(path);
	}
	closedir(directory);
	return count;
}

static void shares_one_connection(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct answer answers[20] = {0};
	struct follower followers[3];
	int before;

	(void)state;
	need_cluster();
	must(client, "GET", "/version", NULL, NULL, 200);
	before = count_sockets();
	for (int i = 0; i < 3; i++)
		follow(&followers[i], 500);
	for (int i = 0; i < 20; i++)
		assert_int_equal(kube_request(client, "GET", CONFIG_MAPS, NULL, NULL, on_response,
					      &answers[i], NULL),
				 0);
	for (int i = 0; i < 20; i++) {
		for (int tries = 0; tries < 1000 && !answers[i].status; tries++)
			run_for(20);
		assert_int_equal(answers[i].status, 200);
		answer_free(&answers[i]);
	}
	assert_int_equal(count_sockets(), before);
	for (int i = 0; i < 3; i++)
		unfollow(&followers[i]);
}

static char *contents_of(const char *name)
{
	char *path = format("%s/%s", cluster.directory, name);
	struct text contents = TEXT_EMPTY;

	assert_int_equal(file_read(path, 1 << 16, &contents, NULL), 0);
	free(path);
	return contents.data;
}

/* The server knows whose certificate it is, and says so when it refuses. */
static void expect_user_of_certificate(struct kube_config *config)
{
	struct kube_client *client;
	struct answer answer;

	config->server = format("https://127.0.0.1:%d", cluster.second.port);
	assert_int_equal(kube_client_new(&cluster.loop, config, &client, NULL), 0);
	kube_config_free(config);
	answer = call(client, "GET", CONFIG_MAPS, NULL, NULL);
	assert_int_equal(answer.status, 403);
	assert_non_null(strstr(answer.reason, "User \"test\" cannot list"));
	answer_free(&answer);
	kube_client_free(client);
	run_for(1);
}

static void logs_in_with_a_certificate(void **state)
{
	struct kube_config files = {0}, data = {0};

	(void)state;
	need_cluster();
	files.ca_file = format("%s/tls.crt", cluster.directory);
	files.certificate_file = format("%s/tls.crt", cluster.directory);
	files.key_file = format("%s/tls.key", cluster.directory);
	expect_user_of_certificate(&files);
	data.ca_data = contents_of("tls.crt");
	data.certificate_data = contents_of("tls.crt");
	data.key_data = contents_of("tls.key");
	expect_user_of_certificate(&data);
}

static void refuses_a_server_that_it_cannot_trust(void **state)
{
	struct kube_config config = {0};
	struct kube_client *client;
	struct answer answer;

	(void)state;
	need_cluster();
	config.server = format("https://127.0.0.1:%d", cluster.second.port);
	config.token = strdup("admin-token");
	assert_int_equal(kube_client_new(&cluster.loop, &config, &client, NULL), 0);
	answer = call(client, "GET", "/readyz", NULL, NULL);
	assert_int_equal(answer.status, 0);
	assert_non_null(strstr(answer.reason, "certificate"));
	answer_free(&answer);
	kube_client_free(client);
	kube_config_free(&config);
	run_for(1);
}

/* Over a relay, which stands still later: its connections stay, and are acknowledged. */
static void leaves_a_connection_that_has_gone_silent(void **state)
{
	struct kube_informer_settings settings = kube_informer_default_settings();
	struct follower followers[3];
	struct kube_client *client;
	struct relay relay;

	(void)state;
	need_cluster();
	settings.watch_least_seconds = settings.watch_most_seconds = 2;
	settings.watch_margin = 5000;
	relay_start(&relay, &cluster.loop, cluster.second.port);
	client = client_of(relay.port);
	for (int i = 0; i < 3; i++)
		follow_with(&followers[i], client, &settings);
	for (int i = 0; i < 3; i++)
		await_told(&followers[i], "synced ");
	set_config_map(cluster.first.client, "relayed", "1");
	for (int i = 0; i < 3; i++)
		await_told(&followers[i], "+relayed=1 ");
	assert_int_equal(relay.connections_made, 1); /* for all of them: HTTP/2 */
	relay_freeze(&relay);
	set_config_map(cluster.first.client, "relayed", "2");
	for (int i = 0; i < 3; i++)
		await_told(&followers[i], "+relayed=2 ");
	assert_true(relay.connections_made >= 2);
	for (int i = 0; i < 3; i++)
		unfollow(&followers[i]);
	kube_client_free(client);
	relay_stop(&relay);
	run_for(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_one_connection),
		cmocka_unit_test(logs_in_with_a_certificate),
		cmocka_unit_test(refuses_a_server_that_it_cannot_trust),
		cmocka_unit_test(leaves_a_connection_that_has_gone_silent),
	};

	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
