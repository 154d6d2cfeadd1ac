// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/informer_settings.h"
#include "lib/kube/tests/fake_server.h"

#define POD(name, uid, version)                                                                    \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"uid\":\"" uid                 \
	"\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, token, items)                                                                \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version                       \
	"\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define GONE		    "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old resource version\"}"

#define LIST_REQUEST "GET /api/v1/pods?limit=500 "
#define DEADLINE_MS  10000

/* An informer and its server on one loop; `told` is what its handlers were told. */
struct world {
	uv_loop_t loop;
	struct fake_server server;
	struct kube_client *client;
	struct kube_informer *informer;
	struct text told;
};

static void on_upsert(void *context, const cJSON *object)
{
	struct world *world = context;

	text_append_format(&world->told, "+%s@%s ", json_text(object, "metadata", "name"),
			   json_text(object, "metadata", "resourceVersion"));
}

static void on_remove(void *context, const char *namespace, const char *name, const char *uid)
{
	struct world *world = context;

	text_append_format(&world->told, "-%s/%s:%s ", namespace, name, uid);
}

static void on_synced(void *context)
{
	struct world *world = context;

	text_append_string(&world->told, "synced ");
}

static uint32_t no_random(void *context)
{
	(void)context;
	return 0;
}

static struct kube_informer_settings quick_settings(void)
{
	return (struct kube_informer_settings){
		.page_limit = 500,
		.backoff_least = 4,
		.backoff_most = 40,
		.watch_least_seconds = 300,
		.watch_most_seconds = 600,
		.watch_margin = 100,
		.sound_after = 10000,
		.object_limit = 1000,
		.page_seconds = 10,
		.random = no_random,
	};
}

static void world_open_with(struct world *world, const struct fake_step *steps, const char *query,
			    const struct kube_informer_settings *settings)
{
	const struct kube_informer_handlers handlers = {on_upsert, on_remove, on_synced};
	struct kube_config config = {0};
	char server[64];

	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->client, NULL), 0);
	assert_int_equal(kube_informer_new_with(world->client, "/api/v1/pods", query, settings,
						&handlers, world, &world->informer, NULL),
			 0);
}

static void world_open(struct world *world, const struct fake_step *steps)
{
	const struct kube_informer_settings settings = quick_settings();

	world_open_with(world, steps, NULL, &settings);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer; /* wakes the loop, no more */
}

/* Runs the loop until `count` requests have come and then for `settle` ms. */
static void run(struct world *world, size_t count, uint64_t settle)
{
	uint64_t end = uv_now(&world->loop) + DEADLINE_MS;
	uv_timer_t tick;

	uv_timer_init(&world->loop, &tick);
	uv_timer_start(&tick, on_tick, 1, 5);
	while (world->server.requests < count && uv_now(&world->loop) < end)
		uv_run(&world->loop, UV_RUN_ONCE);
	for (end = uv_now(&world->loop) + settle; uv_now(&world->loop) < end;)
		uv_run(&world->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(world->server.requests, count);
	assert_false(world->server.is_wrong);
}

static void world_close(struct world *world)
{
	kube_informer_free(world->informer);
	kube_client_free(world->client);
	fake_server_stop(&world->server);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	text_free(&world->told);
}

/* Plays the whole script and checks what the handlers were told. */
static struct kube_informer_stats play(const struct fake_step *steps, const char *told)
{
	struct kube_informer_stats stats;
	struct world world;
	size_t count = 0;

	while (steps[count].status)
		count++;
	world_open(&world, steps);
	run(&world, count, 60);
	assert_string_equal(world.told.data, told);
	stats = kube_informer_stats(world.informer);
	world_close(&world);
	return stats;
}

static void lists_then_watches(void **state)
{
	static const struct fake_step steps[] = {
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("9", "", POD("a", "1", "5"))},
		{"watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=9 ",
		 FAKE_STREAM, 200, NULL,
		 EVENT("ADDED", POD("b", "2", "10")) EVENT("MODIFIED", POD("a", "1", "11")) EVENT(
			 "DELETED", POD("b", "2", "12")) EVENT("DELETED", POD("x", "3", "13"))},
		{0}};
	struct kube_informer_stats stats = play(steps, "+a@5 synced +b@10 +a@11 -ns/b:2 ");

	(void)state;
	assert_int_equal(stats.objects, 1);
	assert_int_equal(stats.lists, 1);
	assert_int_equal(stats.watches, 1);
	assert_int_equal(stats.events, 4);
	assert_int_equal(stats.failures, 0);
}

static void lists_page_after_page(void **state)
{
	static const struct fake_step steps[] = {
		{"?limit=500&fieldSelector=x ", FAKE_WHOLE, 200, NULL,
		 LIST("9", "p/2", POD("a", "1", "5"))},
		{"?limit=500&continue=p%2F2&fieldSelector=x ", FAKE_WHOLE, 200, NULL,
		 LIST("10", "", POD("b", "2", "6"))},
		{"&resourceVersion=9&fieldSelector=x ", FAKE_STREAM, 200, NULL, NULL},
		{0}};
	const struct kube_informer_settings settings = quick_settings();
	struct world world;

	(void)state;
	world_open_with(&world, steps, "fieldSelector=x", &settings);
	run(&world, 3, 0);
	assert_string_equal(world.told.data, "+a@5 +b@6 synced ");
	world_close(&world);
}

/* A first list of a, b and c, from which the tests of failures go on. */
#define FIRST_LIST                                                                                 \
	{                                                                                          \
		LIST_REQUEST, FAKE_WHOLE, 200, NULL,                                               \
			LIST("9", "",                                                              \
			     POD("a", "1", "5") "," POD("b", "2", "6") "," POD("c", "3", "7"))     \
	}
#define FIRST_TOLD "+a@5 +b@6 +c@7 synced "

/* A later list: a is as it was, b is gone, c is another of the same name, d is new. */
#define LATER_LIST                                                                                 \
	{                                                                                          \
		LIST_REQUEST, FAKE_WHOLE, 200, NULL,                                               \
			LIST("29", "",                                                             \
			     POD("a", "1", "5") "," POD("c", "4", "21") "," POD("d", "5", "22"))   \
	}
#define LATER_TOLD "-ns/c:3 +c@21 +d@22 -ns/b:2 "

#define QUIET_WATCH_FROM(version)                                                                  \
	{"resourceVersion=" version " ", FAKE_STREAM, 200, NULL, NULL},                            \
	{                                                                                          \
		0                                                                                  \
	}

static void compares_after_gone_as_status(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_WHOLE, 410, NULL, GONE},
		LATER_LIST,
		QUIET_WATCH_FROM("29")};
	struct kube_informer_stats stats = play(steps, FIRST_TOLD LATER_TOLD);

	(void)state;
	assert_int_equal(stats.lists, 2);
	assert_int_equal(stats.objects, 3);
	assert_int_equal(stats.failures, 1);
}

static void compares_after_gone_as_event(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_STREAM, 200, NULL,
		 EVENT("MODIFIED", POD("b", "2", "10")) EVENT("ERROR", GONE)
			 EVENT("DELETED", POD("a", "1", "11"))},
		LATER_LIST,
		QUIET_WATCH_FROM("29")};

	(void)state;
	play(steps, FIRST_TOLD "+b@10 " LATER_TOLD);
}

static void resumes_after_another_error_event(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_STREAM, 200, NULL,
		 EVENT("ERROR", "{\"code\":500,\"message\":\"etcd is away\"}")},
		QUIET_WATCH_FROM("9")};

	(void)state;
	play(steps, FIRST_TOLD);
}

static void loses_nothing_when_a_page_fails(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_WHOLE, 410, NULL, GONE},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("19", "two", POD("a", "1", "15"))},
		{"continue=two", FAKE_WHOLE, 500, NULL, "{}"},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("20", "two", POD("a", "1", "15"))},
		{"continue=two", FAKE_WHOLE, 410, NULL, GONE}, /* the token has expired */
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("20", "two", POD("a", "1", "15"))},
		/* It may be the last page, or not. */
		{"continue=two", FAKE_WHOLE, 200, NULL, "{\"items\":[" POD("c", "3", "7") "]}"},
		{LIST_REQUEST, FAKE_STREAM_CUT, 200, NULL, "{\"kind\":\"PodList\","},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, "{\"kind\":\"PodList\",\"metadata\":{}}"},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, "no JSON"},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL,
		 LIST("21", "", POD("a", "1", "15") "," POD("c", "3", "7"))},
		QUIET_WATCH_FROM("21")};
	struct kube_informer_stats stats = play(steps, FIRST_TOLD "+a@15 -ns/b:2 ");

	(void)state;
	assert_int_equal(stats.lists, 2);
	assert_int_equal(stats.failures, 7);
}

static void is_synced_once_only_when_complete(void **state)
{
	static const struct fake_step steps[] = {
		{LIST_REQUEST, FAKE_WHOLE, 503, NULL, "{}"},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("9", "two", POD("a", "1", "5"))},
		{"continue=two", FAKE_WHOLE, 500, NULL, "{}"},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("9", "", POD("b", "2", "6"))},
		QUIET_WATCH_FROM("9")};

	(void)state;
	play(steps, "+a@5 +b@6 -ns/a:1 synced ");
}

static void resumes_when_cut_in_the_middle_of_a_line(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_STREAM_CUT, 200, NULL,
		 EVENT("MODIFIED", POD("a", "1", "v/10")) "{\"type\":\"DELETED\",\"obj"},
		{"resourceVersion=v%2F10 ", FAKE_STREAM, 200, NULL,
		 EVENT("MODIFIED", POD("a", "1", "v/10")) EVENT("DELETED", POD("b", "2", "11"))},
		{0}};
	struct kube_informer_stats stats = play(steps, FIRST_TOLD "+a@v/10 -ns/b:2 ");

	(void)state;
	assert_int_equal(stats.lists, 1);
	assert_int_equal(stats.bad_objects, 0);
}

static void resumes_from_a_bookmark(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_STREAM_END, 200, NULL,
		 EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"500\"}}")},
		QUIET_WATCH_FROM("500")};
	struct kube_informer_stats stats = play(steps, FIRST_TOLD);

	(void)state;
	assert_int_equal(stats.failures, 0);
}

static void lists_again_after_a_malformed_line(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_STREAM, 200, NULL,
		 EVENT("MODIFIED", POD("b", "2", "10")) "{\"type\":\"DELE#\n" EVENT(
			 "MODIFIED", POD("b", "2", "12"))},
		LATER_LIST,
		QUIET_WATCH_FROM("29")};
	struct kube_informer_stats stats = play(steps, FIRST_TOLD "+b@10 " LATER_TOLD);

	(void)state;
	assert_int_equal(stats.bad_objects, 1);
}

static void lists_again_after_a_line_that_is_too_long(void **state)
{
	static char body[2000];
	struct fake_step steps[] = {FIRST_LIST,
				    {"resourceVersion=9 ", FAKE_STREAM, 200, NULL, body},
				    LATER_LIST,
				    QUIET_WATCH_FROM("29")};
	struct kube_informer_stats stats;

	(void)state;
	memset(body, ' ', sizeof(body) - 1);
	stats = play(steps, FIRST_TOLD LATER_TOLD);
	assert_int_equal(stats.bad_objects, 1);
}

static void skips_objects_that_cannot_be_read(void **state)
{
	static const struct fake_step steps[] = {
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL,
		 LIST("9", "", "{\"metadata\":{\"name\":7}},null," POD("a", "1", "5"))},
		{"resourceVersion=9 ", FAKE_STREAM, 200, NULL,
		 EVENT("ADDED", "{}") EVENT("NEWER", "{}") EVENT("ADDED", POD("b", "2", "10"))},
		{0}};
	struct kube_informer_stats stats = play(steps, "+a@5 synced +b@10 ");

	(void)state;
	assert_int_equal(stats.bad_objects, 4);
	assert_int_equal(stats.failures, 0);
}

static void waits_as_long_as_it_is_asked_to(void **state)
{
	static const struct fake_step steps[] = {
		{LIST_REQUEST, FAKE_WHOLE, 429, "Retry-After: 1\r\n", "{}"},
		{LIST_REQUEST, FAKE_WHOLE, 200, NULL, LIST("9", "", "")},
		QUIET_WATCH_FROM("9")};
	struct world world;

	(void)state;
	world_open(&world, steps);
	run(&world, 1, 900);
	run(&world, 3, 0);
	assert_string_equal(world.told.data, "synced ");
	world_close(&world);
}

static void leaves_a_watch_that_went_silent(void **state)
{
	static const struct fake_step steps[] = {
		FIRST_LIST,
		{"resourceVersion=9 ", FAKE_STREAM, 200, NULL,
		 EVENT("MODIFIED", POD("a", "1", "10"))},
		{"resourceVersion=10 ", FAKE_SILENCE, 200, NULL, NULL},
		{"resourceVersion=10 ", FAKE_STREAM, 200, NULL,
		 EVENT("MODIFIED", POD("a", "1", "11"))},
		{0}};
	struct kube_informer_settings settings = quick_settings();
	struct world world;

	(void)state;
	settings.watch_least_seconds = 0;
	settings.watch_most_seconds = 0;
	settings.watch_margin = 200;
	world_open_with(&world, steps, NULL, &settings);
	run(&world, 4, 60);
	assert_string_equal(world.told.data, FIRST_TOLD "+a@10 +a@11 ");
	assert_int_equal(kube_informer_stats(world.informer).failures, 2);
	world_close(&world);
}

static void does_not_spin_on_watches_that_end_at_once(void **state)
{
	static const struct fake_step end = {"watch=1", FAKE_STREAM_END, 200, NULL, NULL};
	struct fake_step steps[200] = {FIRST_LIST};
	struct world world;

	(void)state;
	for (int i = 1; i < 199; i++)
		steps[i] = end;
	world_open(&world, steps);
	run(&world, 2, 0);
	for (uint64_t until = uv_now(&world.loop) + 400; uv_now(&world.loop) < until;)
		uv_run(&world.loop, UV_RUN_ONCE);
	/* Waits of 2, 4, 8, 16, and then 20 ms. */
	assert_in_range(world.server.requests, 5, 25);
	assert_int_equal(kube_informer_stats(world.informer).lists, 1);
	world_close(&world);
}

static void can_be_freed_at_any_time(void **state)
{
	static const struct fake_step steps[] = {FIRST_LIST,
						 {"resourceVersion=9 ", FAKE_STREAM, 200, NULL,
						  EVENT("ADDED", POD("x", "8", "10")) "{\"type\":"},
						 {0}};

	(void)state;
	for (int turns = 0; turns < 40; turns++) {
		struct world world;

		world_open(&world, steps);
		for (int i = 0; i < turns && world.server.requests < 2; i++)
			uv_run(&world.loop, UV_RUN_ONCE);
		world_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_then_watches),
		cmocka_unit_test(lists_page_after_page),
		cmocka_unit_test(compares_after_gone_as_status),
		cmocka_unit_test(compares_after_gone_as_event),
		cmocka_unit_test(resumes_after_another_error_event),
		cmocka_unit_test(loses_nothing_when_a_page_fails),
		cmocka_unit_test(is_synced_once_only_when_complete),
		cmocka_unit_test(resumes_when_cut_in_the_middle_of_a_line),
		cmocka_unit_test(resumes_from_a_bookmark),
		cmocka_unit_test(lists_again_after_a_malformed_line),
		cmocka_unit_test(lists_again_after_a_line_that_is_too_long),
		cmocka_unit_test(skips_objects_that_cannot_be_read),
		cmocka_unit_test(waits_as_long_as_it_is_asked_to),
		cmocka_unit_test(leaves_a_watch_that_went_silent),
		cmocka_unit_test(does_not_spin_on_watches_that_end_at_once),
		cmocka_unit_test(can_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
