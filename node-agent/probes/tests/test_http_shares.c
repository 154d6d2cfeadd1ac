// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What a node's pods share of the HTTP probe, on the running kernel: however much the pods of one
 * namespace ask for, others have room, and what was taken comes back.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/http_scene.c"
#include "node-agent/probes/tests/program_maps.c"
#include "node-agent/probes/tests/share_rows.c"

#define BEYOND_SHARE "skep_http_beyond_share_total"
#define ROUTE(route) ",http_route=\"" route "\""

/* --- pods --- */

#define PODS_LIMIT 24

/* The scene of each: a server that is watched, and a client that is not. */
static struct scene pods[PODS_LIMIT];
static size_t pod_count;

/* What follows is of this pod. */
static void turn_to(size_t pod)
{
	scene = pods[pod];
}

/* A pod of a namespace, with a connection to it. Its series are asked for by a policy of its own.
 */
static size_t pod_new(struct fixture *fixture, const char *namespace,
		      const union probe_settings *settings)
{
	char name[16], *policy = name + 1;

	assert_true(pod_count < PODS_LIMIT);
	snprintf(name, sizeof(name), "/pod-%zu", pod_count);
	fixture->pod.namespace = (char *)namespace;
	fixture->policies = (struct strings){.items = &policy, .count = 1};
	scene = (struct scene){.talk = {.fixture = fixture,
					.network = &loopback,
					.cgroups = {fixture->mount, fixture_cgroup(fixture, name)},
					.ip = IPV4,
					.listener = -1,
					.ends = {-1, -1}}};
	asked_of[SERVER] = *settings;
	conversation_listen(&scene.talk);
	scene_watch(SERVER);
	scene_connect();
	fixture->policies = (struct strings){0};
	pods[pod_count] = scene;
	return pod_count++;
}

static void pod_end(size_t pod)
{
	turn_to(pod);
	scene_unwatch(SERVER);
	pods[pod] = scene;
}

/* After each test, also one that failed. */
static int pods_end(void **state)
{
	struct fixture *fixture = *state;

	leave_cgroups(fixture);
	while (pod_count > 0) {
		char *path = fixture->cgroups[--fixture->cgroup_count];

		pod_end(--pod_count);
		conversation_close(&scene.talk);
		assert_return_code(rmdir(path), errno);
		free(path);
	}
	while (fixture->owner_count > 0)
		series_owner_free(fixture->owners[--fixture->owner_count].series, 0);
	series_expire(fixture->store, UINT64_MAX);
	return 0;
}

static int pod_map(size_t pod, const char *name)
{
	struct bpf_map_info info;
	int program = program_at(pods[pod].talk.cgroups[SERVER]);
	int map = map_of(program, name, &info);

	close(program);
	return map;
}

/* --- kinds --- */

#define FIRST_STATUS 305 /* from there on, each has a body */

static const union probe_settings nothing_more;

/* Has the pod answer in so many ways, each a kind of its own. */
static void answer_in_ways(size_t pod, int ways)
{
	char response[64];

	turn_to(pod);
	for (int i = 0; i < ways; i++) {
		snprintf(response, sizeof(response),
			 "HTTP/1.1 %d So\r\nContent-Length: 2\r\n\r\nok", FIRST_STATUS + i);
		exchange("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", response);
	}
}

/* How many kinds each pod has in the kernel, the first pod's in ret_counts[0]. */
static void count_kinds(size_t ret_counts[PODS_LIMIT], uint32_t first_target)
{
	int map = pod_map(0, "http_kinds");
	struct http_kind kind, *before = NULL;

	memset(ret_counts, 0, sizeof(*ret_counts) * PODS_LIMIT);
	while (bpf_map_get_next_key(map, before, &kind) == 0) {
		assert_in_range(kind.target, first_target, first_target + PODS_LIMIT - 1);
		ret_counts[kind.target - first_target]++;
		before = &kind;
	}
	close(map);
}

/* Targets are numbered in the order in which they came: the number of the next one's row. */
static uint32_t newest_target(size_t pod)
{
	int map = pod_map(pod, "http_counts");
	uint32_t target, *before = NULL, newest = 0;

	while (bpf_map_get_next_key(map, before, &target) == 0) {
		newest = target > newest ? target : newest;
		before = &target;
	}
	close(map);
	return newest;
}

#define GREEDY	 (HTTP_KINDS_LIMIT / HTTP_KIND_BURST) /* pods that could fill the node */
#define A_SHARE	 (HTTP_KINDS_LIMIT / (1 + SHARE_TIMES_FREE) * SHARE_TIMES_FREE)
#define PATIENCE 30000 /* ms */

/* Until as much as expected is held; what was taken out of the kernel rests for a second. */
static void wait_until_held(struct fixture *fixture, int shares, uint32_t namespace,
			    enum http_shared table, uint64_t expected)
{
	for (int waited = 0; share_held_now(shares, namespace, table) != expected; waited += 50) {
		assert_true(waited < PATIENCE);
		usleep(50000);
		fixture->kind->read(fixture->probe);
	}
}

static void test_a_flood_of_kinds_leaves_others_room(void **state)
{
	size_t counts[PODS_LIMIT], greedy = 0, modest;
	uint32_t first_target = 0;
	int shares;

	for (size_t i = 0; i < GREEDY; i++) {
		size_t pod = pod_new(*state, "greedy", &nothing_more);

		if (i == 0)
			first_target = newest_target(pod);
		answer_in_ways(pod, HTTP_KIND_BURST);
	}
	modest = pod_new(*state, "modest", &nothing_more);
	answer_in_ways(modest, HTTP_KIND_BURST);
	count_kinds(counts, first_target);
	for (size_t i = 0; i < GREEDY; i++)
		greedy += counts[i];
	/* CPUs that ask at the same moment may go beyond it. */
	assert_in_range(greedy, A_SHARE, A_SHARE + 64);
	assert_int_equal(counts[modest], HTTP_KIND_BURST);
	assert_told(SERVER, BEYOND_SHARE, "", 0);
	assert_told(SERVER, SERVED, "", HTTP_KIND_BURST);
	turn_to(modest - 1);
	assert_true(told(SERVER, BEYOND_SHARE, "") > 0);
	assert_told(SERVER, SERVED, "", HTTP_KIND_BURST); /* with the others, but counted */
	shares = pod_map(modest, "shares");
	assert_int_equal(share_held_now(shares, SHARE_NODE, HTTP_SHARED_KINDS),
			 greedy + counts[modest]);
	for (size_t i = 0; i < GREEDY; i++)
		pod_end(i);
	wait_until_held(*state, shares, SHARE_NODE, HTTP_SHARED_KINDS, HTTP_KIND_BURST);
	assert_int_equal(share_held_now(shares, share_newest(shares), HTTP_SHARED_KINDS),
			 HTTP_KIND_BURST);
	close(shares);
}

#define CPUS 4
#define WAYS 400

/* All make the same kinds at the same time: each is held once, whoever was first. */
static void test_cpus_that_make_one_kind_hold_it_once(void **state)
{
	size_t pod = pod_new(*state, "modest", &nothing_more), counts[PODS_LIMIT];
	int shares = pod_map(pod, "shares"), ends[CPUS][ENDS], status;
	pid_t children[CPUS];

	for (int i = 0; i < CPUS; i++) {
		scene_connect();
		memcpy(ends[i], scene.talk.ends, sizeof(ends[i]));
	}
	for (int i = 0; i < CPUS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			memcpy(pods[pod].talk.ends, ends[i], sizeof(ends[i]));
			answer_in_ways(pod, WAYS);
			_exit(0);
		}
	}
	for (int i = 0; i < CPUS; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
		for (enum end end = CLIENT; end <= SERVER; end++)
			close(ends[i][end]);
	}
	count_kinds(counts, newest_target(pod));
	assert_in_range(counts[0], 1, WAYS); /* who comes second has taken of the bucket, too */
	assert_int_equal(share_held_now(shares, share_newest(shares), HTTP_SHARED_KINDS),
			 counts[0]);
	turn_to(pod);
	assert_told(SERVER, SERVED, "", CPUS * WAYS);
	pod_end(pod);
	wait_until_held(*state, shares, SHARE_NODE, HTTP_SHARED_KINDS, 0);
	close(shares);
}

/* --- routes --- */

static void ask_for_pages(size_t pod, int pages)
{
	char request[64];

	turn_to(pod);
	for (int i = 0; i < pages; i++) {
		snprintf(request, sizeof(request), "GET /page-%c%c HTTP/1.1\r\n\r\n", 'a' + i / 10,
			 'a' + i % 10);
		exchange(request, OK);
	}
}

/* Others of the namespace have all of its share but a few, as it seems. */
#define LEFT  10
#define PAGES 40

static void test_a_flood_of_routes_leaves_others_room(void **state)
{
	const union probe_settings by_route = {.http = {.by_route = true}};
	size_t greedy = pod_new(*state, "greedy", &by_route), modest;
	int shares = pod_map(greedy, "shares");

	share_add(shares, share_newest(shares), HTTP_SHARED_FOUND, A_SHARE - LEFT);
	share_add(shares, SHARE_NODE, HTTP_SHARED_FOUND, A_SHARE - LEFT);
	modest = pod_new(*state, "modest", &by_route);
	ask_for_pages(greedy, PAGES);
	assert_told(SERVER, SERVED, "http_route=\"/page-", LEFT);
	assert_told(SERVER, SERVED, ROUTE("_OTHER"), PAGES - LEFT);
	assert_true(told(SERVER, BEYOND_SHARE, "") > 0);
	ask_for_pages(modest, PAGES);
	assert_told(SERVER, SERVED, "http_route=\"/page-", PAGES);
	assert_told(SERVER, SERVED, ROUTE("_OTHER"), 0);
	assert_told(SERVER, BEYOND_SHARE, "", 0);
	pod_end(modest);
	assert_int_equal(share_held_now(shares, SHARE_NODE, HTTP_SHARED_FOUND), A_SHARE);
	pod_end(greedy);
	assert_int_equal(share_held_now(shares, SHARE_NODE, HTTP_SHARED_FOUND), A_SHARE - LEFT);
	share_add(shares, SHARE_NODE, HTTP_SHARED_FOUND, -(A_SHARE - LEFT));
	close(shares);
}

/* A path that has been found is held once, whoever asks for it. */
static void test_what_is_known_takes_no_more(void **state)
{
	const union probe_settings by_route = {.http = {.by_route = true}};
	size_t pod = pod_new(*state, "modest", &by_route);
	int shares = pod_map(pod, "shares");
	uint32_t namespace = share_newest(shares);

	for (int i = 0; i < 3; i++)
		ask_for_pages(pod, PAGES);
	assert_int_equal(share_held_now(shares, namespace, HTTP_SHARED_FOUND), PAGES);
	assert_int_equal(share_held_now(shares, namespace, HTTP_SHARED_KINDS), PAGES);
	close(shares);
}

#define TEST(test) cmocka_unit_test_teardown(test, pods_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_a_flood_of_kinds_leaves_others_room),
		TEST(test_cpus_that_make_one_kind_hold_it_once),
		TEST(test_a_flood_of_routes_leaves_others_room),
		TEST(test_what_is_known_takes_no_more),
	};

	return fixture_run(tests, scenes_setup, scenes_teardown);
}
