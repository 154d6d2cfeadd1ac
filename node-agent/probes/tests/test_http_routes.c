// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What numbers of routes stand for, with the kernel's maps but without its programs: targets share
 * their templates, names outlive them for a while, found routes are forgotten when idle.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "lib/base/cleanup.h"
#include "node-agent/probes/http_routes.h"

#define START 1000000 /* ms */

struct world {
	struct shares shares;
	struct http_route_maps maps;
	struct http_route_table table;
};

static int map_new(size_t key_size, size_t value_size, __u32 limit)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);

	return bpf_map_create(BPF_MAP_TYPE_HASH, "routes_test", (__u32)key_size, (__u32)value_size,
			      limit, &options);
}

static int setup_limited(void **state, __u32 steps)
{
	static struct world world;

	world.shares = shares_init();
	world.maps = http_route_maps_init(&world.shares);
	world.maps.steps = map_new(sizeof(struct http_step_key), sizeof(struct http_step), steps);
	world.maps.found.descriptor =
		map_new(sizeof(struct http_found_key), sizeof(struct http_found), 1000);
	http_routes_init(&world.table, &world.maps);
	*state = &world;
	return world.maps.steps < 0 || world.maps.found.descriptor < 0;
}

static int setup(void **state)
{
	return setup_limited(state, 1000);
}

static int setup_large(void **state)
{
	return setup_limited(state, HTTP_STEPS_LIMIT);
}

static int setup_small(void **state)
{
	return setup_limited(state, 4);
}

static int teardown(void **state)
{
	struct world *world = *state;

	http_routes_free(&world->table);
	http_route_maps_close(&world->maps);
	return 0;
}

static struct http_routes *routes_of(const char *json)
{
	cleanup_json cJSON *list = cJSON_Parse(json);
	struct http_routes *routes;

	assert_int_equal(http_routes_decode(list, &routes, NULL), 0);
	return routes;
}

/* Joins the set of a list, which the set alone holds afterwards. */
static struct http_route_set *join(struct world *world, const char *json)
{
	struct http_routes *routes = routes_of(json);
	struct http_route_set *set;
	struct error error;

	if (http_routes_join(&world->table, routes, "shop", NULL, &set, &error) < 0)
		fail_msg("%s", error.message);
	http_routes_release(routes);
	return set;
}

static size_t count_entries(int map, size_t key_size)
{
	char keys[2][32];
	size_t count = 0;

	assert_true(key_size <= sizeof(keys[0]));
	for (int result = bpf_map_get_next_key(map, NULL, keys[0]); result == 0; count++)
		result = bpf_map_get_next_key(map, keys[count % 2], keys[(count + 1) % 2]);
	return count;
}

static size_t count_steps(const struct world *world)
{
	return count_entries(world->maps.steps, sizeof(struct http_step_key));
}

static size_t count_found(const struct world *world)
{
	return count_entries(world->maps.found.descriptor, sizeof(struct http_found_key));
}

static const char *text_of(struct world *world, uint32_t number, uint64_t now)
{
	return http_routes_text(&world->table, NULL, number, now);
}

static void targets_share_their_templates(void **state)
{
	struct world *world = *state;
	struct http_route_set *sets[50];

	for (int i = 0; i < 50; i++)
		sets[i] = join(world, "[\"/a/{b}\",\"/c\"]");
	assert_int_equal(count_steps(world), 3);
	for (int i = 0; i < 50; i++) {
		assert_ptr_equal(sets[i], sets[0]);
		assert_int_equal(count_steps(world), 3);
		http_routes_leave(&world->table, sets[i], "shop", START);
	}
	assert_int_equal(count_steps(world), 0);
}

static void templates_have_names(void **state)
{
	struct world *world = *state;
	struct http_route_set *one = join(world, "[\"/a\",\"/b\"]");
	struct http_route_set *other = join(world, "[\"/\",\"/b\"]");
	struct http_target row = {0};

	assert_string_equal(text_of(world, one->first, START), "/a");
	assert_string_equal(text_of(world, one->first + 1, START), "/b");
	assert_string_equal(text_of(world, other->first, START), "/");
	assert_string_equal(http_routes_text(&world->table, other, other->first + 1, START), "/b");
	assert_string_equal(text_of(world, other->first + 2, START), "_OTHER");
	assert_string_equal(text_of(world, HTTP_ROUTE_UNASKED, START), "");
	assert_string_equal(text_of(world, HTTP_ROUTE_OTHER, START), "_OTHER");
	http_routes_set(&row, other);
	assert_int_equal(row.templates, other->number);
	assert_int_equal(row.root, other->first);
	http_routes_set(&row, NULL);
	assert_int_equal(row.templates, 0);
	assert_int_equal(row.root, 0);
}

/* For what is under way when a policy goes. */
static void names_outlive_the_last_target(void **state)
{
	struct world *world = *state;
	struct http_route_set *set = join(world, "[\"/a\"]");
	uint32_t number = set->first;

	http_routes_leave(&world->table, set, "shop", START);
	http_routes_sweep(&world->table, START + HTTP_ROUTES_LINGER_MS - 1);
	assert_string_equal(text_of(world, number, START), "/a");
	http_routes_sweep(&world->table, START + HTTP_ROUTES_LINGER_MS - 1 + HTTP_ROUTES_SWEEP_MS);
	assert_string_equal(text_of(world, number, START), "_OTHER");
}

static void a_set_comes_back(void **state)
{
	struct world *world = *state;
	struct http_route_set *set = join(world, "[\"/a\"]");

	http_routes_leave(&world->table, set, "shop", START);
	assert_int_equal(count_steps(world), 0);
	assert_ptr_equal(join(world, "[\"/a\"]"), set);
	assert_int_equal(count_steps(world), 1);
	http_routes_sweep(&world->table, START + 10 * HTTP_ROUTES_LINGER_MS);
	assert_string_equal(text_of(world, set->first, START), "/a");
}

static void says_when_there_is_no_room(void **state)
{
	struct world *world = *state;
	struct http_route_set *set = join(world, "[\"/a\",\"/b\"]"), *none = NULL;
	struct http_routes *routes = routes_of("[\"/a/b/c\"]");
	struct error error = {""};

	assert_int_equal(http_routes_join(&world->table, routes, "shop", NULL, &none, &error),
			 -E2BIG);
	assert_non_null(strstr(error.message, "leave some out"));
	assert_int_equal(count_steps(world), 2);
	http_routes_leave(&world->table, set, "shop", START);
	assert_int_equal(http_routes_join(&world->table, routes, "shop", NULL, &none, &error), 0);
	assert_int_equal(count_steps(world), 3);
	http_routes_release(routes);
}

/* A list of as many steps as one may have, and each of other routes; NULL where there is no room.
 */
static struct http_route_set *change_to_large(struct world *world, const char *namespace,
					      const struct http_route_set *former, int number,
					      struct error *error)
{
	struct http_route_set *set = NULL;
	struct http_routes *routes;
	char json[1024] = "[";

	for (int place = 0; place < 12; place++) {
		snprintf(json + strlen(json), sizeof(json) - strlen(json), "%s\"/%d",
			 place ? "," : "", number);
		for (int i = 0; i < 12; i++)
			strcat(json, i == place ? "/a" : "/{x}");
		strcat(json, "\"");
	}
	strcat(json, "]");
	routes = routes_of(json);
	(void)http_routes_join(&world->table, routes, namespace, former, &set, error);
	http_routes_release(routes);
	return set;
}

static struct http_route_set *join_large(struct world *world, const char *namespace, int number,
					 struct error *error)
{
	return change_to_large(world, namespace, NULL, number, error);
}

/* One namespace cannot take the room of all; lists that are equal count once. */
static void each_namespace_has_a_share(void **state)
{
	struct world *world = *state;
	struct http_route_set *sets[16] = {0}, *others;
	struct error error = {""};
	size_t steps, count = 0;

	while (count < 16 && (sets[count] = join_large(world, "shop", (int)count, &error)))
		count++;
	assert_in_range(count, 1, 15);
	assert_non_null(strstr(error.message, "namespace shop"));
	steps = count_steps(world);
	assert_true(steps <= HTTP_NAMESPACE_STEPS_LIMIT);
	assert_ptr_equal(join_large(world, "shop", 0, &error), sets[0]);
	assert_ptr_equal(join_large(world, "bank", 0, &error), sets[0]);
	assert_int_equal(count_steps(world), steps);
	others = join_large(world, "bank", 99, &error);
	assert_non_null(others);
	http_routes_leave(&world->table, others, "bank", START);
	http_routes_leave(&world->table, sets[0], "bank", START);
	http_routes_leave(&world->table, sets[0], "shop", START);
	assert_null(join_large(world, "shop", 98, &error));
	http_routes_leave(&world->table, sets[0], "shop", START);
	assert_non_null(join_large(world, "shop", 98, &error));
}

/* A namespace whose share is used up can change its lists, target by target, and take no more. */
static void lists_change_in_a_full_share(void **state)
{
	struct world *world = *state;
	struct http_route_set *old, *other, *new;
	struct error error = {""};
	int number = 0;

	do
		old = join_large(world, "shop", number++, &error);
	while (old && (other = old));
	old = join_large(world, "shop", 0, &error);
	assert_non_null(old);
	new = change_to_large(world, "shop", old, 100, &error);
	assert_non_null(new);
	http_routes_leave(&world->table, old, "shop", START);
	assert_null(change_to_large(world, "shop", other, 101, &error));
	assert_ptr_equal(change_to_large(world, "shop", old, 100, &error), new);
	http_routes_leave(&world->table, old, "shop", START);
	assert_true(count_steps(world) <= HTTP_NAMESPACE_STEPS_LIMIT);
}

/* As the kernel half does. */
static void find(struct world *world, uint32_t target, uint32_t number, const char *path)
{
	const struct http_found_key key = {.path = number, .target = target};
	struct http_found found = {.number = HTTP_ROUTE_FOUND | number,
				   .size = (__u32)strlen(path)};

	memcpy(found.path, path, strlen(path));
	assert_int_equal(bpf_map_update_elem(world->maps.found.descriptor, &key, &found, BPF_ANY),
			 0);
}

static void found_routes_have_names(void **state)
{
	struct world *world = *state;

	find(world, 1, 5, "/users/17");
	find(world, 1, 6, "");
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 5, START), "/users/{number}");
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 6, START), "/"); /* "http://host" */
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 9, START), "_OTHER");
	find(world, 1, 10, "/later");
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 10, START), "/later");
}

/* What has no name leaves the kernel's table, so that another request may name it. */
static void found_routes_without_a_name_do_not_stay(void **state)
{
	struct world *world = *state;
	const struct http_found_key key = {.path = 5, .target = 1};
	struct http_found found;

	find(world, 1, 5, "*");
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 5, START), "_OTHER");
	assert_int_equal(bpf_map_lookup_elem(world->maps.found.descriptor, &key, &found), -ENOENT);
}

static void found_routes_are_forgotten_when_idle(void **state)
{
	struct world *world = *state;

	find(world, 1, 1, "/used");
	find(world, 1, 2, "/idle");
	find(world, 1, 3, "/never");
	text_of(world, HTTP_ROUTE_FOUND | 2, START);
	text_of(world, HTTP_ROUTE_FOUND | 1, START + HTTP_FOUND_IDLE_MS - 1);
	http_routes_sweep(&world->table, START + HTTP_FOUND_IDLE_MS);
	assert_int_equal(count_found(world), 1);
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 1, START), "/used");
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 2, START), "_OTHER");
}

static void found_routes_go_with_their_target(void **state)
{
	struct world *world = *state;

	find(world, 1, 1, "/a");
	find(world, 1, 2, "/b");
	find(world, 2, 3, "/c");
	http_routes_forget_target(&world->table, 1, START);
	assert_int_equal(count_found(world), 1);
	assert_string_equal(text_of(world, HTTP_ROUTE_FOUND | 3, START), "/c");
}

static void skip_all(void **state)
{
	(void)state;
	skip();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(targets_share_their_templates),
		TEST(templates_have_names),
		TEST(names_outlive_the_last_target),
		TEST(a_set_comes_back),
		cmocka_unit_test_setup_teardown(says_when_there_is_no_room, setup_small, teardown),
		cmocka_unit_test_setup_teardown(each_namespace_has_a_share, setup_large, teardown),
		cmocka_unit_test_setup_teardown(lists_change_in_a_full_share, setup_large,
						teardown),
		TEST(found_routes_have_names),
		TEST(found_routes_without_a_name_do_not_stay),
		TEST(found_routes_are_forgotten_when_idle),
		TEST(found_routes_go_with_their_target),
	};
	const struct CMUnitTest skipped[] = {cmocka_unit_test(skip_all)};
	int map = map_new(4, 4, 1);

	if (map < 0) {
		printf("skipped: needs the right to use BPF (CAP_BPF or CAP_SYS_ADMIN)\n");
		return cmocka_run_group_tests(skipped, NULL, NULL);
	}
	close(map);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
