// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Who leads, and where that is published; the API server answers by a script. */
#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/tests/fake_server.h"
#include "operator/leader.h"
#include "operator/leader_slice.h"

#define LEASES	"/apis/coordination.k8s.io/v1/namespaces/here/leases"
#define SLICE	"/namespaces/here/endpointslices/skep-operator-leader"
#define OURS(v) HELD("pod-a_uid-a", v)
#define HELD(holder, v)                                                                            \
	"{\"metadata\":{\"resourceVersion\":\"" v "\"},\"spec\":{\"holderIdentity\":\"" holder     \
	"\",\"leaseDurationSeconds\":30}}"

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct fake_server server;
	struct kube_client *client;
	struct leader *leader;
	unsigned int leads, stands_by, resigned;
};

static void on_lead(void *context)
{
	struct world *world = context;

	world->leads++;
	assert_true(leader_is_leading(world->leader));
	leader_publish(world->leader);
}

static void on_stand_by(void *context)
{
	struct world *world = context;

	world->stands_by++;
	assert_false(leader_is_leading(world->leader));
}

static void on_resigned(void *context)
{
	((struct world *)context)->resigned++;
}

static void on_patience(uv_timer_t *timer)
{
	((struct world *)timer->data)->late = true;
}

#define run_until(world, condition)                                                                \
	do {                                                                                       \
		uv_timer_start(&(world)->patience, on_patience, 20000, 0);                         \
		while (!(condition) && !(world)->late)                                             \
			uv_run(&(world)->loop, UV_RUN_ONCE);                                       \
		uv_timer_stop(&(world)->patience);                                                 \
		assert_true(condition);                                                            \
	} while (0)

static void world_open(struct world *world, const struct fake_step *steps, bool elect,
		       const char *address)
{
	static const struct leader_handlers handlers = {.lead = on_lead, .stand_by = on_stand_by};
	const struct leader_settings settings = {
		.namespace = "here",
		.elect = elect,
		.pod = "pod-a",
		.pod_uid = "uid-a",
		.address = address,
		.agents_port = 8443,
		.api_port = 8444,
		.duration_ms = 30000,
		.deadline_ms = 20000,
		.retry_ms = 50,
	};
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
	assert_int_equal(leader_new(world->client, &world->loop, &settings, &handlers, world,
				    &world->leader, NULL),
			 0);
}

static void world_close(struct world *world)
{
	world->leader = leader_free(world->leader);
	world->client = kube_client_free(world->client);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_close((uv_handle_t *)&world->patience, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
}

/* An API server of old does not know the version of today. */
static void publishes_in_a_version_that_is_known(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "PATCH /apis/discovery.k8s.io/v1" SLICE, .status = 404, .body = "{}"},
		{.expect = "PATCH /apis/discovery.k8s.io/v1beta1" SLICE,
		 .status = 201,
		 .body = "{}"},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, false, "10.1.2.3");
	run_until(&world, world.server.requests == 2);
	assert_int_equal(world.leads, 1);
	assert_non_null(strstr(world.server.last_request.data, "\"addresses\":[\"10.1.2.3\"]"));
	leader_resign(world.leader, on_resigned, &world);
	assert_int_equal(world.resigned, 1);
	assert_false(leader_is_leading(world.leader));
	world_close(&world);
}

static void tries_again_to_publish(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "PATCH", .status = 403, .body = "{}"},
		{.expect = "PATCH /apis/discovery.k8s.io/v1" SLICE, .status = 200, .body = "{}"},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, false, "10.1.2.3");
	run_until(&world, world.server.requests == 2);
	world_close(&world);
}

static void says_who_leads(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET " LEASES "/skep-operator",
		 .status = 200,
		 .body = HELD("pod-b_uid-b", "1")},
		{.expect = "GET", .status = 200, .body = HELD("pod-b_uid-b", "2")},
		{0},
	};
	struct world world;
	char name[64];

	(void)state;
	world_open(&world, steps, true, "");
	run_until(&world, world.server.requests == 2);
	leader_name(world.leader, name, sizeof(name));
	assert_string_equal(name, "pod-b");
	assert_false(leader_is_leading(world.leader));
	assert_int_equal(world.leads, 0);
	world_close(&world);
}

/* A container that was started anew has its pod's name and UID, and the Lease. */
static void leads_until_another_does(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = OURS("1")},
		{.expect = "PUT", .status = 200, .body = OURS("2")},
		{.expect = "PUT", .status = 409, .body = "{}"},
		{.expect = "GET", .status = 200, .body = HELD("pod-b_uid-b", "3")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, true, "");
	run_until(&world, world.leads == 1);
	run_until(&world, world.stands_by == 1);
	assert_int_equal(world.server.requests, 4);
	world_close(&world);
}

static void says_where_it_is(void **state)
{
	const struct leader_slice_settings settings = {
		.namespace = "here", .address = "fd00::7", .agents_port = 1, .api_port = 2};
	cJSON *slice = leader_slice_json(&settings, "discovery.k8s.io/v1");

	(void)state;
	assert_string_equal(json_text(slice, "addressType"), "IPv6");
	assert_string_equal(json_text(slice, "metadata", "labels", "kubernetes.io/service-name"),
			    LEADER_SERVICE);
	cJSON_Delete(slice);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishes_in_a_version_that_is_known),
		cmocka_unit_test(tries_again_to_publish),
		cmocka_unit_test(says_who_leads),
		cmocka_unit_test(leads_until_another_does),
		cmocka_unit_test(says_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
