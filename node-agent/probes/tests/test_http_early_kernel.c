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

/* --- with the SYN --- */

#define FAST_OPEN_ALWAYS "519" /* at both ends, also without a cookie */

static void allow_fast_open(enum end end)
{
	network_enter(&wire, end);
	network_run("sysctl -qw net.ipv4.tcp_fastopen=%s", FAST_OPEN_ALWAYS);
	network_leave(&wire);
}

/* Connects with a SYN that brings `words`. */
static void open_fast(const char *words)
{
	struct sockaddr_storage address;
	socklen_t size = address_of(&scene.talk, SERVER, &address);
	int client = socket_at(&scene.talk, CLIENT, address.ss_family);

	scene.talk.ends[CLIENT] = client;
	assert_int_equal(sendto(client, words, strlen(words), MSG_FASTOPEN | MSG_NOSIGNAL,
				(struct sockaddr *)&address, size),
			 strlen(words));
	conversation_accept(&scene.talk);
	hear_bytes(SERVER, strlen(words));
	scene_hurry(CLIENT);
	scene_hurry(SERVER);
}

static void check_fast_open(void **state, enum ip ip, bool server_takes_it)
{
	const int waiting = 16;
	struct truth truth;

	allow_fast_open(CLIENT);
	allow_fast_open(SERVER);
	scene_listen(state, &wire, ip);
	if (server_takes_it)
		assert_return_code(setsockopt(scene.talk.listener, IPPROTO_TCP, TCP_FASTOPEN,
					      &waiting, sizeof(waiting)),
				   errno);
	scene_watch(CLIENT);
	scene_watch(SERVER);
	open_fast(GET GET);
	truth = truth_of(scene.talk.ends[CLIENT]);
	assert_int_equal(!!(truth.info.tcpi_options & TCPI_OPT_SYN_DATA), server_takes_it);
	say(SERVER, OK);
	say(SERVER, NONE);
	exchange(HEAD, NONE);
	assert_exchanged("", 3);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_exchanged(KIND("GET", "404"), 1);
	assert_exchanged(KIND("HEAD", "404"), 1);
	assert_told(SERVER, CONNECTIONS, "", 1);
	assert_told(CLIENT, CONNECTIONS, "", 1);
	assert_told(CLIENT, REQUEST_BYTES, "", 2 * strlen(GET) + strlen(HEAD));
	assert_nothing_odd();
}

static void test_fast_open_ipv4(void **state)
{
	check_fast_open(state, IPV4, true);
}

static void test_fast_open_ipv6(void **state)
{
	check_fast_open(state, IPV6, true);
}

/* The client sends it again. */
static void test_fast_open_refused(void **state)
{
	check_fast_open(state, IPV4, false);
}

/* --- what is nobody's --- */

struct tcp_packet {
	struct tcphdr header;
	char data[sizeof(GET) - 1];
};

static uint16_t checksum(const void *pseudo, size_t pseudo_size, const void *data, size_t size)
{
	const uint8_t *parts[] = {pseudo, data};
	const size_t sizes[] = {pseudo_size, size};
	uint32_t sum = 0;

	for (size_t part = 0; part < 2; part++)
		for (size_t i = 0; i < sizes[part]; i++)
			sum += i % 2 ? parts[part][i] : (uint32_t)parts[part][i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* A request out of the blue, to the port of the server, over loopback. */
static void send_unasked(uint32_t sequence)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct tcp_packet packet = {.header = {.source = htons(40000),
					       .dest = htons(scene.talk.port),
					       .seq = htonl(sequence),
					       .ack_seq = htonl(1),
					       .doff = sizeof(packet.header) / 4,
					       .ack = 1,
					       .psh = 1,
					       .window = htons(1024)}};
	const struct {
		uint32_t from, to;
		uint8_t zero, protocol;
		uint16_t size;
	} pseudo = {htonl(INADDR_LOOPBACK), htonl(INADDR_LOOPBACK), 0, IPPROTO_TCP,
		    htons(sizeof(packet))};
	int raw;

	memcpy(packet.data, GET, sizeof(packet.data));
	packet.header.check = checksum(&pseudo, sizeof(pseudo), &packet, sizeof(packet));
	network_enter(&loopback, CLIENT);
	raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	network_leave(&loopback);
	assert_return_code(raw, errno);
	assert_int_equal(
		sendto(raw, &packet, sizeof(packet), 0, (struct sockaddr *)&address,
		       sizeof(address)),
		sizeof(packet));
	close(raw);
}

/* Requests that no connection comes of count nothing, and are not taken for those of others. */
static void test_packets_out_of_the_blue(void **state)
{
	scene_listen(state, &loopback, IPV4);
	scene_watch(CLIENT);
	scene_watch(SERVER);
	for (uint32_t i = 0; i < 1000; i++)
		send_unasked(i * 0x10001);
	scene_connect();
	say(CLIENT, "PUT / HTTP/1.1\r\n\r\n");
	say(SERVER, OK OK);
	disconnect();
	assert_exchanged("", 1);
	assert_exchanged(KIND("PUT", "200"), 1);
	assert_told(SERVER, CONNECTIONS, "", 1);
	assert_nothing_odd();
}

/* A handshake that packets of others come between. */
static void test_packets_between_handshake_and_request(void **state)
{
	scene_defer(state, &loopback, IPV4);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(conversation_try(&scene.talk), 0);
		send_unasked(1);
		assert_int_equal(send(scene.talk.ends[CLIENT], HEAD, strlen(HEAD), 0),
				 strlen(HEAD));
		conversation_accept(&scene.talk);
		send_unasked(2);
		hear_bytes(SERVER, strlen(HEAD));
		say(SERVER, OK);
		disconnect();
	}
	assert_exchanged(KIND("HEAD", "200"), 20);
	assert_exchanged("", 20);
	assert_nothing_odd();
}

/* Another port than those that are asked for. */
static void test_other_ports(void **state)
{
	scene_defer(state, &loopback, IPV4);
	scene_unwatch(SERVER);
	asked_of[SERVER].http.port_count = 1;
	asked_of[SERVER].http.ports[0] = (uint16_t)(scene.talk.port ^ 1);
	scene_watch(SERVER);
	connect_with(GET);
	say(SERVER, OK);
	assert_told(CLIENT, ASKED, "", 1);
	assert_told(SERVER, SERVED, "", 0);
	assert_told(SERVER, CONNECTIONS, "", 0);
	disconnect();
	scene_unwatch(SERVER);
	asked_of[SERVER].http.ports[0] = scene.talk.port;
	scene_watch(SERVER);
	connect_with(GET);
	say(SERVER, OK);
	assert_told(SERVER, SERVED, "", 1);
}

/* --- two that see it --- */

/* The server's cgroup, and the one above: the newer attachment counts. */
static void check_two_attachments(void **state, bool outer_is_newer)
{
	struct fixture *fixture = *state;
	const char *outer = fixture->cgroups[0];
	struct probe_attachment *other;

	scene_listen(state, &loopback, IPV4);
	scene_end(state);
	if (!outer_is_newer)
		other = fixture_attach(fixture, outer, &asked_of[SERVER]);
	scene_defer(state, &loopback, IPV4);
	if (outer_is_newer)
		other = fixture_attach(fixture, outer, &asked_of[SERVER]);
	connect_with(GET);
	say(SERVER, OK);
	disconnect();
	if (outer_is_newer)
		assert_int_equal(fixture_sum(fixture, other, SERVED), 1);
	assert_told(SERVER, SERVED, "", outer_is_newer ? 0 : 1);
	fixture_detach(fixture, other);
}

static void test_outer_attachment_is_newer(void **state)
{
	check_two_attachments(state, true);
}

static void test_inner_attachment_is_newer(void **state)
{
	check_two_attachments(state, false);
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
		TEST(test_fast_open_ipv4),
		TEST(test_fast_open_ipv6),
		TEST(test_fast_open_refused),
		TEST(test_packets_out_of_the_blue),
		TEST(test_packets_between_handshake_and_request),
		TEST(test_other_ports),
		TEST(test_outer_attachment_is_newer),
		TEST(test_inner_attachment_is_newer),
	};

	return fixture_run(tests, scenes_setup, scenes_teardown);
}
