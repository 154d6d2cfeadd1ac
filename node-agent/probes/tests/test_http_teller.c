// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Records that wait for the name of the other end, and what settings ask of the kernel half. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/text.h"
#include "node-agent/probes/http_teller.h"
#include "node-agent/probes/http_wants.h"

#define CONTAINER 7
#define ROUTED	  77 /* the sequence of a request with a route */
#define START	  1000000

struct world {
	struct http_teller teller;
	struct probe_host host;
	struct http_told_target pod, container;
	bool is_known; /* whose addresses are */
	struct text said;
};

/* Writes the route, "sequence@peer", and where it happened. */
static void on_emit(void *context, enum probe_type type, uint64_t target, uint64_t container,
		    cJSON *event)
{
	const char *peer = cJSON_GetStringValue(cJSON_GetObjectItem(event, "peer_name"));
	const char *route = cJSON_GetStringValue(cJSON_GetObjectItem(event, "http_route"));
	struct world *world = context;

	assert_int_equal(type, PROBE_HTTP);
	text_append_format(&world->said, "%s%d@%s:%d/%d ", route ? route : "",
			   (int)cJSON_GetObjectItem(event, "sequence")->valuedouble,
			   peer ? peer : "-", (int)target, (int)container);
	cJSON_Delete(event);
}

static bool on_find_peer(void *context, struct series_owner *owner,
			 const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer)
{
	const struct world *world = context;

	(void)owner;
	*ret_peer = (struct peer_identity){"Pod", "shop", address[15] ? "b" : "a", false};
	return world->is_known;
}

static const char *name_route(void *context, const struct http_record *record)
{
	(void)context;
	return record->sequence == ROUTED ? "/a/{b}" : "";
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->host =
		(struct probe_host){.emit = on_emit, .find_peer = on_find_peer, .context = world};
	world->teller.host = &world->host;
	world->teller.name_route = name_route;
	world->teller.namer_context = world;
	world->pod.cgroup_id = 1;
	world->container.cgroup_id = 2;
	world->container.is_container = true;
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	text_free(&world->said);
	free(world);
	return 0;
}

static void take(struct world *world, struct http_told_target *target, uint32_t sequence,
		 uint64_t now)
{
	const struct http_record record = {
		.sequence = sequence, .flags = HTTP_RECORD_HAS_SEQUENCE, .container = CONTAINER};

	http_teller_take(&world->teller, target, &record, now);
}

static void assert_said(struct world *world, const char *expected)
{
	assert_string_equal(world->said.data ? world->said.data : "", expected);
	text_clear(&world->said);
}

static void test_told_at_once_where_all_is_known(void **state)
{
	struct world *world = *state;

	world->is_known = true;
	take(world, &world->pod, 1, START);
	take(world, &world->container, 2, START);
	assert_said(world, "1@a:1/7 2@a:2/2 ");
	assert_int_equal(world->pod.received, 1);
	assert_int_equal(world->container.received, 1);
	http_teller_go_on(&world->teller, START + HTTP_TELLER_WAIT_MS);
	assert_said(world, "");
}

static void test_waits_for_a_name(void **state)
{
	struct world *world = *state;

	take(world, &world->pod, 1, START);
	take(world, &world->pod, 2, START);
	http_teller_go_on(&world->teller, START + HTTP_TELLER_WAIT_MS - 1);
	assert_said(world, "");
	world->is_known = true;
	http_teller_go_on(&world->teller, START + HTTP_TELLER_WAIT_MS - 1);
	assert_said(world, "1@a:1/7 2@a:1/7 ");
}

/* Also of a record that has waited. */
static void test_events_bear_the_route(void **state)
{
	struct world *world = *state;

	take(world, &world->pod, ROUTED, START);
	take(world, &world->pod, 2, START);
	world->is_known = true;
	http_teller_go_on(&world->teller, START);
	assert_said(world, "/a/{b}77@a:1/7 2@a:1/7 ");
}

static void test_waits_no_longer_than_told(void **state)
{
	struct world *world = *state;

	take(world, &world->pod, 1, START);
	take(world, &world->pod, 2, START + 1);
	http_teller_go_on(&world->teller, START + HTTP_TELLER_WAIT_MS);
	assert_said(world, "1@-:1/7 ");
	http_teller_go_on(&world->teller, START + HTTP_TELLER_WAIT_MS + 1);
	assert_said(world, "2@-:1/7 ");
}

static void test_oldest_makes_room(void **state)
{
	struct world *world = *state;

	for (uint32_t i = 0; i < HTTP_TELLER_LIMIT; i++)
		take(world, &world->pod, i, START);
	assert_said(world, "");
	take(world, &world->pod, HTTP_TELLER_LIMIT, START);
	assert_said(world, "0@-:1/7 ");
	http_teller_flush(&world->teller, &world->pod);
	assert_int_equal(world->teller.count, 0);
}

static void test_flush_is_of_one_target(void **state)
{
	struct world *world = *state;

	take(world, &world->pod, 1, START);
	take(world, &world->container, 2, START);
	take(world, &world->pod, 3, START);
	http_teller_flush(&world->teller, &world->pod);
	assert_said(world, "1@-:1/7 3@-:1/7 ");
	world->is_known = true;
	http_teller_go_on(&world->teller, START);
	assert_said(world, "2@a:2/2 ");
}

static void assert_wants(const struct http_settings *settings, uint32_t expected)
{
	struct http_target target = {.target = 5, .level = 3};

	http_wants_set(&target, settings);
	assert_int_equal(target.wants, expected);
	assert_int_equal(target.target, 5);
	assert_int_equal(target.level, 3);
}

static void test_wants_what_is_set(void **state)
{
	struct http_settings settings = {.paths = HTTP_PATHS_NORMALIZED};

	(void)state;
	assert_wants(&settings, 0);
	settings.port_count = 1;
	assert_wants(&settings, HTTP_WANTS_PORTS);
	settings.slow_ns = 1;
	assert_wants(&settings, HTTP_WANTS_PORTS | HTTP_WANTS_SLOW | HTTP_WANTS_HEADS);
	settings.paths = HTTP_PATHS_NONE;
	assert_wants(&settings, HTTP_WANTS_PORTS | HTTP_WANTS_SLOW);
	settings = (struct http_settings){.sample_one_in = 3, .paths = HTTP_PATHS_NONE};
	assert_wants(&settings, HTTP_WANTS_SAMPLES);
	assert_true(http_status_set_add(&settings.report, "404"));
	assert_wants(&settings, HTTP_WANTS_SAMPLES | HTTP_WANTS_STATUS);
}

/* What is sampled for 1000 is sampled for 100, and so on; and about as many as are asked for. */
static void test_samples_are_nested(void **state)
{
	static const uint32_t rates[] = {1, 2, 10, 100, 1000};
	enum { RATES = sizeof(rates) / sizeof(rates[0]), SEQUENCES = 1000000 };
	unsigned int sampled[RATES] = {0};

	(void)state;
	for (uint32_t i = 0; i < SEQUENCES; i++) {
		bool before = true;

		for (int rate = 0; rate < RATES; rate++) {
			const struct http_settings settings = {.sample_one_in = rates[rate]};
			struct http_target target;
			bool is_sampled;

			http_wants_set(&target, &settings);
			is_sampled = http_sample_hash(i * 97) < target.sample_below;
			assert_true(before || !is_sampled);
			before = is_sampled;
			sampled[rate] += is_sampled;
		}
	}
	assert_int_equal(sampled[0], SEQUENCES);
	for (int rate = 1; rate < RATES; rate++)
		assert_in_range(sampled[rate], SEQUENCES / rates[rate] * 8 / 10,
				SEQUENCES / rates[rate] * 12 / 10);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_told_at_once_where_all_is_known),
		TEST(test_waits_for_a_name),
		TEST(test_events_bear_the_route),
		TEST(test_waits_no_longer_than_told),
		TEST(test_oldest_makes_room),
		TEST(test_flush_is_of_one_target),
		cmocka_unit_test(test_wants_what_is_set),
		cmocka_unit_test(test_samples_are_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
