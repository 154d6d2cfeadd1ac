// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the writer does when the API server has another status than it thinks. */
#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/client.h"
#include "lib/kube/tests/fake_server.h"
#include "operator/cluster.h"
#include "operator/fleet.h"
#include "operator/status_writer.h"

#define ID	    "shop/web"
#define SUSPENDED   "{'selector': {}, 'probes': [{'type': 'TCP'}], 'suspend': true}"
#define STATUS_PATH "PATCH /apis/skep.dev/v1alpha1/namespaces/shop/observabilitypolicies/web/status"
#define EVENT_PATH  "/api/v1/namespaces/shop/events"

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct fake_server server;
	struct kube_client *client;
	struct cluster cluster;
	struct fleet fleet;
	struct status_writer *writer;
};

static bool always(void *context)
{
	(void)context;
	return true;
}

static void on_patience(uv_timer_t *timer)
{
	((struct world *)timer->data)->late = true;
}

/* Runs the loop until so many requests have come; false when they have not within the time. */
static bool await_requests(struct world *world, size_t count, uint64_t ms)
{
	world->late = false;
	uv_timer_start(&world->patience, on_patience, ms, 0);
	while (world->server.requests < count && !world->late)
		uv_run(&world->loop, UV_RUN_ONCE);
	uv_timer_stop(&world->patience);
	return world->server.requests >= count;
}

static void world_open(struct world *world, const struct fake_step *steps)
{
	struct kube_config config = {.token = (char *)"secret"};
	char server[64];

	log_set_level(LOG_LEVEL_ERROR);
	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	uv_timer_init(&world->loop, &world->patience);
	world->patience.data = world;
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->client, NULL), 0);
	assert_int_equal(cluster_add_policy(&world->cluster, policy_of("web", SUSPENDED)), 0);
	assert_int_equal(status_writer_new(world->client, &world->loop, &world->cluster,
					   &world->fleet, always, NULL, &world->writer, NULL),
			 0);
	status_writer_learn(world->writer, ID, NULL);
	status_writer_wake(world->writer, 0);
	status_writer_touch(world->writer, ID);
}

static void world_close(struct world *world)
{
	status_writer_rest(world->writer);
	world->client = kube_client_free(world->client);
	world->writer = status_writer_free(world->writer);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_close((uv_handle_t *)&world->patience, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	cluster_clear(&world->cluster);
}

/* The status of the request that came last. */
static cJSON *last_status(const struct world *world)
{
	cJSON *body = cJSON_Parse(strstr(world->server.last_request.data, "\r\n\r\n"));
	cJSON *status = cJSON_DetachItemFromObject(body, "status");

	assert_non_null(status);
	cJSON_Delete(body);
	return status;
}

/* Another one's status, heard for long, is overwritten, though nothing else has changed. */
static void test_other_status_is_put_right(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = STATUS_PATH, .end = FAKE_WHOLE, .status = 200, .body = "{}"},
		{.expect = EVENT_PATH, .end = FAKE_WHOLE, .status = 201, .body = "{}"},
		{.expect = STATUS_PATH, .end = FAKE_WHOLE, .status = 200, .body = "{}"},
		{0}};
	struct world world;
	cJSON *other = json_of("{'observedGeneration': 2}");

	(void)state;
	world_open(&world, steps);
	assert_true(await_requests(&world, 2, 20000));
	status_writer_hear(world.writer, ID, other);
	assert_true(await_requests(&world, 3, 20000));
	cJSON_Delete(other);
	world_close(&world);
}

/* Its own, on the way back, is not, nor an older one that is followed by it. */
static void test_echo_is_no_news(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = STATUS_PATH, .end = FAKE_WHOLE, .status = 200, .body = "{}"},
		{.expect = EVENT_PATH, .end = FAKE_WHOLE, .status = 201, .body = "{}"},
		{.expect = STATUS_PATH, .end = FAKE_WHOLE, .status = 200, .body = "{}"},
		{0}};
	struct world world;
	cJSON *older = json_of("{'observedGeneration': 2}");
	cJSON *own;

	(void)state;
	world_open(&world, steps);
	assert_true(await_requests(&world, 1, 20000));
	own = last_status(&world);
	assert_true(await_requests(&world, 2, 20000));
	status_writer_hear(world.writer, ID, older);
	status_writer_hear(world.writer, ID, own);
	assert_false(await_requests(&world, 3, STATUS_DOUBT_MS + 1000));
	cJSON_Delete(older);
	cJSON_Delete(own);
	world_close(&world);
}

/* The answer to a write was lost, and what made it was over by then: what was written must go. */
static void test_lost_answer_is_no_lost_write(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = STATUS_PATH, .end = FAKE_WHOLE, .status = 200, .body = "{}"},
		{.expect = EVENT_PATH, .end = FAKE_WHOLE, .status = 201, .body = "{}"},
		{.expect = STATUS_PATH, .end = FAKE_STREAM_CUT, .status = 200, .body = "{"},
		{.expect = STATUS_PATH, .end = FAKE_WHOLE, .status = 200, .body = "{}"},
		{0}};
	struct world world;
	struct policy *policy;
	cJSON *written;

	(void)state;
	world_open(&world, steps);
	assert_true(await_requests(&world, 2, 20000));
	policy = cluster_find_policy(&world.cluster, ID);
	policy->generation++;
	status_writer_touch(world.writer, ID);
	assert_true(await_requests(&world, 3, 20000));
	written = last_status(&world);
	policy->generation--;
	status_writer_hear(world.writer, ID, written);
	assert_true(await_requests(&world, 4, 20000));
	cJSON_Delete(written);
	written = last_status(&world);
	assert_int_equal(json_integer(written, 0, "observedGeneration"), 3);
	cJSON_Delete(written);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_status_is_put_right),
		cmocka_unit_test(test_echo_is_no_news),
		cmocka_unit_test(test_lost_answer_is_no_lost_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
