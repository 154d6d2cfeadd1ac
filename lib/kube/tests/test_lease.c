// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What a candidate decides, with a clock of the test's; then what it says to an API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/lease.h"
#include "lib/kube/lease_state.h"
#include "lib/kube/tests/fake_server.h"

#define LEASE(holder, version)                                                                     \
	"{\"metadata\":{\"name\":\"work\",\"namespace\":\"here\",\"resourceVersion\":\"" version   \
	"\",\"labels\":{\"kept\":\"yes\"}},\"spec\":{\"holderIdentity\":\"" holder                 \
	"\",\"leaseDurationSeconds\":3,\"leaseTransitions\":4,"                                    \
	"\"acquireTime\":\"2020-01-01T00:00:00.000000Z\","                                         \
	"\"renewTime\":\"2099-01-01T00:00:00.000000Z\"}}"

static void see(struct lease_seen *seen, const char *text, uint64_t now_ms)
{
	cleanup_json cJSON *lease = text ? cJSON_Parse(text) : NULL;

	lease_seen_update(seen, lease, now_ms);
}

static void makes_what_is_missing(void **state)
{
	struct lease_seen seen = {0};

	(void)state;
	see(&seen, NULL, 1000);
	assert_int_equal(lease_next(&seen, "a", 1000), LEASE_CREATE);
}

static void waits_for_what_another_renews(void **state)
{
	struct lease_seen seen = {0};

	(void)state;
	see(&seen, LEASE("b", "1"), 1000);
	assert_int_equal(lease_next(&seen, "a", 3999), LEASE_WAIT);
	see(&seen, LEASE("b", "2"), 3999);
	assert_int_equal(lease_next(&seen, "a", 6998), LEASE_WAIT);
	see(&seen, LEASE("b", "2"), 6998); /* no change: no new beginning */
	assert_int_equal(lease_next(&seen, "a", 6999), LEASE_TAKE);
}

static void takes_what_is_free_or_its_own(void **state)
{
	struct lease_seen seen = {0};

	(void)state;
	see(&seen, LEASE("", "1"), 1000);
	assert_int_equal(lease_next(&seen, "a", 1000), LEASE_TAKE);
	see(&seen, LEASE("a", "2"), 1000);
	assert_int_equal(lease_next(&seen, "a", 1000), LEASE_TAKE);
}

/* Made, deleted, and made again with the version that it had before: that is a change. */
static void minds_what_came_and_went(void **state)
{
	struct lease_seen seen = {0};

	(void)state;
	see(&seen, LEASE("b", "1"), 1000);
	see(&seen, NULL, 2000);
	see(&seen, LEASE("b", "1"), 3000);
	assert_int_equal(lease_next(&seen, "a", 5999), LEASE_WAIT);
	assert_int_equal(lease_next(&seen, "a", 6000), LEASE_TAKE);
}

static void bounds_what_a_lease_says(void **state)
{
	struct lease_seen seen = {0};

	(void)state;
	see(&seen, "{\"spec\":{\"holderIdentity\":\"b\",\"leaseDurationSeconds\":2147483647}}", 0);
	assert_int_equal(seen.duration_ms, LEASE_DURATION_LIMIT_MS);
	see(&seen, "{\"spec\":{\"holderIdentity\":\"b\",\"leaseDurationSeconds\":-5}}", 0);
	assert_int_equal(seen.duration_ms, 1000);
	see(&seen, "{\"spec\":7,\"metadata\":[]}", 0);
	assert_int_equal(lease_next(&seen, "a", 0), LEASE_TAKE);
}

static struct lease_claim claim_of(const char *identity)
{
	return (struct lease_claim){
		.namespace = "here",
		.name = "work",
		.identity = identity,
		.duration_ms = 3000,
		.now = {.tv_sec = 1795000000, .tv_nsec = 1500000},
	};
}

static void renews_and_changes_nothing_else(void **state)
{
	const struct lease_claim claim = claim_of("b");
	cleanup_json cJSON *lease = cJSON_Parse(LEASE("b", "7")), *json = NULL;

	(void)state;
	json = lease_claim_json(&claim, lease);
	assert_string_equal(json_text(json, "metadata", "resourceVersion"), "7");
	assert_string_equal(json_text(json, "metadata", "labels", "kept"), "yes");
	assert_string_equal(json_text(json, "spec", "acquireTime"), "2020-01-01T00:00:00.000000Z");
	assert_string_equal(json_text(json, "spec", "renewTime"), "2026-11-18T11:06:40.001500Z");
	assert_int_equal(json_integer(json, 0, "spec", "leaseTransitions"), 4);
}

static void says_that_it_is_another(void **state)
{
	const struct lease_claim claim = claim_of("a");
	cleanup_json cJSON *lease = cJSON_Parse(LEASE("b", "7")), *json = NULL, *first = NULL;

	(void)state;
	json = lease_claim_json(&claim, lease);
	assert_string_equal(json_text(json, "spec", "holderIdentity"), "a");
	assert_string_equal(json_text(json, "spec", "acquireTime"), "2026-11-18T11:06:40.001500Z");
	assert_int_equal(json_integer(json, 0, "spec", "leaseTransitions"), 5);
	first = lease_claim_json(&claim, NULL);
	assert_string_equal(json_text(first, "metadata", "name"), "work");
	assert_int_equal(json_integer(first, 0, "spec", "leaseDurationSeconds"), 3);
}

/* Against a server that answers by a script. */

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct fake_server server;
	struct kube_client *client;
	struct kube_lease *lease;
	unsigned int acquired, lost, released;
};

static void on_acquired(void *context)
{
	struct world *world = context;

	assert_true(kube_lease_is_held(world->lease));
	world->acquired++;
}

static void on_lost(void *context, const char *why)
{
	struct world *world = context;

	assert_true(strlen(why) > 0);
	assert_false(kube_lease_is_held(world->lease));
	world->lost++;
}

static void on_released(void *context)
{
	((struct world *)context)->released++;
}

static void on_patience(uv_timer_t *timer)
{
	((struct world *)timer->data)->late = true;
}

static void world_open_at_pace(struct world *world, const struct fake_step *steps,
			       uint32_t deadline_ms, uint32_t retry_ms)
{
	static const struct kube_lease_handlers handlers = {.acquired = on_acquired,
							    .lost = on_lost};
	const struct kube_lease_settings settings = {
		.namespace = "here",
		.name = "work",
		.identity = "a",
		.duration_ms = 30000,
		.deadline_ms = deadline_ms,
		.retry_ms = retry_ms,
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
	assert_int_equal(kube_lease_new(world->client, &world->loop, &settings, &handlers, world,
					&world->lease, NULL),
			 0);
}

static void world_open(struct world *world, const struct fake_step *steps, uint32_t deadline_ms)
{
	world_open_at_pace(world, steps, deadline_ms, 20);
}

static void world_close(struct world *world)
{
	world->lease = kube_lease_free(world->lease);
	world->client = kube_client_free(world->client);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_close((uv_handle_t *)&world->patience, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
}

#define run_until(world, condition)                                                                \
	do {                                                                                       \
		uv_timer_start(&(world)->patience, on_patience, 20000, 0);                         \
		while (!(condition) && !(world)->late)                                             \
			uv_run(&(world)->loop, UV_RUN_ONCE);                                       \
		uv_timer_stop(&(world)->patience);                                                 \
		assert_true(condition);                                                            \
	} while (0)

static void makes_it_and_renews_it(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET /apis/coordination.k8s.io/v1/namespaces/here/leases/work",
		 .status = 404,
		 .body = "{}"},
		{.expect = "POST /apis/coordination.k8s.io/v1/namespaces/here/leases ",
		 .status = 201,
		 .body = LEASE("a", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "3")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	assert_false(kube_lease_is_held(world.lease));
	run_until(&world, world.server.requests == 4);
	assert_int_equal(world.acquired, 1);
	assert_int_equal(world.lost, 0);
	assert_string_equal(kube_lease_holder(world.lease), "a");
	world_close(&world);
}

/* An answer took as long as the pause would: the next renewal goes out at once. */
static void keeps_its_pace(void **state)
{
	enum { RETRY_MS = 3000 };
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "3")},
		{0},
	};
	struct world world;
	uint64_t since;

	(void)state;
	world_open_at_pace(&world, steps, 20000, RETRY_MS);
	run_until(&world, world.server.requests == 2);
	assert_int_equal(world.acquired, 0); /* the answer is on its way */
	usleep(RETRY_MS * 1000);
	run_until(&world, world.acquired == 1);
	since = uv_now(&world.loop);
	run_until(&world, world.server.requests == 3);
	assert_true(uv_now(&world.loop) - since < RETRY_MS - 500);
	world_close(&world);
}

/* Another candidate was faster; it is read again and waited for. */
static void yields_to_who_is_faster(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 409, .body = "{}"},
		{.expect = "GET", .status = 200, .body = LEASE("b", "2")},
		{.expect = "GET", .status = 200, .body = LEASE("b", "3")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	run_until(&world, world.server.requests == 4);
	assert_int_equal(world.acquired, 0);
	assert_string_equal(kube_lease_holder(world.lease), "b");
	world_close(&world);
}

/* No answer comes: it gives up by itself, and before the answer. */
static void gives_up_in_time(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 500, .body = "{}"},
		{.expect = "GET", .end = FAKE_SILENCE, .status = 200},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 3000);
	run_until(&world, world.acquired == 1);
	run_until(&world, world.lost == 1);
	assert_false(kube_lease_is_held(world.lease));
	assert_int_equal(world.acquired, 1);
	world_close(&world);
}

/* A write whose answer was an error may have happened: what is read then is its own, and goes on.
 */
static void goes_on_after_a_mishap(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 500, .body = "{}"},
		{.expect = "GET", .status = 200, .body = LEASE("a", "3")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "4")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	run_until(&world, world.server.requests == 5);
	assert_int_equal(world.acquired, 1);
	assert_int_equal(world.lost, 0);
	world_close(&world);
}

static void stops_when_another_holds_it(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 409, .body = "{}"},
		{.expect = "GET", .status = 200, .body = LEASE("b", "3")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	run_until(&world, world.lost == 1);
	assert_string_equal(kube_lease_holder(world.lease), "b");
	world_close(&world);
}

static void gives_back_what_it_holds(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 200, .body = LEASE("", "3")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	run_until(&world, world.acquired == 1);
	kube_lease_release(world.lease, on_released, &world);
	assert_false(kube_lease_is_held(world.lease));
	run_until(&world, world.released == 1);
	assert_non_null(strstr(world.server.last_request.data, "\"holderIdentity\":\"\""));
	assert_int_equal(world.lost, 0);
	world_close(&world);
}

static void has_nothing_to_give_back(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("b", "1")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	run_until(&world, world.server.requests == 1);
	kube_lease_release(world.lease, on_released, &world);
	assert_int_equal(world.released, 1);
	world_close(&world);
}

/* Asked to give it back while it takes it: the answer is awaited, then given back. */
static void gives_back_what_it_only_takes(void **state)
{
	static const struct fake_step steps[] = {
		{.expect = "GET", .status = 200, .body = LEASE("", "1")},
		{.expect = "PUT", .status = 200, .body = LEASE("a", "2")},
		{.expect = "PUT", .status = 200, .body = LEASE("", "3")},
		{0},
	};
	struct world world;

	(void)state;
	world_open(&world, steps, 20000);
	run_until(&world, world.server.requests == 2); /* the server has it, we have no answer */
	kube_lease_release(world.lease, on_released, &world);
	run_until(&world, world.released == 1);
	assert_int_equal(world.server.requests, 3);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_what_is_missing),
		cmocka_unit_test(waits_for_what_another_renews),
		cmocka_unit_test(takes_what_is_free_or_its_own),
		cmocka_unit_test(minds_what_came_and_went),
		cmocka_unit_test(bounds_what_a_lease_says),
		cmocka_unit_test(renews_and_changes_nothing_else),
		cmocka_unit_test(says_that_it_is_another),
		cmocka_unit_test(makes_it_and_renews_it),
		cmocka_unit_test(keeps_its_pace),
		cmocka_unit_test(yields_to_who_is_faster),
		cmocka_unit_test(gives_up_in_time),
		cmocka_unit_test(goes_on_after_a_mishap),
		cmocka_unit_test(stops_when_another_holds_it),
		cmocka_unit_test(gives_back_what_it_holds),
		cmocka_unit_test(has_nothing_to_give_back),
		cmocka_unit_test(gives_back_what_it_only_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
