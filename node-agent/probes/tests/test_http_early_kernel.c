// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Requests that come with the packet that ends the handshake, on the running kernel: where the
 * server has it so, where the packet before it is lost, and with the SYN itself (TCP Fast Open).
 * Each exchange is counted once at each end.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/http_scene.c"

#define HEAD "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define NONE "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"

static void connect_with(const char *words)
{
	scene_connect_saying(words, strlen(words));
}

static void disconnect(void)
{
	scene_disconnect(SERVER);
	scene_disconnect(CLIENT);
}

/* --- where the server waits for it --- */

static void check_deferred(void **state, const struct network *network, enum ip ip)
{
	char server[64];

	scene_defer(state, network, ip);
	connect_with(GET);
	say(SERVER, OK);
	exchange("PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", NONE);
	snprintf(server, sizeof(server), "server_port=\"%u\"", scene.talk.port);
	assert_exchanged(server, 2);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_exchanged(KIND("PUT", "404"), 1);
	assert_told(SERVER, REQUEST_BYTES, KIND("GET", "200"), strlen(GET));
	assert_told(SERVER, RESPONSE_BYTES, KIND("GET", "200"), strlen(OK));
	assert_told(SERVER, CONNECTIONS, "", 1);
	assert_told(CLIENT, CONNECTIONS, "", 1);
	assert_nothing_odd();
}

static void test_deferred_ipv4(void **state)
{
	check_deferred(state, &loopback, IPV4);
}

static void test_deferred_ipv6(void **state)
{
	check_deferred(state, &wire, IPV6);
}

static void test_deferred_mapped(void **state)
{
	check_deferred(state, &wire, IPV4_TO_DUAL_STACK);
}

static void test_deferred_bears_peer(void **state)
{
	scene_defer(state, &wire, IPV4);
	connect_with(GET);
	say(SERVER, OK);
	assert_told(SERVER, SERVED, "peer_name=\"00000000000000000000ffff0a630001\"", 1);
	scene_end(state);
	scene_defer(state, &wire, IPV6);
	connect_with(GET);
	say(SERVER, OK);
	assert_told(SERVER, SERVED, "peer_name=\"fd990000000000000000000000000001\"", 1);
}

static void test_deferred_connection_for_each_request(void **state)
{
	const int rounds = 500;

	scene_defer(state, &loopback, IPV4);
	for (int i = 0; i < rounds; i++) {
		connect_with(GET);
		say(SERVER, OK);
		scene_disconnect(i % 2 ? CLIENT : SERVER);
		scene_disconnect(i % 2 ? SERVER : CLIENT);
	}
	assert_exchanged(KIND("GET", "200"), rounds);
	assert_exchanged("", rounds);
	assert_told(SERVER, CONNECTIONS, "", rounds);
	assert_nothing_odd();
}

/* Handshakes that end in another order than the one in which they began. */
static void test_deferred_side_by_side(void **state)
{
	enum { CONNECTIONS_AT_ONCE = 8 };
	int clients[CONNECTIONS_AT_ONCE], servers[CONNECTIONS_AT_ONCE];

	scene_defer(state, &loopback, IPV4);
	for (int i = 0; i < CONNECTIONS_AT_ONCE; i++) {
		assert_int_equal(conversation_try(&scene.talk), 0);
		clients[i] = scene.talk.ends[CLIENT];
	}
	for (int i = CONNECTIONS_AT_ONCE - 1; i >= 0; i--) {
		const char *request = i % 2 ? GET : HEAD;

		assert_int_equal(send(clients[i], request, strlen(request), 0), strlen(request));
		conversation_accept(&scene.talk);
		servers[i] = scene.talk.ends[SERVER];
	}
	for (int i = 0; i < CONNECTIONS_AT_ONCE; i++) {
		const char *response = i % 2 ? OK : NONE;

		assert_int_equal(send(servers[i], response, strlen(response), 0), strlen(response));
	}
	assert_told(SERVER, SERVED, KIND("GET", "200"), CONNECTIONS_AT_ONCE / 2);
	assert_told(SERVER, SERVED, KIND("HEAD", "404"), CONNECTIONS_AT_ONCE / 2);
	assert_told(SERVER, SERVED, "", CONNECTIONS_AT_ONCE);
	assert_nothing_odd();
	for (int i = 0; i < CONNECTIONS_AT_ONCE; i++) {
		close(servers[i]);
		close(clients[i]);
	}
	scene.talk.ends[SERVER] = scene.talk.ends[CLIENT] = -1;
}

/* Only a part of the request ends the handshake. */
static void test_deferred_cut_anywhere(void **state)
{
	static const char request[] = "POST /a/path/that/is/longer/than/what/is/kept/of/a/line "
				      "HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
	const int rounds = sizeof(request) - 2;

	scene_defer(state, &loopback, IPV4);
	for (int cut = 1; cut <= rounds; cut++) {
		scene_connect_saying(request, (size_t)cut);
		say(CLIENT, request + cut);
		say(SERVER, OK);
		disconnect();
	}
	assert_exchanged(KIND("POST", "200"), rounds);
	assert_exchanged("", rounds);
	assert_told(SERVER, REQUEST_BYTES, "", (double)rounds * (sizeof(request) - 1));
	assert_nothing_odd();
}

static void test_deferred_pipelining(void **state)
{
	scene_defer(state, &loopback, IPV4);
	connect_with(GET HEAD GET);
	say(SERVER, OK NONE);
	say(CLIENT, HEAD);
	say(SERVER, NONE NONE);
	assert_exchanged("", 4);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_exchanged(KIND("GET", "404"), 1);
	assert_exchanged(KIND("HEAD", "404"), 2);
	assert_nothing_odd();
}

/* More than have room is not counted wrongly, but as lost. */
static void test_deferred_pipelining_is_lost(void **state)
{
	scene_defer(state, &loopback, IPV4);
	connect_with(GET GET GET GET GET GET GET GET GET GET GET GET GET GET GET GET GET GET);
	assert_told(SERVER, LOST, "", 1);
	for (int i = 0; i < 18; i++)
		say(SERVER, OK);
	exchange("PUT / HTTP/1.1\r\n\r\n", OK);
	assert_exchanged(KIND("PUT", "200"), 1);
	assert_told(SERVER, CONNECTIONS, "", 1);
	assert_told(SERVER, LOST, "", 1);
}

static void test_deferred_and_aborted(void **state)
{
	scene_defer(state, &loopback, IPV4);
	connect_with(GET);
	scene_disconnect(SERVER);
	assert_told(SERVER, BY_SERVER, KIND("GET", ""), 1);
	scene_disconnect(CLIENT);
	connect_with(GET);
	abort_end(&scene.talk, CLIENT);
	assert_told(SERVER, BY_CLIENT, KIND("GET", ""), 1);
	assert_exchanged("", 2);
}

/* A request, and the end of what the client sends, in one packet: only the server is looked at. */
static void test_deferred_with_the_clients_end(void **state)
{
	scene_defer(state, &wire, IPV4);
	assert_int_equal(conversation_try(&scene.talk), 0);
	assert_int_equal(send(scene.talk.ends[CLIENT], GET, strlen(GET), MSG_MORE), strlen(GET));
	shutdown(scene.talk.ends[CLIENT], SHUT_WR);
	conversation_accept(&scene.talk);
	hear_bytes(SERVER, strlen(GET));
	say(SERVER, OK);
	assert_told(SERVER, SERVED, KIND("GET", "200"), 1);
	assert_nothing_odd();
}

static void test_deferred_is_opaque(void **state)
{
	char hello[517] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};

	scene_defer(state, &loopback, IPV4);
	scene_connect_saying(hello, sizeof(hello));
	say_bytes(SERVER, hello, sizeof(hello));
	exchange(GET, OK);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		assert_told(end, OPAQUE, "", 1);
		assert_told(end, CONNECTIONS, "", 0);
		assert_told(end, LOST, "", 0);
	}
	assert_exchanged("", 0);
}

/* --- where the packet before it is lost --- */

static void check_lost_acknowledgement(void **state, enum ip ip)
{
	scene_listen(state, &wire, ip);
	scene_watch(CLIENT);
	scene_watch(SERVER);
	wire.drops[SERVER]->bss->drop_acks = 1;
	connect_with(GET);
	assert_int_equal(wire.drops[SERVER]->bss->drop_acks, 0);
	say(SERVER, OK);
	exchange(HEAD, NONE);
	assert_exchanged("", 2);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_exchanged(KIND("HEAD", "404"), 1);
	assert_nothing_odd();
}

static void test_lost_acknowledgement_ipv4(void **state)
{
	check_lost_acknowledgement(state, IPV4);
}

static void test_lost_acknowledgement_ipv6(void **state)
{
	check_lost_acknowledgement(state, IPV6);
}

#define TEST(test) cmocka_unit_test_teardown(test, scene_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_deferred_ipv4),
		TEST(test_deferred_ipv6),
		TEST(test_deferred_mapped),
		TEST(test_deferred_bears_peer),
		TEST(test_deferred_connection_for_each_request),
		TEST(test_deferred_side_by_side),
		TEST(test_deferred_cut_anywhere),
		TEST(test_deferred_pipelining),
		TEST(test_deferred_pipelining_is_lost),
		TEST(test_deferred_and_aborted),
		TEST(test_deferred_with_the_clients_end),
		TEST(test_deferred_is_opaque),
		TEST(test_lost_acknowledgement_ipv4),
		TEST(test_lost_acknowledgement_ipv6),
	};

	return fixture_run(tests, scenes_setup, scenes_teardown);
}
