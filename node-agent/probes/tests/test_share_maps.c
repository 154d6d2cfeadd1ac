// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What namespaces hold of what they share, with the kernel's maps but without its programs: each
 * place is returned once, when it is free.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "node-agent/probes/http_kind_maps.h"
#include "node-agent/probes/http_route_maps.h"
#include "node-agent/probes/programs.h"
#include "node-agent/probes/shares.h"
#include "node-agent/probes/tests/share_rows.c"

#define PATIENCE_US 20000000
#define PAUSE_US    50000

struct world {
	struct shares shares;
	struct http_kind_maps kinds;
	struct http_route_maps routes;
	struct namespace *shop;
};

static int hash_new(size_t key_size, size_t value_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);

	return bpf_map_create(BPF_MAP_TYPE_HASH, "shares_test", (__u32)key_size, (__u32)value_size,
			      100, &options);
}

static int setup(void **state)
{
	static struct world world;
	struct error error;

	world.shares = shares_init();
	world.kinds = http_kind_maps_init(&world.shares);
	world.routes = http_route_maps_init(&world.shares);
	world.shares.map = hash_new(sizeof(struct share_key), sizeof(struct share_row));
	world.kinds.kinds.descriptor =
		hash_new(sizeof(struct http_kind), sizeof(struct http_kind_place));
	world.kinds.others.descriptor =
		hash_new(sizeof(struct http_kind), sizeof(struct http_counters));
	world.kinds.counters = bpf_map_create(BPF_MAP_TYPE_ARRAY, "shares_test", sizeof(__u32),
					      sizeof(struct http_counters), 100, NULL);
	world.kinds.free =
		bpf_map_create(BPF_MAP_TYPE_STACK, "shares_test", 0, sizeof(__u32), 100, NULL);
	world.routes.found.descriptor =
		hash_new(sizeof(struct http_found_key), sizeof(struct http_found));
	*state = &world;
	return shares_open(&world.shares, &error) < 0 ||
	       shares_join(&world.shares, "shop", &world.shop, &error) < 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	shares_leave(&world->shares, world->shop);
	assert_null(world->shares.namespaces.table);
	http_kind_maps_close(&world->kinds);
	http_route_maps_close(&world->routes);
	shares_close(&world->shares);
	return 0;
}

static uint64_t held(const struct world *world, uint32_t namespace, enum http_shared table)
{
	return share_held_now(world->shares.map, namespace, table);
}

static bool has_rows(const struct world *world, uint32_t namespace)
{
	const struct share_key taken = {.namespace = namespace, .side = SHARE_TAKEN},
			       returned = {.namespace = namespace, .side = SHARE_RETURNED};
	struct share_row row;

	return !bpf_map_lookup_elem(world->shares.map, &taken, &row) &&
	       !bpf_map_lookup_elem(world->shares.map, &returned, &row);
}

/* As the kernel half does. */
static void take(const struct world *world, uint32_t namespace, enum http_shared table)
{
	share_add(world->shares.map, namespace, table, 1);
	share_add(world->shares.map, SHARE_NODE, table, 1);
}

static void make_kind(const struct world *world, const struct http_kind *kind,
		      const struct http_kind_place *place)
{
	take(world, place->namespace, HTTP_SHARED_KINDS);
	assert_return_code(
		bpf_map_update_elem(world->kinds.kinds.descriptor, kind, place, BPF_NOEXIST),
		errno);
}

static void ignore(void *context, const void *key, const void *counters)
{
	(void)context, (void)key, (void)counters;
}

static void namespaces_have_rows_while_they_have_targets(void **state)
{
	struct world *world = *state;
	struct namespace *bank, *again;
	struct error error;
	uint32_t number;

	assert_true(has_rows(world, SHARE_NODE));
	assert_return_code(shares_join(&world->shares, "bank", &bank, &error), errno);
	assert_return_code(shares_join(&world->shares, "bank", &again, &error), errno);
	assert_ptr_equal(bank, again);
	number = bank->number;
	take(world, number, HTTP_SHARED_KINDS);
	shares_leave(&world->shares, bank);
	assert_int_equal(held(world, number, HTTP_SHARED_KINDS), 1);
	shares_leave(&world->shares, bank);
	assert_false(has_rows(world, number));
	shares_return(&world->shares, number, HTTP_SHARED_KINDS);
	assert_false(has_rows(world, number));
	assert_int_equal(held(world, SHARE_NODE, HTTP_SHARED_KINDS), 0);
	shares_leave(&world->shares, NULL);
}

/* Its counters rest until nobody can add to them any more; all the while they are held. */
static void a_kind_is_returned_when_its_counters_are_free(void **state)
{
	struct world *world = *state;
	const struct http_kind kind = {.target = 1, .port = 80};
	const struct http_kind_place place = {.index = 7, .namespace = world->shop->number};
	struct http_counters counters;
	unsigned int waited = 0;
	__u32 number;

	make_kind(world, &kind, &place);
	assert_return_code(http_kind_maps_take(&world->kinds, &kind, &counters), errno);
	assert_int_equal(held(world, place.namespace, HTTP_SHARED_KINDS), 1);
	assert_int_equal(http_kind_maps_take(&world->kinds, &kind, &counters), -ENOENT);
	while (bpf_map_lookup_and_delete_elem(world->kinds.free, NULL, &number)) {
		assert_int_equal(held(world, place.namespace, HTTP_SHARED_KINDS), 1);
		assert_true((waited += PAUSE_US) < PATIENCE_US);
		usleep(PAUSE_US);
		http_kind_maps_read(&world->kinds, ignore, NULL);
	}
	assert_int_equal(number, place.index);
	assert_int_equal(held(world, place.namespace, HTTP_SHARED_KINDS), 0);
	assert_int_equal(held(world, SHARE_NODE, HTTP_SHARED_KINDS), 0);
}

static void the_others_are_nobodys(void **state)
{
	struct world *world = *state;
	const struct http_kind others = {.target = 1};
	struct http_counters counters = {0};

	assert_return_code(
		bpf_map_update_elem(world->kinds.others.descriptor, &others, &counters, BPF_ANY),
		errno);
	assert_return_code(http_kind_maps_take(&world->kinds, &others, &counters), errno);
	assert_int_equal(held(world, SHARE_NODE, HTTP_SHARED_KINDS), 0);
}

static void a_route_is_returned_once(void **state)
{
	struct world *world = *state;
	const struct http_found_key key = {.path = 1, .target = 1};
	const struct http_found found = {.number = HTTP_ROUTE_FOUND | 1,
					 .namespace = world->shop->number};

	for (int i = 0; i < 2; i++)
		take(world, found.namespace, HTTP_SHARED_FOUND);
	assert_return_code(
		bpf_map_update_elem(world->routes.found.descriptor, &key, &found, BPF_ANY), errno);
	for (int i = 0; i < 2; i++)
		http_route_maps_forget(&world->routes, &key);
	assert_int_equal(held(world, found.namespace, HTTP_SHARED_FOUND), 1);
	assert_int_equal(held(world, SHARE_NODE, HTTP_SHARED_FOUND), 1);
	assert_int_equal(held(world, found.namespace, HTTP_SHARED_KINDS), 0);
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
		TEST(namespaces_have_rows_while_they_have_targets),
		TEST(a_kind_is_returned_when_its_counters_are_free),
		TEST(the_others_are_nobodys),
		TEST(a_route_is_returned_once),
	};
	const struct CMUnitTest skipped[] = {cmocka_unit_test(skip_all)};
	int map = hash_new(4, 4);

	if (map < 0) {
		printf("skipped: needs the right to use BPF (CAP_BPF or CAP_SYS_ADMIN)\n");
		return cmocka_run_group_tests(skipped, NULL, NULL);
	}
	close(map);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
