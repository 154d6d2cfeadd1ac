// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The HTTP probe on the running kernel: conversations word by word over real sockets, both ends
 * watched, on paths that lose and reorder packets. Each exchange is counted once at each end.
 */

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "node-agent/probes/tests/kernel_fixture.h"

#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/http_scene.c"
#include "node-agent/probes/tests/packet_relay.c"
#include "node-agent/probes/tests/program_maps.c"

#include "node-agent/probes/tests/http_shapes.c"

static struct network slow; /* holds packets */
static struct relay relay;

static int setup(void **state)
{
	int result = scenes_setup(state);

	if (result)
		return result;
	relay_make(&relay, &slow);
	return 0;
}

static int teardown(void **state)
{
	relay_free(&relay);
	network_free(&slow);
	return scenes_teardown(state);
}

/* --- what is said --- */

/* Sends a body of `size` bytes, full of what looks like HTTP; a child reads at the other end. */
static void say_body(enum end from, size_t size)
{
	static char body[1 << 20];
	static const char words[] = "HTTP/1.1 500 No\r\n\r\nGET / HTTP/1.1\r\n\r\n0\r\n\r\n";
	pid_t reader;
	int status;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = words[i % (sizeof(words) - 1)];
	reader = fork();
	if (reader == 0) {
		hear_bytes(other(from), size);
		_exit(0);
	}
	for (size_t sent = 0; sent < size;) {
		size_t more = size - sent < sizeof(body) ? size - sent : sizeof(body);
		ssize_t done = send(scene.talk.ends[from], body, more, MSG_NOSIGNAL);

		assert_true(done > 0);
		sent += (size_t)done;
	}
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
}

/* --- the tests --- */

static void check_keep_alive(void **state, enum ip ip)
{
	scene_begin(state, &loopback, ip);
	exchange(GET, OK);
	exchange(GET, OK);
	exchange("HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n");
	exchange("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
		 "HTTP/1.1 201 Created\r\ncontent-length:0\r\n\r\n");
	exchange("DELETE /a HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n");
	exchange(GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n");
	exchange("PUT /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		 "HTTP/1.1 500 Oh\r\nContent-Length: 1\r\n\r\n!");
	exchange("PROPFIND /a HTTP/1.1\r\n\r\n", "HTTP/1.1 207 M\r\nContent-Length: 0\r\n\r\n");
	exchange("OPTIONS * HTTP/1.1\r\n\r\n", OK);
	exchange("PATCH / HTTP/1.0\r\n\r\n", "HTTP/1.0 404\r\nContent-Length: 0\r\n\r\n");
	assert_exchanged("", 10);
	assert_exchanged(KIND("GET", "200"), 2);
	assert_exchanged(KIND("HEAD", "200"), 1);
	assert_exchanged(KIND("POST", "201"), 1);
	assert_exchanged(KIND("DELETE", "204"), 1);
	assert_exchanged(KIND("GET", "304"), 1);
	assert_exchanged(KIND("PUT", "500") ",error_type=\"500\"", 1);
	assert_exchanged(KIND("_OTHER", "207"), 1);
	assert_exchanged(KIND("OPTIONS", "200") ",error_type=\"\"", 1);
	assert_told(CLIENT, ASKED, KIND("PATCH", "404") ",error_type=\"404\"", 1);
	assert_told(SERVER, SERVED, KIND("PATCH", "404") ",error_type=\"\"", 1);
	assert_told(CLIENT, CONNECTIONS, "", 1);
	assert_told(SERVER, CONNECTIONS, "", 1);
	assert_nothing_odd();
}

static void test_keep_alive_ipv4(void **state)
{
	check_keep_alive(state, IPV4);
}

static void test_keep_alive_ipv6(void **state)
{
	check_keep_alive(state, IPV6);
}

static void test_keep_alive_mapped(void **state)
{
	check_keep_alive(state, IPV4_TO_DUAL_STACK);
}

static void test_edge_bears_peer_and_port(void **state)
{
	char labels[128];

	scene_begin(state, &wire, IPV4);
	exchange(GET, OK);
	snprintf(
		labels, sizeof(labels),
		"role=\"client\",peer_name=\"00000000000000000000ffff0a630002\",server_port=\"%u\"",
		scene.talk.port);
	assert_told(CLIENT, ASKED, labels, 1);
	snprintf(
		labels, sizeof(labels),
		"role=\"server\",peer_name=\"00000000000000000000ffff0a630001\",server_port=\"%u\"",
		scene.talk.port);
	assert_told(SERVER, SERVED, labels, 1);
}

/* Heads that look like those before, and are not: what differs is told all the same. */
static void test_heads_like_ones_before(void **state)
{
	static const char *const like[] = {
		"HTTP/1.1 200 OK\r\nServer: some one\r\nX-Name: 2\r\nContent-Length: 4\r\n\r\nbody",
		"HTTP/1.1 200 OK\r\nServer: some two\r\nX-Name: 2\r\nContent-Length: 4\r\n\r\nBODY",
		"HTTP/1.1 200 OK\r\nServer: some one\r\nX-Name: 2\r\nContent-Length: 12\r\n\r\n"
		"twelve bytes",
		"HTTP/1.1 200 OK\r\nServer: some one\r\nX-Name: 2\r\nContent-Length: 0\r\n\r\n",
	};
	static const char *const others[] = {
		"HTTP/1.1 500 No\r\nServer: some one\r\nX-Name: 2\r\nContent-Length: 4\r\n\r\nbody",
		"HTTP/1.1 500 No\r\nContent-Length: 51\r\n\r\n"
		"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n..",
	};
	const int rounds = 20;

	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < rounds; i++) {
		for (size_t j = 0; j < sizeof(like) / sizeof(like[0]); j++)
			exchange("GET /some/path HTTP/1.1\r\nHost: shop\r\n\r\n", like[j]);
		exchange("GET /other HTTP/1.1\r\nHost: shop\r\n\r\n", others[0]);
		exchange("PUT /some HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nPUT",
			 others[1]);
	}
	assert_exchanged("", 6 * rounds);
	assert_exchanged(KIND("GET", "200"), 4 * rounds);
	assert_exchanged(KIND("GET", "500"), rounds);
	assert_exchanged(KIND("PUT", "500"), rounds);
	assert_nothing_odd();
}

/* Attaches to the server anew, as to a pod of another namespace; what it says then counts. */
static void serve_in(const char *namespace)
{
	scene_unwatch(SERVER);
	scene.talk.fixture->pod.namespace = (char *)namespace;
	scene_watch(SERVER);
	for (int i = 0; i < 4; i++)
		exchange(GET, OK);
	assert_told(SERVER, SERVED, "", 4);
}

/* A shape that lies, as a sender may bring about: all of its namespace believe it, nobody else. */
static void test_shapes_of_another_namespace(void **state)
{
	scene_begin(state, &loopback, IPV4);
	shapes_forget(scene.talk.cgroups[SERVER]);
	for (int i = 0; i < 4; i++)
		exchange(GET, OK);
	assert_exchanged(KIND("GET", "200"), 4);
	shapes_spoil(scene.talk.cgroups[SERVER], "HTTP/1.1 200 OK", 500);
	serve_in("other");
	assert_told(SERVER, SERVED, KIND("GET", "500"), 0);
	assert_true(told(CLIENT, ASKED, KIND("GET", "500")) > 0);
	serve_in("test");
	assert_true(told(SERVER, SERVED, KIND("GET", "500")) > 0);
	shapes_forget(scene.talk.cgroups[SERVER]);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
/* The data of the second chunk looks like an end and like another response. */
#define CHUNKS                                                                                     \
	"5\r\nhello\r\n"                                                                           \
	"1A;name=\"value that is longer than what is kept of a line\"\r\n"                         \
	"\r\n0\r\n\r\nHTTP/1.1 500 No\r\n\r\n\r\n"                                                 \
	"0\r\n\r\n"
#define TRAILED                                                                                    \
	"5\r\nhello\r\n"                                                                           \
	"0;last\r\nX-Sum: 1\r\nX-More: a value that is longer than what is kept of a line\r\n\r\n"

static void check_chunks(const char *chunks, size_t piece)
{
	say(CLIENT, GET);
	say(SERVER, CHUNKED);
	say_pieces(SERVER, chunks, piece);
	exchange("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "");
	say_pieces(CLIENT, chunks, piece);
	say(SERVER, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
}

static void test_chunked_cut_anywhere(void **state)
{
	int rounds = 0;

	scene_begin(state, &loopback, IPV4);
	for (size_t piece = 1; piece < sizeof(CHUNKS) + 1; piece++, rounds++)
		check_chunks(CHUNKS, piece);
	for (size_t piece = 1; piece < sizeof(TRAILED) + 1; piece++, rounds++)
		check_chunks(TRAILED, piece);
	assert_exchanged("", 2 * rounds);
	assert_exchanged(KIND("GET", "200"), rounds);
	assert_exchanged(KIND("POST", "201"), rounds);
	assert_nothing_odd();
}

/* More chunks in one packet than are told apart: the end of a packet ends them. */
static void test_many_tiny_chunks(void **state)
{
	char chunks[6 * 2000 + 6];

	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < 2000; i++)
		memcpy(chunks + 6 * i, "1\r\nx\r\n", 6);
	strcpy(chunks + 6 * 2000, "0\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		exchange(GET, CHUNKED);
		say(SERVER, chunks);
	}
	assert_exchanged(KIND("GET", "200"), 10);
	assert_nothing_odd();
}

static void test_heads_cut_anywhere(void **state)
{
	static const char request[] = "POST /a/path/that/is/longer/than/what/is/kept/of/a/line "
				      "HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
	static const char response[] = "HTTP/1.1 404 Not Found\r\nServer: some\r\n"
				       "Content-Length: 4\r\n\r\nbody";
	int rounds = 0;

	scene_begin(state, &loopback, IPV4);
	for (size_t piece = 1; piece < sizeof(request); piece++, rounds++) {
		say_pieces(CLIENT, request, piece);
		say_pieces(SERVER, response, piece);
	}
	assert_exchanged("", rounds);
	assert_exchanged(KIND("POST", "404"), rounds);
	assert_told(SERVER, REQUEST_BYTES, "", (double)rounds * (sizeof(request) - 1));
	assert_told(CLIENT, RESPONSE_BYTES, "", (double)rounds * (sizeof(response) - 1));
	assert_nothing_odd();
}

static void test_head_larger_than_a_window(void **state)
{
	char request[8192] = "GET / HTTP/1.1\r\nCookie: ";

	memset(request + strlen(request), 'c', 7000);
	strcat(request, "\r\nContent-Length: 5\r\n\r\nHTTP/");
	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < 5; i++)
		exchange(request, OK);
	assert_exchanged(KIND("GET", "200"), 5);
	assert_told(CLIENT, REQUEST_BYTES, "", 5 * strlen(request));
	assert_nothing_odd();
}

static void test_response_ends_with_the_connection(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange(GET, "HTTP/1.0 200 OK\r\n\r\nso much");
	say(SERVER, " and more");
	assert_exchanged("", 0);
	scene_disconnect(SERVER);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_nothing_odd();
}

static void test_interim_responses(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
		 "HTTP/1.1 100 Continue\r\n\r\n");
	exchange("abc", OK);
	exchange(GET, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	say(SERVER, "HTTP/1.1 102 Processing\r\n\r\n" OK);
	assert_exchanged("", 2);
	assert_exchanged(KIND("PUT", "200"), 1);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_nothing_odd();
}

static void test_pipelining(void **state)
{
	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < 3; i++) {
		say(CLIENT, GET GET "HEAD / HTTP/1.1\r\n\r\n" GET);
		say(SERVER, OK "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"
			       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
		say(CLIENT, GET);
		say(SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
		say(CLIENT, GET);
		say(SERVER, "0\r\n\r\n" OK OK);
	}
	assert_exchanged("", 18);
	assert_exchanged(KIND("GET", "200"), 12);
	assert_exchanged(KIND("GET", "404"), 3);
	assert_exchanged(KIND("HEAD", "200"), 3);
	assert_nothing_odd();
}

/* More than have room is not counted wrongly, but as lost. */
static void test_deep_pipelining_is_lost(void **state)
{
	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < 40; i++)
		say(CLIENT, GET);
	for (int i = 0; i < 40; i++)
		say(SERVER, OK);
	assert_true(told(CLIENT, LOST, "") > 0);
	assert_true(told(SERVER, LOST, "") > 0);
	assert_told(SERVER, SERVED, "", told(SERVER, SERVED, KIND("GET", "200")));
	exchange("PUT / HTTP/1.1\r\n\r\n", OK);
	assert_exchanged(KIND("PUT", "200"), 1);
}

static void test_answer_before_the_request_is_complete(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
		 "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	say(CLIENT, "defghij");
	exchange(GET, OK);
	assert_exchanged("", 2);
	assert_exchanged(KIND("POST", "413"), 1);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_nothing_odd();
}

static void test_upgrade_is_let_go(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	for (int i = 0; i < 300; i++)
		exchange(GET, OK); /* frames may hold anything */
	assert_exchanged("", 1);
	assert_exchanged(KIND("GET", "101"), 1);
	assert_nothing_odd();
}

static void test_connect_refused_and_taken(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange("CONNECT a:443 HTTP/1.1\r\n\r\n",
		 "HTTP/1.1 407 Authenticate\r\nContent-Length: 2\r\n\r\nno");
	exchange(GET, OK);
	exchange("CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Go\r\n\r\n");
	exchange(GET, OK);
	assert_exchanged("", 3);
	assert_exchanged(KIND("CONNECT", "407"), 1);
	assert_exchanged(KIND("CONNECT", "200"), 1);
	assert_nothing_odd();
}

#define BODY	  (1 << 20)
#define BODY_HEAD "Content-Length: 1048576\r\n\r\n"

static void exchange_bodies(void)
{
	say(CLIENT, "POST / HTTP/1.1\r\n" BODY_HEAD);
	say_body(CLIENT, BODY);
	say(SERVER, "HTTP/1.1 201 Created\r\n" BODY_HEAD);
	say_body(SERVER, BODY);
	exchange(GET, OK);
}

static void check_bodies(int rounds)
{
	assert_exchanged("", 2 * rounds);
	assert_exchanged(KIND("POST", "201"), rounds);
	assert_exchanged(KIND("GET", "200"), rounds);
	assert_nothing_odd();
}

static void test_large_bodies(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange_bodies();
	exchange_bodies();
	check_bodies(2);
	assert_told(SERVER, REQUEST_BYTES, KIND("POST", "201"),
		    2 * (BODY + strlen("POST / HTTP/1.1\r\n" BODY_HEAD)));
	assert_told(CLIENT, RESPONSE_BYTES, KIND("POST", "201"),
		    2 * (BODY + strlen("HTTP/1.1 201 Created\r\n" BODY_HEAD)));
}

static void test_lost_packets_sent_again(void **state)
{
	scene_begin(state, &wire, IPV6);
	wire.drops[CLIENT]->bss->drop_every = wire.drops[SERVER]->bss->drop_every = 25;
	exchange_bodies();
	wire.drops[CLIENT]->bss->drop_every = wire.drops[SERVER]->bss->drop_every = 3;
	for (int i = 0; i < 30; i++)
		exchange(GET, OK);
	assert_exchanged("", 32);
	assert_exchanged(KIND("POST", "201"), 1);
	assert_exchanged(KIND("GET", "200"), 31);
	assert_nothing_odd();
}

/* The client's packets overtake each other, and some come twice. */
static void test_reordered_packets(void **state)
{
	static char body[20001];
	char head[64];

	memset(body, 'x', sizeof(body) - 1);
	relay.settings->hold_every = 3;
	relay.settings->hold_us = 3000;
	relay.settings->duplicate_every = 5;
	scene_begin(state, &slow, IPV4);
	for (int i = 1; i <= 20; i++) {
		snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n",
			 i * 1000);
		assert_return_code(send(scene.talk.ends[CLIENT], head, strlen(head), 0), errno);
		assert_return_code(send(scene.talk.ends[CLIENT], body, (size_t)i * 1000, 0), errno);
		hear_bytes(SERVER, strlen(head) + (size_t)i * 1000);
		say(SERVER, OK);
	}
	assert_true(relay.settings->held > 10);
	relay.settings->hold_every = relay.settings->duplicate_every = 0;
	assert_exchanged(KIND("POST", "200"), 20);
	assert_nothing_odd();
}

static void test_connection_older_than_the_attachment(void **state)
{
	scene_listen(state, &loopback, IPV4);
	scene_connect();
	exchange(GET, OK);
	say(CLIENT, GET);
	say(SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n");
	scene_watch(CLIENT);
	scene_watch(SERVER);
	for (int i = 0; i < 50; i++)
		say(SERVER, "8 bytes.");
	exchange(GET, OK);
	exchange("PUT / HTTP/1.1\r\n\r\n", OK);
	assert_exchanged("", 2);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_exchanged(KIND("PUT", "200"), 1);
	assert_told(SERVER, OPAQUE, "", 0);
}

/* A response that nobody was seen to ask for says nothing of the request behind it. */
static void test_answer_to_an_older_request(void **state)
{
	scene_listen(state, &loopback, IPV4);
	scene_connect();
	exchange(GET, OK);
	say(CLIENT, GET);
	scene_watch(CLIENT);
	scene_watch(SERVER);
	say(SERVER, OK);
	say(CLIENT, GET);
	scene_disconnect(SERVER);
	assert_exchanged(KIND("GET", "200"), 0);
	assert_exchanged(KIND("GET", ""), 1);
}

static void test_attached_again(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange(GET, OK);
	say(CLIENT, GET);
	scene_unwatch(SERVER);
	say(SERVER, OK);
	exchange(GET, OK);
	scene_watch(SERVER);
	exchange("PUT / HTTP/1.1\r\n\r\n", OK);
	assert_told(SERVER, SERVED, "", 1);
	assert_told(SERVER, SERVED, KIND("PUT", "200"), 1);
	assert_told(CLIENT, ASKED, "", 4);
}

#define MOVES 10

/* A child keeps asking and answering on the connection; it writes down how often. */
static pid_t keep_exchanging(volatile uint32_t *done)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;; ++*done)
		exchange(GET, OK);
}

/* What was counted, whoever is the target. */
static uint32_t told_by_all(const char *name)
{
	struct text text = show_all();
	char start[128];
	double sum = 0;

	snprintf(start, sizeof(start), "\n%s{", name);
	for (const char *found = text.data; found && (found = strstr(found, start)); found++)
		sum += strtod(strstr(found, "} ") + 2, NULL);
	text_free(&text);
	return (uint32_t)sum;
}

/*
 * A policy names its containers no more, and then again: for a moment the connection is of two
 * targets. At most the exchange that is under way goes uncounted, and none is counted twice.
 */
static void test_target_moves_under_load(void **state)
{
	volatile uint32_t *done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct fixture *fixture = *state;
	struct probe_attachment *pod;
	uint32_t served;
	pid_t child;

	assert_ptr_not_equal(done, MAP_FAILED);
	scene_listen(state, &loopback, IPV4);
	scene_watch(SERVER);
	scene_connect();
	child = keep_exchanging(done);
	assert_true(child > 0);
	while (*done < MOVES) /* it is under way */
		usleep(1000);
	for (int i = 0; i < MOVES; i++) {
		pod = fixture_attach(fixture, fixture->cgroups[0], &asked_of[SERVER]);
		scene_unwatch(SERVER);
		scene_watch(SERVER);
		fixture_detach(fixture, pod);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	served = told_by_all(SERVED);
	assert_true(served + 2 * MOVES >= *done);
	assert_true(served <= *done + 1); /* it may have ended before it wrote the last one down */
	munmap((void *)done, sizeof(*done));
}

static void connect_anew(void)
{
	scene_disconnect(CLIENT);
	scene_disconnect(SERVER);
	scene_connect();
}

/* The programs of both see each packet: whatever happens is counted once at either end. */
static void test_target_within_another(void **state)
{
	struct fixture *fixture = *state;
	struct probe_attachment *pod;

	scene_begin(state, &loopback, IPV4);
	pod = fixture_attach(fixture, fixture->cgroups[0], &asked_of[SERVER]);
	exchange(GET, OK);
	say(CLIENT, GET);
	scene_disconnect(SERVER);
	connect_anew();
	say(CLIENT, GET);
	connect_anew();
	say(CLIENT, "NO HTTP\r\n");
	fixture_detach(fixture, pod);
	assert_int_equal(told_by_all(BY_SERVER), 2);
	assert_int_equal(told_by_all(BY_CLIENT), 2);
	assert_int_equal(told_by_all(OPAQUE), 2);
	assert_int_equal(told_by_all(CONNECTIONS), 2 * 2);
	assert_int_equal(told_by_all(LOST), 0);
	assert_int_equal(told_by_all(SERVED), 3);
	assert_int_equal(told_by_all(ASKED), 3);
}

#define REST_US 1200000 /* longer than counters rest that are given back */

/* Counters that a target's kinds had are another's later, and begin at zero. */
static void test_counters_are_used_again(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange(GET, OK);
	exchange(GET, OK);
	assert_exchanged(KIND("GET", "200"), 2);
	scene_unwatch(CLIENT);
	scene_unwatch(SERVER);
	usleep(REST_US);
	scene_watch(SERVER);
	assert_told(SERVER, SERVED, "", 0);
	scene_watch(CLIENT);
	exchange(GET, OK);
	exchange("HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n");
	assert_exchanged(KIND("GET", "200"), 1);
	assert_exchanged(KIND("HEAD", "404"), 1);
	assert_exchanged("", 2);
}

/* --- ends --- */

static void test_client_closes_before_the_answer(void **state)
{
	scene_begin(state, &loopback, IPV4);
	say(CLIENT, GET);
	scene_disconnect(CLIENT);
	assert_told(CLIENT, BY_CLIENT, KIND("GET", "") ",error_type=\"no_response\"", 1);
	scene_disconnect(SERVER);
	assert_told(SERVER, BY_CLIENT, KIND("GET", ""), 1);
	assert_exchanged(KIND("GET", ""), 1);
	assert_told(SERVER, BY_SERVER, "", 0);
	assert_told(CLIENT, BY_SERVER, "", 0);
}

static void test_client_resets_within_the_answer(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange(GET, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nso far");
	abort_end(&scene.talk, CLIENT);
	for (enum end end = CLIENT; end <= SERVER; end++)
		assert_told(end, BY_CLIENT, KIND("GET", "200"), 1);
	assert_exchanged("", 1);
}

static void test_server_closes_without_an_answer(void **state)
{
	scene_begin(state, &loopback, IPV4);
	say(CLIENT, GET GET);
	scene_disconnect(SERVER);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		assert_told(end, BY_SERVER, KIND("GET", ""), 2);
		assert_told(end, BY_CLIENT, "", 0);
	}
	assert_exchanged("", 2);
}

static void test_server_closes_within_a_body(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange(GET, CHUNKED "5\r\nhel");
	scene_disconnect(SERVER);
	for (enum end end = CLIENT; end <= SERVER; end++)
		assert_told(end, BY_SERVER, KIND("GET", "200"), 1);
	assert_exchanged("", 1);
}

static void test_client_that_only_sends_no_more(void **state)
{
	scene_begin(state, &loopback, IPV4);
	say(CLIENT, GET);
	shutdown(scene.talk.ends[CLIENT], SHUT_WR);
	say(SERVER, OK);
	scene_disconnect(SERVER);
	assert_exchanged(KIND("GET", "200"), 1);
	assert_nothing_odd();
}

#define REST                                                                                       \
	"........................................................................................" \
	"................................"
#define REST_SIZE "120"

/*
 * The server sends `late`, then `last`, and closes; what is late comes behind its FIN, which bears
 * `last`.
 */
static void close_before_the_rest(const char *late, const char *last)
{
	relay.settings->hold_us = 30000;
	relay.settings->hold_answers = 1;
	assert_return_code(send(scene.talk.ends[SERVER], late, strlen(late), 0), errno);
	for (int i = 0; relay.settings->hold_answers && i < 10000; i++)
		usleep(1000);
	if (*last)
		assert_return_code(send(scene.talk.ends[SERVER], last, strlen(last), MSG_MORE),
				   errno);
	scene_disconnect(SERVER);
	hear_bytes(CLIENT, strlen(late) + strlen(last));
}

static void check_fin_overtakes(void **state, const char *begin, const char *late, const char *last)
{
	scene_begin(state, &slow, IPV4);
	exchange(GET, OK);
	exchange(GET, begin);
	close_before_the_rest(late, last);
	assert_exchanged(KIND("GET", "200"), 2);
	assert_told(CLIENT, RESPONSE_BYTES, "",
		    strlen(OK) + strlen(begin) + strlen(late) + strlen(last));
	assert_nothing_odd();
	scene_end(state);
}

static void test_fin_that_overtakes_the_end(void **state)
{
	check_fin_overtakes(state, "HTTP/1.1 200 OK\r\nContent-Length: " REST_SIZE "\r\n\r\n", REST,
			    "");
	check_fin_overtakes(state, "HTTP/1.1 200 OK\r\nContent-Length: 240\r\n\r\n", REST, REST);
	check_fin_overtakes(state, CHUNKED "78\r\n", REST "\r\n0\r\n\r\n", "");
	check_fin_overtakes(state, "HTTP/1.0 200 OK\r\n\r\n", REST, "");
	scene_begin(state, &slow, IPV4);
}

/* Nor is it known what the bytes are that come with the FIN, when the head is late. */
static void test_fin_that_overtakes_the_head(void **state)
{
	check_fin_overtakes(state, "", "HTTP/1.1 200 OK\r\nContent-Length: 240\r\n\r\n" REST, REST);
	check_fin_overtakes(state, "", "HTTP/1.0 200 OK\r\n\r\n" REST, REST);
	check_fin_overtakes(state, "", CHUNKED "78\r\n" REST "\r\n", "0\r\n\r\n");
	scene_begin(state, &slow, IPV4);
}

/*
 * What comes with the FIN is a head, or a part of one. Where it is not sent again, nobody knows how
 * the server has answered, and that is no abort.
 */
static void check_fin_overtakes_with_a_head(void **state, const char *requests, const char *late,
					    const char *last)
{
	scene_begin(state, &slow, IPV4);
	exchange(requests, "");
	close_before_the_rest(late, last);
	assert_told(CLIENT, BY_SERVER, "", 0);
	assert_told(CLIENT, ASKED, KIND("GET", ""), 0);
	scene_end(state);
}

static void test_fin_that_overtakes_with_a_head(void **state)
{
	check_fin_overtakes_with_a_head(state, GET, "HTTP/1.1 200 OK\r\nX-Rest: " REST,
					"\r\nContent-Length: 4\r\n\r\nbody");
	check_fin_overtakes_with_a_head(
		state, GET GET, "HTTP/1.1 200 OK\r\nContent-Length: " REST_SIZE "\r\n\r\n" REST,
		"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
	scene_begin(state, &slow, IPV4);
}

/* A response that a FIN cuts short is cut short, also when the FIN comes first. */
static void test_fin_that_overtakes_part_of_a_body(void **state)
{
	scene_begin(state, &slow, IPV4);
	exchange(GET, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n");
	close_before_the_rest(REST, "");
	for (enum end end = CLIENT; end <= SERVER; end++)
		assert_told(end, BY_SERVER, KIND("GET", "200"), 1);
	assert_exchanged("", 1);
}

/* --- what is no HTTP/1 --- */

static void check_opaque(void **state, enum end first, const void *bytes, size_t size)
{
	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < 3; i++) {
		say_bytes(first, bytes, size);
		say_bytes(other(first), bytes, size);
	}
	exchange(GET, OK);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		assert_told(end, OPAQUE, "", 1);
		assert_told(end, CONNECTIONS, "", 0);
		assert_told(end, LOST, "", 0);
	}
	assert_exchanged("", 0);
}

static void test_tls_is_opaque(void **state)
{
	char hello[517] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};

	check_opaque(state, CLIENT, hello, sizeof(hello));
}

static void test_http2_is_opaque(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\4";

	check_opaque(state, CLIENT, preface, sizeof(preface));
}

static void test_server_that_speaks_first_is_opaque(void **state)
{
	static const char greeting[] = "220 mail ESMTP\r\n";

	check_opaque(state, SERVER, greeting, sizeof(greeting) - 1);
}

static void test_malformed_is_no_success(void **state)
{
	static const char *const responses[] = {
		"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1\r\n200 OK\r\n\r\n",
		"200 OK\r\n\r\n",
		"\r\n\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
		scene_begin(state, &loopback, IPV4);
		exchange(GET, responses[i]);
		scene_disconnect(SERVER);
		assert_exchanged(KIND("GET", "200"), 0);
		assert_exchanged(KIND("GET", ""), 1);
		scene_end(state);
	}
	scene_begin(state, &loopback, IPV4);
}

/* --- figures --- */

static void test_durations(void **state)
{
	double wait, whole;

	scene_begin(state, &loopback, IPV4);
	say(CLIENT, "POST / HTTP/1.1\r\n");
	usleep(30000);
	say(CLIENT, "Content-Length: 0\r\n\r\n");
	usleep(30000);
	say(SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	usleep(60000);
	say(SERVER, "hello");
	for (enum end end = CLIENT; end <= SERVER; end++) {
		wait = told(end, FIRST_SECONDS, "");
		whole = told(end, end == CLIENT ? ASKED_SECONDS : SERVED_SECONDS, "");
		/* A loaded machine may take longer. */
		assert_true(wait >= 0.060 && wait < 5);
		assert_true(whole >= wait + 0.060 && whole < wait + 5);
	}
}

/* All kinds are one row, so that there is room for it. */
static struct series_row *row_of_all(void *context, struct series_owner *owner,
				     const struct series_layout *layout, const struct edge *edge)
{
	(void)context, (void)edge;
	return series_row(owner, layout, NULL, 0);
}

/* Every kind beyond the bucket is counted, under the others'. */
static void test_more_kinds_than_are_told_apart(void **state)
{
	char response[64];
	double others;

	scene_begin(state, &loopback, IPV4);
	scene.talk.fixture->host.edge_row = row_of_all;
	for (int status = 200; status < 1000; status++) {
		snprintf(response, sizeof(response), "HTTP/1.1 %d A\r\nContent-Length: 1\r\n\r\n.",
			 status == 204 || status == 304 ? 200 : status);
		exchange(GET, response);
	}
	assert_exchanged("", 800);
	others = told(SERVER, SERVED, "role=\"server\",otel_metric_overflow=\"true\"");
	scene.talk.fixture->host.edge_row = fixture_edge_row;
	assert_in_range((long)others, 800 - 2 - HTTP_KIND_BURST - 100, 800 - 2 - HTTP_KIND_BURST);
}

static void test_many_connections(void **state)
{
	scene_listen(state, &loopback, IPV4);
	scene_watch(CLIENT);
	scene_watch(SERVER);
	for (int i = 0; i < 1000; i++) {
		scene_connect();
		exchange(GET, OK);
		scene_disconnect(i % 2 ? CLIENT : SERVER);
		scene_disconnect(i % 2 ? SERVER : CLIENT);
	}
	assert_exchanged(KIND("GET", "200"), 1000);
	assert_told(SERVER, CONNECTIONS, "", 1000);
	assert_told(CLIENT, CONNECTIONS, "", 1000);
	assert_nothing_odd();
}

#define TEST(test) cmocka_unit_test_teardown(test, scene_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_keep_alive_ipv4),
		TEST(test_keep_alive_ipv6),
		TEST(test_keep_alive_mapped),
		TEST(test_edge_bears_peer_and_port),
		TEST(test_heads_like_ones_before),
		TEST(test_shapes_of_another_namespace),
		TEST(test_chunked_cut_anywhere),
		TEST(test_many_tiny_chunks),
		TEST(test_heads_cut_anywhere),
		TEST(test_head_larger_than_a_window),
		TEST(test_response_ends_with_the_connection),
		TEST(test_interim_responses),
		TEST(test_pipelining),
		TEST(test_deep_pipelining_is_lost),
		TEST(test_answer_before_the_request_is_complete),
		TEST(test_upgrade_is_let_go),
		TEST(test_connect_refused_and_taken),
		TEST(test_large_bodies),
		TEST(test_lost_packets_sent_again),
		TEST(test_reordered_packets),
		TEST(test_connection_older_than_the_attachment),
		TEST(test_answer_to_an_older_request),
		TEST(test_attached_again),
		TEST(test_target_moves_under_load),
		TEST(test_target_within_another),
		TEST(test_counters_are_used_again),
		TEST(test_client_closes_before_the_answer),
		TEST(test_client_resets_within_the_answer),
		TEST(test_server_closes_without_an_answer),
		TEST(test_server_closes_within_a_body),
		TEST(test_client_that_only_sends_no_more),
		TEST(test_fin_that_overtakes_the_end),
		TEST(test_fin_that_overtakes_the_head),
		TEST(test_fin_that_overtakes_with_a_head),
		TEST(test_fin_that_overtakes_part_of_a_body),
		TEST(test_tls_is_opaque),
		TEST(test_http2_is_opaque),
		TEST(test_server_that_speaks_first_is_opaque),
		TEST(test_malformed_is_no_success),
		TEST(test_durations),
		TEST(test_more_kinds_than_are_told_apart),
		TEST(test_many_connections),
	};

	return fixture_run(tests, setup, teardown);
}
