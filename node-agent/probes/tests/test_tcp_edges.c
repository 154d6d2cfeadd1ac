// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Edges of the TCP probe: what was counted goes into the series once, under the right name. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node-agent/probes/tcp_edges.h"
#include "node-agent/probes/tcp_rows.h"
#include "node-agent/series/store.h"

#define START 1000000 /* ms */

struct world {
	struct series_store *store;
	struct series_owner *owner;
	struct tcp_edges edges;
	const char *peer; /* who has every address; NULL: not known yet */
};

static int setup(void **state)
{
	static struct world world;
	const struct metric_label label = {"pod", "p"};
	const struct strings policies = {0};

	world = (struct world){.store = series_store_new(), .peer = "db"};
	world.owner = series_owner_new(world.store, &label, 1, &policies);
	*state = &world;
	return world.owner ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *world = *state;
	struct tcp_edge *edge, *next;

	HASH_ITER(hh, world->edges.table, edge, next)
		tcp_edges_remove(&world->edges, edge);
	series_owner_free(world->owner, START);
	series_store_free(world->store);
	return 0;
}

static struct series_row *name(void *context, struct series_owner *owner, const struct edge *edge)
{
	const struct world *world = context;
	const struct metric_label label = {"peer_name", world->peer};

	assert_int_equal(edge->port, 5432);
	return world->peer ? series_row(owner, &tcp_layout, &label, 1) : NULL;
}

static struct tcp_edge *make_edge(struct world *world)
{
	const struct tcp_edge_key key = {
		.target = 1, .port = 5432, .role = TCP_CLIENT, .address[15] = 7};
	struct tcp_edge *edge = tcp_edges_ensure(&world->edges, &key, START);

	assert_non_null(edge);
	assert_ptr_equal(tcp_edges_ensure(&world->edges, &key, START), edge);
	return edge;
}

static void take(struct world *world, struct tcp_edge *edge, const struct tcp_counters *read,
		 bool last)
{
	tcp_edge_take(edge, read, world->owner, name, world, START, last);
}

/* The line is written, or with `value` NULL no line of this start is. */
static void check_line(const struct world *world, const char *labelled, const char *value)
{
	struct text out = TEXT_EMPTY;
	char line[256];

	series_write(world->store, &out);
	snprintf(line, sizeof(line), "\n%s%s%s", labelled, value ? " " : "", value ? value : "");
	strcat(line, value ? "\n" : "");
	if (!!(out.data && strstr(out.data, line)) != !!value)
		fail_msg("%s%s in:\n%s", value ? "no" : "", line, out.data ? out.data : "");
	text_free(&out);
}

#define SENT(peer) "skep_tcp_sent_bytes_total{pod=\"p\",peer_name=\"" peer "\"}"
#define OPEN(peer) "skep_tcp_connections_open{pod=\"p\",peer_name=\"" peer "\"}"

static void test_growth_is_added_once(void **state)
{
	struct world *world = *state;
	struct tcp_edge *edge = make_edge(world);
	struct tcp_counters read = {.opened = 2, .closed = 1, .sent_bytes = 100};

	take(world, edge, &read, false);
	take(world, edge, &read, false);
	check_line(world, SENT("db"), "100");
	check_line(world, OPEN("db"), "1");
	read.sent_bytes = 150;
	read.closed = 2;
	take(world, edge, &read, false);
	check_line(world, SENT("db"), "150");
	check_line(world, OPEN("db"), "0");
}

static void test_what_cannot_happen_is_not_shown(void **state)
{
	struct world *world = *state;
	const struct tcp_counters read = {.opened = 1};

	take(world, make_edge(world), &read, false);
	check_line(world, "skep_tcp_connections_opened_total{pod=\"p\",peer_name=\"db\"}", "1");
	check_line(world, "skep_tcp_connections_accepted_total{", NULL);
}

static void test_waits_until_the_peer_has_a_name(void **state)
{
	struct world *world = *state;
	struct tcp_edge *edge = make_edge(world);
	const struct tcp_counters first = {.opened = 1, .sent_bytes = 10};
	const struct tcp_counters second = {.opened = 1, .sent_bytes = 30};

	world->peer = NULL;
	take(world, edge, &first, false);
	check_line(world, "skep_tcp_sent_bytes_total{", NULL);
	world->peer = "db";
	take(world, edge, &second, false);
	check_line(world, SENT("db"), "30");
}

static void test_without_a_name_at_the_end_it_is_unknown(void **state)
{
	struct world *world = *state;
	const struct tcp_counters read = {.opened = 1, .closed = 1, .sent_bytes = 10};

	world->peer = NULL;
	take(world, make_edge(world), &read, true);
	check_line(world,
		   "skep_tcp_sent_bytes_total{pod=\"p\",role=\"client\",peer_kind=\"Unknown\","
		   "peer_namespace=\"\",peer_name=\"\",server_port=\"5432\"}",
		   "10");
}

static void test_an_address_that_changes_hands(void **state)
{
	struct world *world = *state;
	struct tcp_edge *edge = make_edge(world);
	struct tcp_counters read = {.opened = 1, .sent_bytes = 100};

	take(world, edge, &read, false);
	world->peer = "cache";
	read.sent_bytes = 107;
	take(world, edge, &read, false);
	check_line(world, SENT("db"), "100");
	check_line(world, OPEN("db"), "0");
	check_line(world, SENT("cache"), "7");
	check_line(world, OPEN("cache"), "1");
}

static void test_adopted_connections_are_open(void **state)
{
	struct world *world = *state;
	struct tcp_edge *edge = make_edge(world);
	const struct tcp_counters read = {0};

	edge->adopted = 3;
	take(world, edge, &read, false);
	check_line(world, OPEN("db"), "3");
	edge->adopted = 0;
	take(world, edge, &read, false);
	check_line(world, OPEN("db"), "0");
}

static void test_others_have_no_peer(void **state)
{
	struct world *world = *state;
	const struct tcp_edge_key key = {.target = 1, .role = TCP_SERVER};
	struct tcp_edge *edge = tcp_edges_ensure(&world->edges, &key, START);
	const struct tcp_counters read = {.accepted = 5};

	take(world, edge, &read, false);
	check_line(world,
		   "skep_tcp_connections_accepted_total{pod=\"p\",role=\"server\","
		   "otel_metric_overflow=\"true\"}",
		   "5");
	assert_false(tcp_edge_is_idle(edge, START + 10 * EDGE_IDLE_MS));
}

static void test_idle_after_a_minute_without_connections(void **state)
{
	struct world *world = *state;
	struct tcp_edge *edge = make_edge(world);
	struct tcp_counters read = {.opened = 1, .sent_bytes = 100};

	take(world, edge, &read, false);
	assert_false(tcp_edge_is_idle(edge, START + EDGE_IDLE_MS));
	read.closed = 1;
	take(world, edge, &read, false);
	assert_false(tcp_edge_is_idle(edge, START + EDGE_IDLE_MS - 1));
	assert_true(tcp_edge_is_idle(edge, START + EDGE_IDLE_MS));
	tcp_edges_remove(&world->edges, edge);
	check_line(world, SENT("db"), "100");
}

#define edges_test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		edges_test(test_growth_is_added_once),
		edges_test(test_what_cannot_happen_is_not_shown),
		edges_test(test_waits_until_the_peer_has_a_name),
		edges_test(test_without_a_name_at_the_end_it_is_unknown),
		edges_test(test_an_address_that_changes_hands),
		edges_test(test_adopted_connections_are_open),
		edges_test(test_others_have_no_peer),
		edges_test(test_idle_after_a_minute_without_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
