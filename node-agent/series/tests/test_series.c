// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The store of series: what is added, who shares it, when it leaves, what has no room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/lib/share.h"
#include "node-agent/series/quota.h"
#include "node-agent/series/store.h"

enum { EVENTS, OPEN, LOWEST, WAIT };

static const double bounds[] = {0.000004, 0.5};
static const struct series_family families[] = {
	[EVENTS] = {.name = "e_total", .help = "E.", .type = METRIC_COUNTER},
	[OPEN] = {.name = "o", .help = "O.", .type = METRIC_GAUGE},
	[LOWEST] = {.name = "l_seconds", .help = "L.", .type = METRIC_GAUGE, .unit = 1e-6},
	[WAIT] = {.name = "w_seconds",
		  .help = "W.",
		  .type = METRIC_HISTOGRAM,
		  .unit = 1e-6,
		  .bounds = bounds,
		  .bound_count = 2},
};
static const struct series_layout layout = {families, 4};
#define LAYOUT_SERIES 8 /* of one row: three, and five of the histogram */

static const struct series_family plain_family = {
	.name = "p_total", .help = "P.", .type = METRIC_COUNTER, .unit = 1024};
static const struct series_layout plain = {&plain_family, 1};

static char *policy_names[] = {"shop/a", "shop/b"};
static const struct strings policy_a = {policy_names, 1};
static const struct strings policy_b = {policy_names + 1, 1};
static char *name_of_bank[] = {"bank/a"};
static const struct strings policy_of_bank = {name_of_bank, 1};
static const struct strings both = {policy_names, 2};

static struct series_owner *make_owner(struct series_store *store, const char *pod,
				       const struct strings *policies)
{
	const struct metric_label label = {"pod", pod};
	struct series_owner *owner = series_owner_new(store, &label, 1, policies);

	assert_non_null(owner);
	return owner;
}

/* The row, with its first family shown. */
static struct series_row *row_of(struct series_owner *owner, const struct series_layout *of,
				 const char *edge)
{
	const struct metric_label label = {"edge", edge};
	struct series_row *row = series_row(owner, of, &label, edge ? 1 : 0);

	series_add(row, 0, 0);
	return row;
}

static void check_written(const struct series_store *store, const char *expected)
{
	struct text out = TEXT_EMPTY;

	series_write(store, &out);
	assert_false(out.failed);
	assert_string_equal(out.data ? out.data : "", expected);
	text_free(&out);
}

static bool is_written(const struct series_store *store, const char *sample)
{
	struct text out = TEXT_EMPTY;
	bool found;

	series_write(store, &out);
	found = out.data && strstr(out.data, sample);
	text_free(&out);
	return found;
}

static int set_up(void **state)
{
	*state = series_store_new();
	return 0;
}

static int tear_down(void **state)
{
	series_store_free(*state);
	return 0;
}

static void test_writes_each_family_once(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	struct series_row *a = row_of(owner, &layout, "a"), *b = row_of(owner, &layout, "b");
	const uint64_t counts[] = {2, 0, 1};

	series_add(a, EVENTS, 3);
	series_add(a, EVENTS, 4);
	series_add(a, OPEN, 0);
	series_add(b, OPEN, 2);
	series_add(b, OPEN, -1);
	series_lower(b, LOWEST, 1234567);
	series_lower(b, LOWEST, 3);
	series_lower(b, LOWEST, 4);
	series_add_histogram(a, WAIT, counts, 1000007);
	series_add_histogram(a, WAIT, counts, 3);
	series_add(row_of(owner, &plain, NULL), 0, 3);
	check_written(store, "# HELP e_total E.\n# TYPE e_total counter\n"
			     "e_total{pod=\"x\",edge=\"a\"} 7\n"
			     "e_total{pod=\"x\",edge=\"b\"} 0\n"
			     "# HELP o O.\n# TYPE o gauge\n"
			     "o{pod=\"x\",edge=\"a\"} 0\n"
			     "o{pod=\"x\",edge=\"b\"} 1\n"
			     "# HELP l_seconds L.\n# TYPE l_seconds gauge\n"
			     "l_seconds{pod=\"x\",edge=\"b\"} 3e-06\n"
			     "# HELP w_seconds W.\n# TYPE w_seconds histogram\n"
			     "w_seconds_bucket{pod=\"x\",edge=\"a\",le=\"4e-06\"} 4\n"
			     "w_seconds_bucket{pod=\"x\",edge=\"a\",le=\"0.5\"} 4\n"
			     "w_seconds_bucket{pod=\"x\",edge=\"a\",le=\"+Inf\"} 6\n"
			     "w_seconds_sum{pod=\"x\",edge=\"a\"} 1.00001\n"
			     "w_seconds_count{pod=\"x\",edge=\"a\"} 6\n"
			     "# HELP p_total P.\n# TYPE p_total counter\n"
			     "p_total{pod=\"x\"} 3072\n");
	series_owner_free(owner, 0);
}

static void test_escapes_labels(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x\"\\", &policy_a);

	(void)row_of(owner, &plain, "\n");
	check_written(store, "# HELP p_total P.\n# TYPE p_total counter\n"
			     "p_total{pod=\"x\\\"\\\\\",edge=\"\\n\"} 0\n");
	series_owner_free(owner, 0);
}

static void test_owners_without_labels(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = series_owner_new(store, NULL, 0, &policy_a);

	series_add(row_of(owner, &plain, NULL), 0, 1);
	series_add(row_of(owner, &plain, "a"), 0, 2);
	check_written(store, "# HELP p_total P.\n# TYPE p_total counter\n"
			     "p_total 1024\n"
			     "p_total{edge=\"a\"} 2048\n");
	series_owner_free(owner, 0);
}

static void test_pods_of_a_workload_share(void **state)
{
	struct series_store *store = *state;
	struct series_owner *first = make_owner(store, "web", &policy_a);
	struct series_owner *second = make_owner(store, "web", &policy_a);

	assert_ptr_equal(row_of(first, &plain, "a"), row_of(second, &plain, "a"));
	series_add(row_of(first, &plain, "a"), 0, 1);
	series_add(row_of(second, &plain, "a"), 0, 2);
	assert_true(is_written(store, "p_total{pod=\"web\",edge=\"a\"} 3072\n"));
	/* While one is there, the row stays, with what the other had added. */
	series_owner_free(first, 0);
	series_expire(store, 10 * SERIES_LINGER_MS);
	assert_true(is_written(store, "p_total{pod=\"web\",edge=\"a\"} 3072\n"));
	series_owner_free(second, 0);
}

static void test_leaves_a_minute_after_the_last_owner(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);

	series_add(row_of(owner, &plain, "a"), 0, 1);
	series_owner_free(owner, 1000);
	series_expire(store, 1000 + SERIES_LINGER_MS - 1);
	assert_true(is_written(store, "p_total{pod=\"x\",edge=\"a\"} 1024\n"));
	series_expire(store, 1000 + SERIES_LINGER_MS);
	check_written(store, "");
	/* What comes later begins anew. */
	owner = make_owner(store, "x", &policy_a);
	(void)row_of(owner, &plain, "a");
	assert_true(is_written(store, "p_total{pod=\"x\",edge=\"a\"} 0\n"));
	series_owner_free(owner, 0);
}

static void test_comes_back_meanwhile(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);

	series_add(row_of(owner, &plain, "a"), 0, 1);
	series_add(row_of(owner, &plain, "b"), 0, 1);
	series_owner_free(owner, 0);
	series_expire(store, SERIES_LINGER_MS - 1);
	owner = make_owner(store, "x", &policy_a);
	series_add(row_of(owner, &plain, "a"), 0, 1);
	series_expire(store, SERIES_LINGER_MS);
	assert_true(is_written(store, "p_total{pod=\"x\",edge=\"a\"} 2048\n"));
	assert_false(is_written(store, "edge=\"b\""));
	series_owner_free(owner, 0);
}

/* Asks for rows edge="0", ... until `count` series are there. */
static void fill(struct series_owner *owner, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char edge[24];

		snprintf(edge, sizeof(edge), "%zu", i);
		(void)row_of(owner, &plain, edge);
	}
}

static void test_beyond_the_bound_is_added_up(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	struct series_row *overflow;

	fill(owner, SERIES_POLICY_LIMIT);
	assert_false(is_written(store, "skep_series_overflowed_total"));
	overflow = row_of(owner, &plain, "more");
	assert_ptr_equal(row_of(owner, &plain, "and more"), overflow);
	series_add(overflow, 0, 1);
	series_add(row_of(owner, &plain, "and more"), 0, 1);
	assert_true(is_written(store, "p_total{pod=\"x\",otel_metric_overflow=\"true\"} 2048\n"));
	assert_true(is_written(store, "# TYPE skep_series_overflowed_total counter\n"
				      "skep_series_overflowed_total{k8s_namespace_name=\"shop\","
				      "policy=\"a\"} 3\n"));
	/* What has a row already goes on with it. */
	assert_ptr_not_equal(row_of(owner, &plain, "0"), overflow);
	series_owner_free(owner, 0);
}

static void test_a_row_counts_as_its_lines(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	const uint64_t counts[] = {1, 0, 0};
	struct series_row *row;

	fill(owner, SERIES_POLICY_LIMIT - LAYOUT_SERIES);
	row = row_of(owner, &layout, "last");
	series_add(row, OPEN, 1);
	series_lower(row, LOWEST, 1);
	series_add_histogram(row, WAIT, counts, 1);
	assert_int_equal(series_count(store), SERIES_POLICY_LIMIT);
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	(void)row_of(owner, &plain, "more");
	assert_true(is_written(store, "p_total{pod=\"x\",otel_metric_overflow=\"true\"} 0\n"));
	(void)row_of(owner, &layout, "more");
	assert_true(is_written(store, "e_total{pod=\"x\",otel_metric_overflow=\"true\"} 0\n"));
	series_owner_free(owner, 0);
}

static void test_room_of_any_policy_is_room(void **state)
{
	struct series_store *store = *state;
	struct series_owner *full = make_owner(store, "x", &policy_a);
	struct series_owner *other = make_owner(store, "y", &policy_b);
	struct series_owner *of_both = make_owner(store, "z", &both);

	fill(full, SERIES_POLICY_LIMIT);
	(void)row_of(other, &plain, "a"); /* another policy's */
	(void)row_of(of_both, &plain, "a");
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	series_owner_free(full, 0);
	series_owner_free(other, 0);
	series_owner_free(of_both, 0);
}

#define SHARE (SERIES_NODE_LIMIT / (1 + SHARE_TIMES_FREE) * SHARE_TIMES_FREE)

/* Policies of one namespace have their share of the node, however many they are. */
static void test_a_namespace_has_its_share_of_all(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owners[SHARE / SERIES_POLICY_LIMIT + 1], *late, *neighbour;
	const size_t count = sizeof(owners) / sizeof(owners[0]);
	char name[32], *names[] = {name};
	const struct strings policy = {names, 1};

	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "shop/%zu", i);
		owners[i] = make_owner(store, name, &policy);
		fill(owners[i], i + 1 < count ? SERIES_POLICY_LIMIT : SHARE % SERIES_POLICY_LIMIT);
	}
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	late = make_owner(store, "z", &policy_a);
	(void)row_of(late, &plain, "a");
	assert_true(is_written(store, "p_total{pod=\"z\",otel_metric_overflow=\"true\"} 0\n"));
	assert_true(is_written(store, "policy=\"a\"} 1\n"));
	neighbour = make_owner(store, "n", &policy_of_bank);
	(void)row_of(neighbour, &plain, "a");
	assert_true(is_written(store, "p_total{pod=\"n\",edge=\"a\"} 0\n"));
	for (size_t i = 0; i < count; i++)
		series_owner_free(owners[i], 0);
	series_expire(store, SERIES_LINGER_MS);
	(void)row_of(late, &plain, "a");
	assert_true(is_written(store, "p_total{pod=\"z\",edge=\"a\"} 0\n"));
	series_owner_free(late, 0);
	series_owner_free(neighbour, 0);
}

/* What several policies of a namespace ask for counts for it once. */
static void test_a_row_takes_of_a_share_once(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owners[SHARE / SERIES_POLICY_LIMIT], *late;
	const size_t count = sizeof(owners) / sizeof(owners[0]);
	char names[2][32], *pair[] = {names[0], names[1]};
	const struct strings policies = {pair, 2};

	for (size_t i = 0; i < count; i++) {
		snprintf(names[0], sizeof(names[0]), "shop/%zu", 2 * i);
		snprintf(names[1], sizeof(names[1]), "shop/%zu", 2 * i + 1);
		owners[i] = make_owner(store, names[0], &policies);
		fill(owners[i], SERIES_POLICY_LIMIT);
	}
	late = make_owner(store, "z", &policy_a);
	fill(late, SHARE % SERIES_POLICY_LIMIT);
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	for (size_t i = 0; i < count; i++)
		series_owner_free(owners[i], 0);
	series_owner_free(late, 0);
}

/* As for a policy, what a row could show and does not takes nothing of the node's room. */
static void test_the_node_counts_what_is_shown(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	char edge[32];

	for (size_t i = 0; i < SERIES_POLICY_LIMIT - 100; i++) {
		snprintf(edge, sizeof(edge), "%zu", i);
		(void)row_of(owner, &layout, edge);
	}
	assert_int_equal(series_count(store), SERIES_POLICY_LIMIT - 100);
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	series_owner_free(owner, 0);
}

/* What a policy may have, and who was told that it has no more. */
struct room {
	size_t limit;
	unsigned int told;
	size_t told_limit;
};

static size_t limit_of(void *context, const char *policy)
{
	const struct room *room = context;

	return strcmp(policy, "shop/a") == 0 ? room->limit : SERIES_POLICY_LIMIT;
}

static void on_refused(void *context, const char *policy, size_t limit)
{
	struct room *room = context;

	assert_string_equal(policy, "shop/a");
	room->told++;
	room->told_limit = limit;
}

/* A bound holds from the next row on, whether it was raised or lowered. */
static void test_a_policy_can_have_less(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	struct series_owner *other = make_owner(store, "y", &policy_b);
	struct series_row *kept;
	struct room room = {.limit = 3};

	series_store_set_bounds(store, &(struct series_bounds){limit_of, on_refused, &room});
	fill(owner, 3);
	fill(other, 10);
	kept = row_of(owner, &plain, "0");
	assert_int_equal(room.told, 0);
	(void)row_of(owner, &plain, "more");
	assert_int_equal(room.told, 1);
	assert_int_equal(room.told_limit, 3);
	assert_true(is_written(store, "p_total{pod=\"x\",otel_metric_overflow=\"true\"} 0\n"));
	room.limit = 4;
	(void)row_of(owner, &plain, "more");
	assert_true(is_written(store, "p_total{pod=\"x\",edge=\"more\"} 0\n"));
	room.limit = 1;
	assert_ptr_equal(row_of(owner, &plain, "0"), kept);
	assert_int_equal(room.told, 1);
	(void)row_of(owner, &plain, "yet more");
	assert_int_equal(room.told, 2);
	assert_int_equal(room.told_limit, 1);
	series_owner_free(owner, 0);
	series_owner_free(other, 0);
}

/* Whose owner has no policies is bounded as well, but nobody is told: no name of a policy is "". */
static void test_without_a_policy_nobody_is_told(void **state)
{
	static const struct strings nobody = {0};
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &nobody);
	struct room room = {0};

	series_store_set_bounds(store, &(struct series_bounds){limit_of, on_refused, &room});
	fill(owner, SERIES_POLICY_LIMIT);
	(void)row_of(owner, &plain, "more");
	assert_true(is_written(store, "p_total{pod=\"x\",otel_metric_overflow=\"true\"} 0\n"));
	assert_int_equal(room.told, 0);
	series_owner_free(owner, 0);
}

static void test_shared_rows_count_once(void **state)
{
	struct series_store *store = *state;
	struct series_owner *first = make_owner(store, "x", &policy_a);
	struct series_owner *second = make_owner(store, "x", &policy_a);

	fill(first, SERIES_POLICY_LIMIT - 1);
	fill(second, SERIES_POLICY_LIMIT);
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	series_owner_free(first, 0);
	fill(second, SERIES_POLICY_LIMIT + 1);
	assert_true(is_written(store, SERIES_OVERFLOW_LABEL));
	series_owner_free(second, 0);
}

static void test_what_lingers_takes_room(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);

	fill(owner, SERIES_POLICY_LIMIT);
	series_owner_free(owner, 0);
	owner = make_owner(store, "y", &policy_a);
	(void)row_of(owner, &plain, "a");
	assert_true(is_written(store, "p_total{pod=\"y\",otel_metric_overflow=\"true\"} 0\n"));
	series_expire(store, SERIES_LINGER_MS);
	(void)row_of(owner, &plain, "a");
	assert_true(is_written(store, "p_total{pod=\"y\",edge=\"a\"} 0\n"));
	series_owner_free(owner, 0);
}

/* Where a policy is full, rows that nobody asks for any more make room; never those in use. */
static void test_idle_rows_make_room(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	struct series_owner *other = make_owner(store, "y", &policy_b);
	struct series_row *rest;

	fill(owner, SERIES_POLICY_LIMIT);
	fill(other, 1);
	series_expire(store, 2 * SERIES_IDLE_MS); /* after a jump of time: not yet */
	rest = row_of(owner, &plain, "more");
	series_expire(store, 2 * SERIES_IDLE_MS + 1);
	fill(owner, SERIES_POLICY_LIMIT);
	series_expire(store, 3 * SERIES_IDLE_MS);
	assert_ptr_equal(row_of(owner, &plain, "more"), rest);
	assert_true(is_written(store, SERIES_OVERFLOW_LABEL));
	fill(owner, 10);
	series_expire(store, 3 * SERIES_IDLE_MS + 1);
	assert_ptr_not_equal(row_of(owner, &plain, "more"), rest);
	assert_true(is_written(store, "p_total{pod=\"x\",edge=\"more\"} 0\n"));
	assert_true(is_written(store, "p_total{pod=\"x\",edge=\"9\"} 0\n"));
	assert_false(is_written(store, "p_total{pod=\"x\",edge=\"10\"} 0\n"));
	assert_true(is_written(store, "p_total{pod=\"y\",edge=\"0\"} 0\n")); /* has room */
	assert_int_equal(series_count(store), 10 + 1 + 1 + 1);
	series_owner_free(owner, 0);
	series_owner_free(other, 0);
}

static void test_rows_follow_the_policies(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	struct series_owner *other = make_owner(store, "y", &policy_a);

	fill(owner, SERIES_POLICY_LIMIT);
	assert_int_equal(series_owner_set_policies(owner, &both), 0);
	assert_int_equal(series_owner_set_policies(owner, &policy_b), 0);
	(void)row_of(other, &plain, "a"); /* there is room again */
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	(void)row_of(owner, &plain, "more"); /* but not in the other policy */
	assert_true(is_written(store, "p_total{pod=\"x\",otel_metric_overflow=\"true\"} 0\n"));
	assert_true(is_written(store, "policy=\"b\"} 1\n"));
	assert_false(is_written(store, "policy=\"a\""));
	/* An overflow row counts for nobody, before and after. */
	assert_int_equal(series_owner_set_policies(owner, &policy_a), 0);
	series_owner_free(owner, 0);
	series_owner_free(other, 0);
}

static void test_rows_that_come_back_count_for_the_new_policy(void **state)
{
	struct series_store *store = *state;
	struct series_owner *owner = make_owner(store, "x", &policy_a);
	struct series_owner *other = make_owner(store, "y", &policy_a);

	fill(owner, SERIES_POLICY_LIMIT);
	series_owner_free(owner, 0);
	owner = make_owner(store, "x", &policy_b);
	fill(owner, 1);
	(void)row_of(other, &plain, "a");
	assert_false(is_written(store, SERIES_OVERFLOW_LABEL));
	series_owner_free(owner, 0);
	series_owner_free(other, 0);
}

int main(void)
{
#define store_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		store_test(test_writes_each_family_once),
		store_test(test_escapes_labels),
		store_test(test_owners_without_labels),
		store_test(test_pods_of_a_workload_share),
		store_test(test_leaves_a_minute_after_the_last_owner),
		store_test(test_comes_back_meanwhile),
		store_test(test_beyond_the_bound_is_added_up),
		store_test(test_a_row_counts_as_its_lines),
		store_test(test_room_of_any_policy_is_room),
		store_test(test_a_namespace_has_its_share_of_all),
		store_test(test_a_row_takes_of_a_share_once),
		store_test(test_the_node_counts_what_is_shown),
		store_test(test_a_policy_can_have_less),
		store_test(test_without_a_policy_nobody_is_told),
		store_test(test_shared_rows_count_once),
		store_test(test_what_lingers_takes_room),
		store_test(test_idle_rows_make_room),
		store_test(test_rows_follow_the_policies),
		store_test(test_rows_that_come_back_count_for_the_new_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
