// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Statuses as they are written, against an API server that the test plays. */

#include "operator/tests/fixture.h"

#include <unistd.h>

#include "lib/base/json.h"
#include "lib/kube/tests/fake_server.h"
#include "operator/status.h"
#include "operator/status_writer.h"

#define PATCH_STATUS "PATCH /apis/skep.dev/v1alpha1/namespaces/shop/observabilitypolicies/p/status"

struct world {
	uv_loop_t loop;
	struct fake_server server;
	struct kube_client *client;
	struct cluster cluster;
	struct fleet fleet;
	struct status_writer *writer;
	cJSON *written; /* the status of the last PATCH that was waited for */
};

static bool may_write(void *context)
{
	(void)context;
	return true;
}

static void world_open(struct world *world, const struct fake_step *steps)
{
	struct kube_config config = {.token = (char *)"secret"};
	struct policy *policy = policy_of("p", "{'selector': {}, 'probes': [{'type': 'TCP'}]}");
	char server[64];

	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->client, NULL), 0);
	assert_int_equal(cluster_add_policy(&world->cluster, policy), 0);
	assert_int_equal(status_writer_new(world->client, &world->loop, &world->cluster,
					   &world->fleet, may_write, world, &world->writer, NULL),
			 0);
	status_writer_wake(world->writer, 0);
	status_writer_learn(world->writer, "shop/p", NULL);
}

static void world_close(struct world *world)
{
	status_writer_rest(world->writer);
	world->client = kube_client_free(world->client);
	world->writer = status_writer_free(world->writer);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	cluster_clear(&world->cluster);
	cJSON_Delete(world->written);
}

static void pass_moment(struct world *world)
{
	usleep(5000);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	status_writer_tick(world->writer);
}

static void wait_for_requests(struct world *world, size_t count)
{
	while (world->server.requests < count)
		pass_moment(world);
}

static void wait_for_writes(struct world *world, size_t requests, uint64_t writes)
{
	cJSON *body;

	wait_for_requests(world, requests);
	body = cJSON_Parse(strstr(world->server.last_request.data, "\r\n\r\n"));
	cJSON_Delete(world->written);
	world->written = cJSON_DetachItemFromObject(body, "status");
	cJSON_Delete(body);
	assert_non_null(world->written);
	while (status_writer_stats(world->writer).writes < writes)
		pass_moment(world);
}

/* Somebody writes 99 over what the status says of pods; returns when. */
static uint64_t deface(struct world *world)
{
	cJSON *status = cJSON_Duplicate(world->written, true);

	cJSON_SetNumberValue(cJSON_GetObjectItem(json_find(status, "pods"), "matched"), 99);
	status_writer_learn(world->writer, "shop/p", status);
	cJSON_Delete(status);
	return uv_now(&world->loop);
}

static void see_own_write(struct world *world)
{
	status_writer_learn(world->writer, "shop/p", world->written);
}

static void puts_right_what_others_changed(void **state)
{
	static const struct fake_step steps[] = {
		{PATCH_STATUS, FAKE_WHOLE, 200, NULL, "{}"},
		{"POST /api/v1/namespaces/shop/events", FAKE_WHOLE, 201, NULL, "{}"},
		{PATCH_STATUS, FAKE_WHOLE, 200, NULL, "{}"},
		{PATCH_STATUS, FAKE_WHOLE, 200, NULL, "{}"},
		{0}};
	struct world world;
	uint64_t since;

	(void)state;
	world_open(&world, steps);
	status_writer_touch(world.writer, "shop/p");
	wait_for_writes(&world, 1, 1);
	wait_for_requests(&world, 2);
	see_own_write(&world);

	since = deface(&world);
	wait_for_writes(&world, 3, 2);
	assert_true(uv_now(&world.loop) - since >= STATUS_REPAIR_FIRST_MS);
	assert_int_equal(json_integer(world.written, -1, "pods", "matched"), 0);
	see_own_write(&world);

	since = deface(&world); /* who goes on waits longer */
	wait_for_writes(&world, 4, 3);
	assert_true(uv_now(&world.loop) - since >= 2 * STATUS_REPAIR_FIRST_MS);
	assert_int_equal(status_writer_stats(world.writer).repairs, 2);
	world_close(&world);
}

/* An older write of our own that comes back late is followed by the newer one. */
static void is_not_put_off_by_its_own_writes(void **state)
{
	static const struct fake_step steps[] = {
		{PATCH_STATUS, FAKE_WHOLE, 200, NULL, "{}"},
		{"POST /api/v1/namespaces/shop/events", FAKE_WHOLE, 201, NULL, "{}"},
		{0}};
	struct world world;
	uint64_t since;

	(void)state;
	world_open(&world, steps);
	status_writer_touch(world.writer, "shop/p");
	wait_for_writes(&world, 1, 1);
	wait_for_requests(&world, 2);
	since = deface(&world);
	see_own_write(&world);
	while (uv_now(&world.loop) - since < 2 * STATUS_REPAIR_FIRST_MS)
		pass_moment(&world);
	assert_int_equal(status_writer_stats(world.writer).repairs, 0);
	assert_int_equal(status_writer_stats(world.writer).writes, 1);
	world_close(&world);
}

/* Of a policy that was Degraded, another operator begins to lead: agents are on their way. */
static void keeps_what_failed_until_agents_have_said(void **state)
{
	static const struct fake_step steps[] = {{PATCH_STATUS, FAKE_WHOLE, 200, NULL, "{}"}, {0}};
	cJSON *known = json_of("{'observedGeneration': 3, 'conditions': ["
			       "{'type': 'Degraded', 'status': 'True', 'reason': 'OpenFailed'}]}");
	struct fleet_node *node;
	struct world world;
	struct labels none = {0};
	bool changed;

	(void)state;
	world_open(&world, steps);
	assert_int_equal(cluster_set_node(&world.cluster, "n1", &none, &changed), 0);
	assert_int_equal(cluster_add_pod(&world.cluster, pod_of("a", "n1", "{}")), 0);
	status_writer_rest(world.writer);
	status_writer_learn(world.writer, "shop/p", known);
	cJSON_Delete(known);
	status_writer_wake(world.writer, uv_now(&world.loop) + 500);
	status_writer_touch(world.writer, "shop/p");
	for (uint64_t since = uv_now(&world.loop); uv_now(&world.loop) - since < 300;)
		pass_moment(&world);
	assert_int_equal(world.server.requests, 0);
	node = fleet_ensure_node(&world.fleet, "n1", 0); /* whose agent has been away for long */
	assert_non_null(node);
	status_writer_touch(world.writer, "shop/p");
	wait_for_writes(&world, 1, 1);
	assert_string_equal(json_text(json_find(world.written, "failures")->child, "reason"),
			    "AgentNotConnected");
	fleet_clear(&world.fleet);
	world_close(&world);
}

/* An API server that has only begun may not know policies yet. */
static void tries_again_where_policies_are_not_served(void **state)
{
	static const struct fake_step steps[] = {
		{PATCH_STATUS, FAKE_WHOLE, 404, NULL, "{}"},
		{PATCH_STATUS, FAKE_WHOLE, 200, NULL, "{}"},
		{"POST /api/v1/namespaces/shop/events", FAKE_WHOLE, 201, NULL, "{}"},
		{0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	status_writer_touch(world.writer, "shop/p");
	wait_for_writes(&world, 2, 1);
	wait_for_requests(&world, 3);
	world_close(&world);
}

static void assert_holds(const char *status, bool holds)
{
	cJSON *written = json_of("{'pods': {'matched': 1}, 'failures': [], 'conditions': ["
				 "{'type': 'Ready', 'status': 'True', 'message': 'm'}]}");
	cJSON *json = json_of(status);

	assert_int_equal(status_holds(written, json), holds);
	assert_true(status_holds(NULL, json));
	cJSON_Delete(written);
	cJSON_Delete(json);
}

static void knows_its_own_words(void **state)
{
	(void)state;
	assert_holds("{'pods': {'matched': 1}, 'failures': [], 'conditions': ["
		     "{'type': 'Theirs'}, {'type': 'Ready', 'status': 'True', 'message': 'm'}],"
		     " 'theirs': 1}",
		     true);
	assert_holds("{}", false);
	assert_holds("{'pods': {'matched': 1}, 'failures': [], 'conditions': []}", false);
	assert_holds("{'pods': {'matched': 1}, 'failures': [], 'conditions': ["
		     "{'type': 'Ready', 'status': 'True', 'message': 'x'}]}",
		     false);
	assert_holds("{'pods': {'matched': 1}, 'failures': [1], 'conditions': ["
		     "{'type': 'Ready', 'status': 'True', 'message': 'm'}]}",
		     false);
	assert_holds("{'pods': {'matched': 2}, 'failures': [], 'conditions': ["
		     "{'type': 'Ready', 'status': 'True', 'message': 'm'}]}",
		     false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_right_what_others_changed),
		cmocka_unit_test(is_not_put_off_by_its_own_writes),
		cmocka_unit_test(keeps_what_failed_until_agents_have_said),
		cmocka_unit_test(tries_again_where_policies_are_not_served),
		cmocka_unit_test(knows_its_own_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
