// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Records of single requests on the running kernel: which ones are told at either end, what they
 * hold, that what is not told is counted, and settings that change in place.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/http_scene.c"

#define SLOW_MS	   200
#define LOST_NAME  "skep_http_events_lost_total"
#define STATUS(of) "HTTP/1.1 " of " A\r\nContent-Length: 0\r\n\r\n"

/* --- what is asked, and what is told --- */

static void ask_both(const struct http_settings *settings)
{
	for (enum end end = CLIENT; end <= SERVER; end++)
		asked_of[end].http = *settings;
}

static void add_status(struct http_settings *settings, const char *status)
{
	assert_true(http_status_set_add(&settings->report, status));
}

static void change(enum end end, const struct http_settings *settings)
{
	struct fixture *fixture = scene.talk.fixture;
	const union probe_settings now = {.http = *settings};
	struct error error;

	if (fixture->kind->configure(fixture->probe, scene.attachments[end], &now, &error) < 0)
		fail_msg("%s", error.message);
}

static int begin_test(void **state)
{
	forget_events(*state);
	return 0;
}

static const char *role_of(enum end end)
{
	return end == CLIENT ? "client" : "server";
}

static const char *text_in(const cJSON *event, const char *member)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(event, member));

	return text ? text : "(none)";
}

static double number_in(const cJSON *event, const char *member)
{
	const cJSON *item = cJSON_GetObjectItem(event, member);

	return item ? item->valuedouble : -1;
}

/* Event `index` of an end; NULL when there are not so many. */
static const cJSON *event_at(enum end end, size_t index)
{
	const struct fixture *fixture = scene.talk.fixture;

	for (size_t i = 0; i < fixture->event_count; i++) {
		const cJSON *event = fixture->events[i].event;

		if (strcmp(text_in(event, "role"), role_of(end)) == 0 && index-- == 0)
			return event;
	}
	return NULL;
}

/* Reads the ring; returns how many events there are of an end. */
static size_t count_events(enum end end)
{
	struct fixture *fixture = scene.talk.fixture;
	size_t count = 0;

	fixture->kind->read(fixture->probe);
	while (event_at(end, count))
		count++;
	return count;
}

#define assert_events(expected)                                                                    \
	do {                                                                                       \
		for (enum end end_ = CLIENT; end_ <= SERVER; end_++)                               \
			assert_int_equal(count_events(end_), expected);                            \
	} while (0)

static void assert_reasons(const cJSON *event, const char *expected)
{
	char *reasons = cJSON_PrintUnformatted(cJSON_GetObjectItem(event, "reasons"));

	assert_string_equal(reasons, expected);
	free(reasons);
}

/* --- which ones --- */

static void test_nothing_is_told_unasked(void **state)
{
	scene_begin(state, &loopback, IPV4);
	exchange(GET, STATUS("500"));
	assert_events(0);
	for (enum end end = CLIENT; end <= SERVER; end++)
		assert_told(end, LOST_NAME, "", 0);
}

static void test_slow_requests(void **state)
{
	ask_both(&(struct http_settings){.slow_ns = SLOW_MS * 1000000ULL});
	scene_begin(state, &wire, IPV4);
	say(CLIENT, GET);
	usleep(SLOW_MS * 1000);
	say(SERVER, OK);
	assert_events(1);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		const cJSON *event = event_at(end, 0);

		assert_reasons(event, "[\"slow\"]");
		assert_string_equal(text_in(event, "http_request_method"), "GET");
		assert_int_equal(number_in(event, "http_response_status_code"), 200);
		assert_true(number_in(event, "duration_ms") >= SLOW_MS);
		assert_true(number_in(event, "first_byte_ms") <= number_in(event, "duration_ms"));
		assert_int_equal(number_in(event, "request_bytes"), strlen(GET));
		assert_int_equal(number_in(event, "response_bytes"), strlen(OK));
		assert_int_equal(number_in(event, "server_port"), scene.talk.port);
		assert_string_equal(text_in(event, "peer_address"), wire.ipv4[other(end)]);
		assert_string_equal(text_in(event, "peer_name"), "peer");
		assert_string_equal(text_in(event, "aborted_by"), "(none)");
	}
	assert_int_equal(number_in(event_at(CLIENT, 0), "peer_port"), scene.talk.port);
	assert_true(number_in(event_at(SERVER, 0), "peer_port") > 0);
	assert_true(number_in(event_at(CLIENT, 0), "sequence") ==
		    number_in(event_at(SERVER, 0), "sequence"));
}

/* Ten minutes pass on no test: all others are quick. */
static void test_quick_requests_are_not_slow(void **state)
{
	ask_both(&(struct http_settings){.slow_ns = HTTP_SLOW_MOST});
	scene_begin(state, &loopback, IPV6);
	for (int i = 0; i < 20; i++)
		exchange(GET, OK);
	assert_events(0);
	assert_exchanged("", 20);
}

static void test_statuses(void **state)
{
	struct http_settings settings = {0};

	add_status(&settings, "5xx");
	add_status(&settings, "404");
	ask_both(&settings);
	scene_begin(state, &loopback, IPV4);
	exchange(GET, STATUS("200"));
	exchange(GET, STATUS("403"));
	exchange(GET, STATUS("404"));
	exchange(GET, STATUS("405"));
	exchange(GET, STATUS("500"));
	exchange(GET, STATUS("499"));
	exchange(GET, STATUS("599"));
	exchange(GET, STATUS("600"));
	exchange(GET, STATUS("999"));
	assert_events(3);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		static const int expected[] = {404, 500, 599};

		for (size_t i = 0; i < 3; i++) {
			const cJSON *event = event_at(end, i);

			assert_int_equal(number_in(event, "http_response_status_code"),
					 expected[i]);
			assert_reasons(event, "[\"status\"]");
		}
	}
}

static void test_requests_without_an_answer(void **state)
{
	ask_both(&(struct http_settings){.slow_ns = SLOW_MS * 1000000ULL});
	scene_begin(state, &loopback, IPV4);
	say(CLIENT, GET);
	usleep(SLOW_MS * 1000);
	scene_disconnect(SERVER);
	assert_events(1);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		const cJSON *event = event_at(end, 0);

		assert_string_equal(text_in(event, "aborted_by"), "server");
		assert_null(cJSON_GetObjectItem(event, "http_response_status_code"));
		assert_null(cJSON_GetObjectItem(event, "first_byte_ms"));
		assert_true(number_in(event, "duration_ms") >= SLOW_MS);
	}
}

#define SAMPLED_REQUESTS 180 /* no more than the bucket holds */

static bool is_sampled(double sequence, uint32_t one_in)
{
	return http_sample_hash((uint32_t)sequence) < (1ULL << 32) / one_in;
}

/* Whoever tells fewer tells some of the same: a hash of the sequence number decides. */
static void check_samples(void)
{
	size_t expected = 0;

	assert_int_equal(count_events(CLIENT), SAMPLED_REQUESTS);
	for (size_t i = 0; i < SAMPLED_REQUESTS; i++) {
		const cJSON *event = event_at(CLIENT, i);

		assert_reasons(event, "[\"sampled\"]");
		if (!is_sampled(number_in(event, "sequence"), 4))
			continue;
		assert_non_null(event_at(SERVER, expected));
		assert_true(number_in(event_at(SERVER, expected), "sequence") ==
			    number_in(event, "sequence"));
		expected++;
	}
	assert_int_equal(count_events(SERVER), expected);
	assert_in_range(expected, 1, SAMPLED_REQUESTS - 1);
}

static void begin_samples(void **state)
{
	asked_of[CLIENT].http = (struct http_settings){.sample_one_in = 1};
	asked_of[SERVER].http = (struct http_settings){.sample_one_in = 4};
	scene_begin(state, &loopback, IPV4);
}

static void test_samples_are_the_same_at_both_ends(void **state)
{
	begin_samples(state);
	for (int i = 0; i < SAMPLED_REQUESTS; i++) {
		exchange(GET, OK);
		if (i % 10)
			continue;
		scene_disconnect(CLIENT);
		scene_disconnect(SERVER);
		scene_connect();
	}
	check_samples();
}

#define AT_ONCE 15

static void test_samples_of_pipelined_requests(void **state)
{
	char requests[AT_ONCE * sizeof(GET)] = "", responses[AT_ONCE * sizeof(OK)] = "";

	for (int i = 0; i < AT_ONCE; i++) {
		strcat(requests, GET);
		strcat(responses, OK);
	}
	begin_samples(state);
	for (int i = 0; i < SAMPLED_REQUESTS; i += AT_ONCE)
		exchange(requests, responses);
	check_samples();
}

static void test_several_reasons(void **state)
{
	struct http_settings settings = {.slow_ns = 1000000, .sample_one_in = 1};

	add_status(&settings, "5xx");
	ask_both(&settings);
	scene_begin(state, &loopback, IPV4);
	say(CLIENT, GET);
	usleep(20000);
	say(SERVER, STATUS("500"));
	assert_events(1);
	assert_reasons(event_at(SERVER, 0), "[\"slow\",\"status\",\"sampled\"]");
}

/* The deeper ones are told without their beginning, and all with where they begin. */
static void check_pipelined_requests(void **state, bool deferred)
{
	static const char request[] = "GET /a?b HTTP/1.1\r\nHost: shop\r\n\r\n";
	char requests[6 * sizeof(request)] = "", responses[6 * sizeof(OK)] = "";

	for (int i = 0; i < 6; i++) {
		strcat(requests, request);
		strcat(responses, OK);
	}
	ask_both(&(struct http_settings){.sample_one_in = 1, .paths = HTTP_PATHS_RAW});
	if (deferred) {
		scene_defer(state, &loopback, IPV4);
		scene_connect_saying(requests, strlen(requests));
	} else {
		scene_begin(state, &loopback, IPV4);
		say(CLIENT, requests);
	}
	say(SERVER, responses);
	exchange(request, OK);
	assert_events(7);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		double first = number_in(event_at(end, 0), "sequence");

		for (size_t i = 0; i < 7; i++) {
			const cJSON *event = event_at(end, i);
			uint32_t behind = (uint32_t)(i * (sizeof(request) - 1));

			assert_int_equal((uint32_t)number_in(event, "sequence"),
					 (uint32_t)first + behind);
			assert_string_equal(text_in(event, "url_path"),
					    i < 4 || i == 6 ? "/a" : "(none)");
		}
		assert_told(end, "skep_http_events_without_path_total", "", 2);
	}
}

static void test_pipelined_requests(void **state)
{
	check_pipelined_requests(state, false);
}

/* They end the handshake. */
static void test_pipelined_requests_deferred(void **state)
{
	check_pipelined_requests(state, true);
}

/* Of a connection, nothing is told that another one on the same CPU has left behind. */
static void test_nothing_is_told_of_another_connection(void **state)
{
	static const char other[] = "GET /other HTTP/1.1\r\nHost: other\r\n\r\n";

	ask_both(&(struct http_settings){.slow_ns = 1, .paths = HTTP_PATHS_RAW});
	scene_defer(state, &loopback, IPV4);
	scene_connect_saying(other, strlen(other));
	say(SERVER, OK);
	assert_events(1);
	scene_disconnect(SERVER);
	scene_disconnect(CLIENT);
	change(SERVER, &(struct http_settings){.slow_ns = 1, .paths = HTTP_PATHS_NONE});
	scene_connect_saying(GET, strlen(GET));
	change(SERVER, &(struct http_settings){.slow_ns = 1, .paths = HTTP_PATHS_RAW});
	say(SERVER, OK);
	assert_events(2);
	assert_string_equal(text_in(event_at(SERVER, 0), "url_path"), "/other");
	assert_string_equal(text_in(event_at(SERVER, 1), "url_path"), "(none)");
}

/* --- paths and hosts --- */

static void test_heads_cut_anywhere(void **state)
{
	static const char request[] = "POST /a/path?with=a&query HTTP/1.1\r\nAccept: */*\r\n"
				      "Host: shop.example:8080\r\nContent-Length: 4\r\n\r\nbody";
	size_t rounds = 0;

	ask_both(&(struct http_settings){.sample_one_in = 1, .paths = HTTP_PATHS_RAW});
	scene_begin(state, &loopback, IPV4);
	for (size_t piece = 1; piece < sizeof(request); piece++, rounds++) {
		say_pieces(CLIENT, request, piece);
		say(SERVER, OK);
	}
	assert_events(rounds);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		for (size_t i = 0; i < rounds; i++) {
			const cJSON *event = event_at(end, i);

			assert_string_equal(text_in(event, "url_path"), "/a/path");
			assert_string_equal(text_in(event, "url_query"), "with=a&query");
			assert_string_equal(text_in(event, "server_address"), "shop.example");
			assert_null(cJSON_GetObjectItem(event, "url_truncated"));
		}
	}
}

static void test_long_paths_are_cut(void **state)
{
	char request[2048] = "GET /", *end = request + strlen(request);

	memset(end, 'a', 1500);
	strcpy(end + 1500, " HTTP/1.1\r\nHost: shop\r\n\r\n");
	ask_both(&(struct http_settings){.sample_one_in = 1, .paths = HTTP_PATHS_RAW});
	scene_begin(state, &loopback, IPV4);
	exchange(request, OK);
	say_pieces(CLIENT, request, 100);
	say(SERVER, OK);
	assert_events(2);
	for (size_t i = 0; i < 2; i++) {
		const cJSON *event = event_at(SERVER, i);

		assert_int_equal(strlen(text_in(event, "url_path")),
				 HTTP_HEAD_KEPT - strlen("GET "));
		assert_true(cJSON_IsTrue(cJSON_GetObjectItem(event, "url_truncated")));
		assert_string_equal(text_in(event, "server_address"), "(none)");
	}
}

#define SECRET "GET /users/4711/a@b.example?token=secret HTTP/1.1\r\nHost: shop\r\n\r\n"

static void check_secret(void **state, enum http_paths paths, const char *path, const char *query)
{
	ask_both(&(struct http_settings){.sample_one_in = 1, .paths = paths});
	scene_begin(state, &loopback, IPV4);
	exchange(SECRET, OK);
	assert_events(1);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		char *line = cJSON_PrintUnformatted(event_at(end, 0));

		assert_string_equal(text_in(event_at(end, 0), "url_path"), path);
		assert_string_equal(text_in(event_at(end, 0), "url_query"), query);
		assert_true(!strstr(line, "secret") == !strcmp(query, "(none)"));
		free(line);
	}
}

static void test_paths_raw(void **state)
{
	check_secret(state, HTTP_PATHS_RAW, "/users/4711/a@b.example", "token=secret");
}

static void test_paths_normalized(void **state)
{
	check_secret(state, HTTP_PATHS_NORMALIZED, "/users/{number}/{email}", "(none)");
}

/* The kernel half does not even read them. */
static void test_paths_none(void **state)
{
	check_secret(state, HTTP_PATHS_NONE, "(none)", "(none)");
	assert_string_equal(text_in(event_at(SERVER, 0), "server_address"), "(none)");
	assert_true(number_in(event_at(SERVER, 0), "sequence") >= 0);
}

/* --- bounds --- */

/* sent = told + counted as lost, also when the target goes. */
static void test_floods_are_counted(void **state)
{
	const size_t flood = 2000;
	double began = seconds_now(), most;
	size_t of_server;

	ask_both(&(struct http_settings){.sample_one_in = 1});
	scene_begin(state, &loopback, IPV4);
	for (size_t i = 0; i < flood; i++)
		exchange(GET, OK);
	most = HTTP_RECORD_BURST + (seconds_now() - began) * 1e9 / (double)HTTP_RECORD_INTERVAL_NS +
	       1;
	of_server = count_events(SERVER);
	assert_int_equal(of_server + (size_t)told(SERVER, LOST_NAME, ""), flood);
	assert_true(of_server >= HTTP_RECORD_BURST && (double)of_server <= most);
	assert_exchanged("", flood);
	scene_unwatch(CLIENT);
	assert_true(count_events(CLIENT) >= HTTP_RECORD_BURST);
}

/* The rate is one of now, also for a response of which it shows late that it was over long ago. */
static void test_what_ended_long_ago_has_its_token(void **state)
{
	int first[ENDS];

	ask_both(&(struct http_settings){.sample_one_in = 1});
	scene_begin(state, &loopback, IPV4);
	exchange(GET, "HTTP/1.0 200 OK\r\n\r\nand then");
	memcpy(first, scene.talk.ends, sizeof(first));
	usleep(2 * HTTP_RECORD_BURST * HTTP_RECORD_INTERVAL_NS / 1000);
	scene_connect();
	exchange(GET, OK);
	for (enum end end = CLIENT; end <= SERVER; end++)
		close(scene.talk.ends[end]);
	memcpy(scene.talk.ends, first, sizeof(first));
	say(CLIENT, GET);
	assert_events(2);
	for (enum end end = CLIENT; end <= SERVER; end++)
		assert_told(end, LOST_NAME, "", 0);
}

static void test_records_come_before_the_target_goes(void **state)
{
	ask_both(&(struct http_settings){.sample_one_in = 1});
	scene_begin(state, &loopback, IPV4);
	for (int i = 0; i < 50; i++)
		exchange(GET, OK);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		scene_unwatch(end);
		for (size_t i = 0; i < 50; i++)
			assert_non_null(event_at(end, i));
	}
}

/* --- settings --- */

static void test_other_ports_are_not_looked_at(void **state)
{
	scene_listen(state, &loopback, IPV4);
	asked_of[CLIENT].http = (struct http_settings){
		.sample_one_in = 1, .port_count = 2, .ports = {1, scene.talk.port}};
	asked_of[SERVER].http = (struct http_settings){
		.sample_one_in = 1, .port_count = 2, .ports = {1, scene.talk.port ^ 1}};
	scene_watch(CLIENT);
	scene_watch(SERVER);
	scene_connect();
	exchange(GET, OK);
	exchange("no HTTP at all\r\n\r\n", "nor here");
	assert_int_equal(count_events(CLIENT), 1);
	assert_int_equal(count_events(SERVER), 0);
	assert_told(CLIENT, CONNECTIONS, "", 1);
	assert_told(SERVER, CONNECTIONS, "", 0);
	assert_told(SERVER, OPAQUE, "", 0);
	assert_told(SERVER, SERVED, "", 0);
}

/* From one packet to the next, on a connection that stays; nothing that is counted is lost. */
static void test_settings_change_in_place(void **state)
{
	struct http_settings settings = {.sample_one_in = 1};

	scene_begin(state, &loopback, IPV4);
	exchange(GET, OK);
	change(SERVER, &settings);
	exchange(GET, OK);
	settings = (struct http_settings){0};
	add_status(&settings, "404");
	change(SERVER, &settings);
	exchange(GET, OK);
	exchange(GET, STATUS("404"));
	settings.port_count = 1;
	settings.ports[0] = scene.talk.port ^ 1;
	change(SERVER, &settings);
	exchange(GET, STATUS("404"));
	settings.port_count = 0;
	change(SERVER, &settings);
	exchange(GET, STATUS("404"));
	assert_int_equal(count_events(SERVER), 3);
	assert_reasons(event_at(SERVER, 0), "[\"sampled\"]");
	assert_reasons(event_at(SERVER, 1), "[\"status\"]");
	assert_reasons(event_at(SERVER, 2), "[\"status\"]");
	assert_told(SERVER, SERVED, "", 5);
	assert_told(SERVER, LOST, "", 0);
	assert_told(CLIENT, ASKED, "", 6);
}

/* A request that began before somebody asked is told without its beginning. */
static void test_settings_change_within_a_request(void **state)
{
	const struct http_settings settings = {.slow_ns = 1000000, .paths = HTTP_PATHS_RAW};

	scene_begin(state, &loopback, IPV4);
	say(CLIENT, GET);
	change(SERVER, &settings);
	usleep(20000);
	say(SERVER, OK);
	exchange("GET /second HTTP/1.1\r\n\r\n", "");
	usleep(20000);
	say(SERVER, OK);
	assert_int_equal(count_events(SERVER), 2);
	assert_string_equal(text_in(event_at(SERVER, 0), "url_path"), "(none)");
	assert_null(cJSON_GetObjectItem(event_at(SERVER, 0), "sequence"));
	assert_string_equal(text_in(event_at(SERVER, 1), "url_path"), "/second");
}

/*
 * A connection that nobody looked at for a while begins anew: nothing is left of the request that
 * was its first one before.
 */
static void test_nothing_is_kept_of_a_connection_let_go(void **state)
{
	struct http_settings settings = {.sample_one_in = 1, .paths = HTTP_PATHS_RAW};

	asked_of[SERVER].http = settings;
	scene_begin(state, &loopback, IPV4);
	exchange("GET /first HTTP/1.1\r\n\r\n", OK);
	settings.port_count = 1;
	settings.ports[0] = scene.talk.port ^ 1;
	change(SERVER, &settings);
	exchange(GET, OK);
	change(SERVER, &(struct http_settings){0});
	exchange(GET, "");
	change(SERVER,
	       &(struct http_settings){.slow_ns = SLOW_MS * 1000000ULL, .paths = HTTP_PATHS_RAW});
	usleep(SLOW_MS * 1000);
	say(SERVER, OK);
	assert_int_equal(count_events(SERVER), 2);
	assert_string_equal(text_in(event_at(SERVER, 0), "url_path"), "/first");
	assert_string_equal(text_in(event_at(SERVER, 1), "url_path"), "(none)");
	assert_null(cJSON_GetObjectItem(event_at(SERVER, 1), "sequence"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin_test, scene_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_nothing_is_told_unasked),
		TEST(test_slow_requests),
		TEST(test_quick_requests_are_not_slow),
		TEST(test_statuses),
		TEST(test_requests_without_an_answer),
		TEST(test_samples_are_the_same_at_both_ends),
		TEST(test_samples_of_pipelined_requests),
		TEST(test_several_reasons),
		TEST(test_pipelined_requests),
		TEST(test_pipelined_requests_deferred),
		TEST(test_nothing_is_told_of_another_connection),
		TEST(test_heads_cut_anywhere),
		TEST(test_long_paths_are_cut),
		TEST(test_paths_raw),
		TEST(test_paths_normalized),
		TEST(test_paths_none),
		TEST(test_floods_are_counted),
		TEST(test_what_ended_long_ago_has_its_token),
		TEST(test_records_come_before_the_target_goes),
		TEST(test_other_ports_are_not_looked_at),
		TEST(test_settings_change_in_place),
		TEST(test_settings_change_within_a_request),
		TEST(test_nothing_is_kept_of_a_connection_let_go),
	};

	return fixture_run(tests, scenes_setup, scenes_teardown);
}
