// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * HTTP by route on the running kernel: conversations over real sockets, both ends watched. Each
 * exchange is counted once at each end, whatever becomes of its route.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include "lib/base/cleanup.h"
#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/http_scene.c"

#define ROUTE(route) ",http_route=\"" route "\""

/* --- scenes --- */

/* Settings of the HTTP probe, from the JSON of "http". */
static union probe_settings settings_of(const char *http)
{
	cleanup_json cJSON *entry = cJSON_CreateObject();
	union probe_settings settings;
	struct error error;

	cJSON_AddStringToObject(entry, "type", "HTTP");
	cJSON_AddItemToObject(entry, "http", cJSON_Parse(http));
	if (probe_settings_decode(PROBE_HTTP, entry, &settings, &error) < 0)
		fail_msg("%s: %s", http, error.message);
	return settings;
}

/* A connection of which both ends are watched, with these settings. */
static void begin(void **state, const char *http)
{
	union probe_settings settings = settings_of(http);

	asked_of[CLIENT] = asked_of[SERVER] = settings;
	scene_begin(state, &loopback, IPV4);
	memset(asked_of, 0, sizeof(asked_of));
	probe_settings_free(PROBE_HTTP, &settings);
}

/* The same, and the client's first words end the handshake. */
static void begin_deferred(void **state, const char *http, const char *words)
{
	union probe_settings settings = settings_of(http);

	asked_of[CLIENT] = asked_of[SERVER] = settings;
	scene_defer(state, &loopback, IPV4);
	memset(asked_of, 0, sizeof(asked_of));
	probe_settings_free(PROBE_HTTP, &settings);
	scene_connect_saying(words, strlen(words));
}

/*
 * As begin(), and only the server is watched: many routes at both ends are more than a policy has
 * room for.
 */
static void begin_server(void **state, const char *http)
{
	asked_of[SERVER] = settings_of(http);
	scene_listen(state, &loopback, IPV4);
	scene_watch(SERVER);
	probe_settings_free(PROBE_HTTP, &asked_of[SERVER]);
	scene_connect();
}

static void configure(const char *http)
{
	union probe_settings settings = settings_of(http);
	struct fixture *fixture = scene.talk.fixture;
	struct error error;

	for (enum end end = CLIENT; end <= SERVER; end++)
		if (fixture->kind->configure(fixture->probe, scene.attachments[end], &settings,
					     &error) < 0)
			fail_msg("%s", error.message);
	probe_settings_free(PROBE_HTTP, &settings);
}

/* One exchange for a path, sent in packets of `piece` bytes. */
static void ask_in_pieces(const char *path, size_t piece)
{
	char request[4096];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	say_pieces(CLIENT, request, piece);
	say(SERVER, OK);
}

static void ask(const char *path)
{
	ask_in_pieces(path, SIZE_MAX);
}

/* --- templates --- */

#define TEMPLATES                                                                                  \
	"{\"routes\":[\"/\",\"/users/{id}\",\"/users/{id}/orders\",\"/users/me\","                 \
	"\"/files/{path...}\"]}"

static void test_templates(void **state)
{
	begin(state, TEMPLATES);
	ask("/");
	ask("/users/17");
	ask("/users/18?page=2");
	ask("/users/me");
	ask("/users/me/orders/");
	ask("/files/a/b/c");
	ask("http://host/users/19");
	ask("/nobody/asked");
	ask("/files");
	assert_exchanged(ROUTE("/"), 1);
	assert_exchanged(ROUTE("/users/{id}"), 3);
	assert_exchanged(ROUTE("/users/me"), 1);
	assert_exchanged(ROUTE("/users/{id}/orders"), 1);
	assert_exchanged(ROUTE("/files/{path...}"), 1);
	assert_exchanged(ROUTE("_OTHER"), 2);
	assert_exchanged("", 9);
	assert_nothing_odd();
}

static void test_what_has_no_path_is_other(void **state)
{
	begin(state, "{\"byRoute\":true}");
	ask("*");
	ask("host:80");
	assert_exchanged(ROUTE("_OTHER"), 2);
	assert_exchanged("", 2);
}

static void test_without_routes_there_is_no_label(void **state)
{
	begin(state, "{}");
	ask("/users/17");
	assert_exchanged("", 1);
	assert_exchanged("http_route", 0);
}

/* --- packets --- */

static void test_packets_cut_the_line_anywhere(void **state)
{
	int count = 0;

	begin(state, TEMPLATES);
	for (size_t piece = 1; piece < 60; piece++, count++)
		ask_in_pieces("/users/4e05a2e7-2ed3-4fb6-b2f9-312236fd8288/orders", piece);
	assert_exchanged(ROUTE("/users/{id}/orders"), count);
	assert_exchanged("", count);
	assert_nothing_odd();
}

/* Longer than what is looked at in one go, in one packet and in many. */
static void test_long_lines(void **state)
{
	char path[1200] = "/files";

	begin(state, TEMPLATES);
	while (strlen(path) < 900)
		strcat(path, "/another-segment");
	ask(path);
	ask_in_pieces(path, 100);
	assert_exchanged(ROUTE("/files/{path...}"), 2);
	while (strlen(path) < 1100)
		strcat(path, "/another-segment");
	ask(path);
	assert_exchanged(ROUTE("/files/{path...}"), 2);
	assert_exchanged(ROUTE("_OTHER"), 1);
	strcpy(path, "/users/17?");
	memset(path + strlen(path), 'q', 1000);
	path[1010] = '\0';
	ask(path);
	assert_exchanged(ROUTE("/users/{id}"), 1);
	assert_nothing_odd();
}

#define REQUESTS                                                                                   \
	"GET /users/1 HTTP/1.1\r\n\r\nGET /users/me HTTP/1.1\r\n\r\n"                              \
	"POST /users/1/orders HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"                            \
	"GET /users/2 HTTP/1.1\r\n\r\n"

static void check_requests_in_one_packet(void)
{
	say(SERVER, OK OK);
	say(SERVER, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" OK);
	assert_exchanged(ROUTE("/users/{id}"), 2);
	assert_exchanged(ROUTE("/users/me"), 1);
	assert_exchanged(KIND("POST", "500") ",error_type=\"500\"" ROUTE("/users/{id}/orders"), 1);
	assert_exchanged("", 4);
}

static void test_requests_in_one_packet(void **state)
{
	begin(state, TEMPLATES);
	say(CLIENT, REQUESTS);
	check_requests_in_one_packet();
}

static void test_requests_that_end_the_handshake(void **state)
{
	begin_deferred(state, TEMPLATES, REQUESTS);
	check_requests_in_one_packet();
	ask("/files/a");
	assert_exchanged(ROUTE("/files/{path...}"), 1);
}

static void test_part_of_a_path_ends_the_handshake(void **state)
{
	begin_deferred(state, TEMPLATES, "GET /us");
	say(CLIENT, "ers/17 HTTP/1.1\r\n\r\n");
	say(SERVER, OK);
	assert_exchanged(ROUTE("/users/{id}"), 1);
	assert_exchanged("", 1);
}

/* --- routes that are found --- */

static void test_routes_behind_empty_lines_and_of_hosts_alone(void **state)
{
	begin(state, "{\"byRoute\":true}");
	say(CLIENT, "\r\nGET /users/17 HTTP/1.1\r\nHost: a\r\n\r\n");
	say(SERVER, OK);
	ask("http://host");
	assert_exchanged(ROUTE("/users/{number}"), 1);
	assert_exchanged(ROUTE("/"), 1);
	assert_exchanged("", 2);
}

static void test_routes_are_found(void **state)
{
	begin(state, "{\"byRoute\":true}");
	ask("/users/17");
	ask("/users/18?token=secret");
	ask("/users/19/");
	ask("/a/4e05a2e7-2ed3-4fb6-b2f9-312236fd8288");
	ask("/a/0123456789abcdef0");
	ask("/");
	assert_exchanged(ROUTE("/users/{number}"), 3);
	assert_exchanged(ROUTE("/a/{uuid}"), 1);
	assert_exchanged(ROUTE("/a/{hash}"), 1);
	assert_exchanged(ROUTE("/"), 1);
	assert_exchanged("", 6);
	assert_exchanged("secret", 0);
}

static void test_routes_are_found_as_the_handshake_ends(void **state)
{
	begin_deferred(state, "{\"byRoute\":true}", "GET /users/17 HTTP/1.1\r\n\r\n");
	say(SERVER, OK);
	ask("/users/18");
	assert_exchanged(ROUTE("/users/{number}"), 2);
	assert_exchanged("", 2);
}

/* Once it was found, a route is known however it comes. */
static void test_found_routes_are_known_in_pieces(void **state)
{
	int count = 0;

	begin(state, "{\"byRoute\":true}");
	ask("/users/17/orders/with-a-long-name/that-is-cut-by-packets");
	for (size_t piece = 1; piece < 80; piece++, count++)
		ask_in_pieces("/users/18/orders/with-a-long-name/that-is-cut-by-packets", piece);
	assert_exchanged(ROUTE("/users/{number}/orders/with-a-long-name/that-is-cut-by-packets"),
			 count + 1);
	assert_nothing_odd();
}

static void test_templates_go_before_what_is_found(void **state)
{
	begin(state, "{\"byRoute\":true,\"routes\":[\"/users/{id}\"]}");
	ask("/users/17");
	ask("/orders/17");
	assert_exchanged(ROUTE("/users/{id}"), 1);
	assert_exchanged(ROUTE("/orders/{number}"), 1);
	assert_exchanged("", 2);
}

static void test_beyond_the_cap_routes_are_others(void **state)
{
	char path[64];

	begin_server(state, "{\"byRoute\":true}");
	for (int i = 0; i < HTTP_FOUND_BURST + 50; i++) {
		snprintf(path, sizeof(path), "/page-%c%c%c", 'a' + i / 100, 'a' + i / 10 % 10,
			 'a' + i % 10);
		ask(path);
	}
	ask("/page-aaa");
	assert_told(SERVER, SERVED, ROUTE("/page-aaa"), 2);
	assert_told(SERVER, SERVED, ROUTE("/page-ajj"), 1);
	/* A minute may pass meanwhile, and bring room for one more. */
	assert_in_range(told(SERVER, SERVED, ROUTE("_OTHER")), 45, 50);
	assert_told(SERVER, SERVED, "", HTTP_FOUND_BURST + 51);
}

/* Requests whose responses are awaited on one connection at most. */
#define AT_ONCE 16
#define MANY	1000000

/* A million paths make as many rows as a hundred do, and no request is lost. */
static void test_a_million_paths(void **state)
{
	char requests[AT_ONCE * 64], responses[AT_ONCE * sizeof(OK)] = "";
	struct text text;
	int rows = 0;

	begin_server(state, "{\"byRoute\":true}");
	for (int i = 0; i < AT_ONCE; i++)
		strcat(responses, OK);
	for (int i = 0; i < MANY; i += AT_ONCE) {
		size_t size = 0;

		for (int j = i; j < i + AT_ONCE; j++) {
			size += (size_t)sprintf(requests + size,
						"GET /page-x%06dx HTTP/1.1\r\n\r\n", j);
		}
		say_bytes(CLIENT, requests, size);
		say(SERVER, responses);
	}
	assert_told(SERVER, SERVED, "", MANY);
	text = show_all();
	for (const char *at = text.data; (at = strstr(at, SERVED "{")); at++)
		rows++;
	text_free(&text);
	/* Those of the burst, one for each minute that it took, and the others. */
	assert_in_range(rows, HTTP_FOUND_BURST + 1, HTTP_FOUND_BURST + 10);
}

/* --- events --- */

static size_t count_events(const char *route)
{
	const struct fixture *fixture = scene.talk.fixture;
	size_t count = 0;

	for (size_t i = 0; i < fixture->event_count; i++) {
		const char *text = cJSON_GetStringValue(
			cJSON_GetObjectItem(fixture->events[i].event, "http_route"));

		count += strcmp(text ? text : "", route) == 0;
	}
	return count;
}

static void test_events_bear_routes(void **state)
{
	forget_events(*state);
	begin(state, "{\"routes\":[\"/users/{id}\"],\"sampleOneIn\":1}");
	ask("/users/1");
	ask("/what/else");
	configure("{\"byRoute\":true,\"sampleOneIn\":1}");
	ask("/items/17");
	configure("{\"sampleOneIn\":1}");
	ask("/items/18");
	scene.talk.fixture->kind->read(scene.talk.fixture->probe);
	assert_int_equal(count_events("/users/{id}"), 2);
	assert_int_equal(count_events("_OTHER"), 2);
	assert_int_equal(count_events("/items/{number}"), 2);
	assert_int_equal(count_events(""), 2);
}

/* --- edits --- */

static void test_edits_lose_nothing(void **state)
{
	begin(state, "{}");
	ask("/users/1");
	configure("{\"routes\":[\"/users/{id}\"]}");
	ask("/users/2");
	say(CLIENT, "GET /users/3 HTTP/1.1\r\n\r\n"); /* answered after the next edit */
	configure("{\"routes\":[\"/{kind}/{id}\"]}");
	say(SERVER, OK);
	ask("/users/4");
	configure("{\"byRoute\":true}");
	ask("/users/5");
	configure("{}");
	ask("/users/6");
	assert_exchanged(ROUTE("/users/{id}"), 2);
	assert_exchanged(ROUTE("/{kind}/{id}"), 1);
	assert_exchanged(ROUTE("/users/{number}"), 1);
	assert_exchanged("http_route", 4);
	assert_exchanged("", 6);
	assert_nothing_odd();
}

/* As many requests as are remembered have had a route before: none has that of another one. */
static void test_requests_while_nobody_asked_for_routes_have_none(void **state)
{
	begin(state, "{\"routes\":[\"/users/{id}\"]}");
	for (int i = 0; i < AT_ONCE; i++)
		ask("/users/1");
	configure("{}");
	say(CLIENT, "GET /other HTTP/1.1\r\n\r\n");
	configure("{\"routes\":[\"/users/{id}\"]}");
	say(SERVER, OK); /* before the next request */
	configure("{}");
	say(CLIENT, "GET /other HTTP/1.1\r\n\r\n");
	configure("{\"routes\":[\"/users/{id}\"]}");
	say(CLIENT, "GET /users/2 HTTP/1.1\r\n\r\n");
	say(SERVER, OK OK); /* after it */
	assert_exchanged(ROUTE("/users/{id}"), AT_ONCE + 1);
	assert_exchanged("http_route", AT_ONCE + 1);
	assert_exchanged("", AT_ONCE + 3);
	assert_nothing_odd();
}

/* A connection that nobody looked at for a while begins anew. */
static void test_no_route_is_kept_of_a_connection_let_go(void **state)
{
	begin(state, "{\"routes\":[\"/users/{id}\"]}");
	ask("/users/1");
	configure("{\"ports\":[1]}");
	ask("/users/2");
	configure("{}");
	say(CLIENT, "GET /other HTTP/1.1\r\n\r\n");
	configure("{\"routes\":[\"/users/{id}\"]}");
	say(SERVER, OK);
	assert_exchanged(ROUTE("/users/{id}"), 1);
	assert_exchanged("", 2);
}

/* Targets have found routes of their own: one cannot use up what another may have. */
static void test_targets_are_apart(void **state)
{
	begin(state, "{\"byRoute\":true}");
	ask("/a");
	scene_unwatch(CLIENT);
	scene_watch(CLIENT);
	ask("/b");
	assert_told(SERVER, SERVED, ROUTE("/a"), 1);
	assert_told(SERVER, SERVED, ROUTE("/b"), 1);
	assert_told(CLIENT, ASKED, "http_route", 0);
}

#define TEST(test) cmocka_unit_test_teardown(test, scene_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_templates),
		TEST(test_what_has_no_path_is_other),
		TEST(test_without_routes_there_is_no_label),
		TEST(test_packets_cut_the_line_anywhere),
		TEST(test_long_lines),
		TEST(test_requests_in_one_packet),
		TEST(test_requests_that_end_the_handshake),
		TEST(test_part_of_a_path_ends_the_handshake),
		TEST(test_routes_are_found),
		TEST(test_routes_are_found_as_the_handshake_ends),
		TEST(test_routes_behind_empty_lines_and_of_hosts_alone),
		TEST(test_found_routes_are_known_in_pieces),
		TEST(test_templates_go_before_what_is_found),
		TEST(test_beyond_the_cap_routes_are_others),
		TEST(test_a_million_paths),
		TEST(test_events_bear_routes),
		TEST(test_edits_lose_nothing),
		TEST(test_requests_while_nobody_asked_for_routes_have_none),
		TEST(test_no_route_is_kept_of_a_connection_let_go),
		TEST(test_targets_are_apart),
	};

	return fixture_run(tests, scenes_setup, scenes_teardown);
}
