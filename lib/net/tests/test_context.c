// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/net/context.h"
#include "lib/net/dial.h"
#include "lib/net/listener.h"

/* Freed before the loop ever ran, after it ran, and several times on one loop. */
static void test_gives_all_back(void **state)
{
	struct net_context *net = NULL;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(net_context_new(&loop, 8, &net, NULL), 0);
		assert_ptr_equal(net_context_loop(net), &loop);
		assert_non_null(net_context_lws(net));
		for (int turn = 0; turn < i; turn++)
			uv_run(&loop, UV_RUN_NOWAIT);
		assert_null(net_context_free(net));
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	assert_null(net_context_free(NULL));
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_arrived(void *context, int socket, const char *address)
{
	snprintf(context, NET_ADDRESS_SIZE, "%s", address);
	close(socket);
}

static void on_probed(void *context, const char *why)
{
	snprintf(context, 64, "%s", why ? why : "it works");
}

static void probe(uv_loop_t *loop, const char *address, int port, char why[64])
{
	struct net_probe *probe;

	why[0] = '\0';
	assert_int_equal(net_probe_new(loop, address, port, on_probed, why, &probe, NULL), 0);
	while (!why[0])
		uv_run(loop, UV_RUN_ONCE);
}

static void test_listens_on_all_addresses(void **state)
{
	char arrived[NET_ADDRESS_SIZE] = "", why[64];
	struct net_listener *listener = NULL;
	uv_loop_t loop;
	int port;

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(net_listener_new(&loop, "", 0, on_arrived, arrived, &listener, NULL), 0);
	port = net_listener_port(listener);
	assert_true(port > 0);
	probe(&loop, "127.0.0.1", port, why);
	assert_string_equal(why, "it works");
	while (!arrived[0])
		uv_run(&loop, UV_RUN_ONCE);
	assert_memory_equal(arrived, "127.0.0.1:", 10);
	net_listener_free(listener);
	probe(&loop, "127.0.0.1", port, why);
	assert_string_equal(why, "connection refused");
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_says_why_it_cannot_listen(void **state)
{
	struct net_listener *listener = NULL;
	struct error error;
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(net_listener_new(&loop, "me", 1, on_arrived, NULL, &listener, &error),
			 -EINVAL);
	assert_string_equal(error.message, "listen on \"me\": not an IP address");
	assert_int_equal(
		net_listener_new(&loop, "192.0.2.1", 1, on_arrived, NULL, &listener, &error),
		-EADDRNOTAVAIL);
	assert_non_null(strstr(error.message, "192.0.2.1 port 1"));
	assert_null(listener);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_found(void *context, const char *address, const char *why)
{
	snprintf(context, 64, "%s", address ? address : why);
}

static void test_looks_names_up(void **state)
{
	struct net_lookup *lookup;
	char found[64] = "";
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(net_lookup_new(&loop, "127.0.0.7", 5, on_found, found, &lookup, NULL), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(found, "127.0.0.7");
	found[0] = '\0';
	assert_int_equal(net_lookup_new(&loop, "127.0.0.7", 0, on_found, found, &lookup, NULL), 0);
	assert_null(net_lookup_free(lookup));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(found, "");
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_gives_probes_up(void **state)
{
	struct net_probe *probe;
	char why[64] = "";
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(net_probe_new(&loop, "127.0.0.1", 9, on_probed, why, &probe, NULL), 0);
	assert_null(net_probe_free(probe));
	assert_int_equal(net_probe_new(&loop, "nowhere", 9, on_probed, why, &probe, NULL), -EINVAL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_string_equal(why, "");
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_all_back),
		cmocka_unit_test(test_listens_on_all_addresses),
		cmocka_unit_test(test_says_why_it_cannot_listen),
		cmocka_unit_test(test_looks_names_up),
		cmocka_unit_test(test_gives_probes_up),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
