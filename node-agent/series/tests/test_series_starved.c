// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Series without memory: what has no row is added to nothing, nobody crashes, and what is there
 * counts for those who ask for it.
 */

#include "lib/base/tests/starve.h"

#include "node-agent/series/quota.h"
#include "node-agent/series/store.h"

static const double bounds[] = {0.5};
static const struct series_family families[] = {
	{.name = "e_total", .help = "E.", .type = METRIC_COUNTER},
	{.name = "w_seconds",
	 .help = "W.",
	 .type = METRIC_HISTOGRAM,
	 .unit = 1e-6,
	 .bounds = bounds,
	 .bound_count = 1},
};
static const struct series_layout layout = {families, 2};
static const struct metric_label pod = {"pod", "a"}, edge = {"edge", "b"};

static char *policy_names[] = {"shop/a", "shop/b"};
static const struct strings policy_a = {policy_names, 1};
static const struct strings both = {policy_names, 2};

/* A store in which an owner holds a row, or NULL. */
static struct series_store *store_with_row(struct series_owner **ret_owner, bool *ret_is_shown)
{
	struct series_store *store = series_store_new();
	struct series_owner *owner = store ? series_owner_new(store, &pod, 1, &policy_a) : NULL;
	struct series_row *row = owner ? series_row(owner, &layout, &edge, 1) : NULL;

	*ret_owner = owner;
	*ret_is_shown = row && !series_row_is_rest(row);
	if (row)
		series_add(row, 0, 7);
	return store;
}

/* The row is written with what was added, unless it came too short. */
static void check_written(const struct series_store *store, bool is_shown)
{
	struct text out = TEXT_EMPTY;

	series_write(store, &out);
	assert_int_equal(out.data && strstr(out.data, "e_total{pod=\"a\",edge=\"b\"} 7\n"),
			 is_shown);
	text_free(&out);
}

static bool add_row(void *context)
{
	struct series_owner *owner;
	bool is_shown;
	struct series_store *store = store_with_row(&owner, &is_shown);

	(void)context;
	starve_pause();
	if (store)
		check_written(store, is_shown);
	series_owner_free(owner, 0);
	series_store_free(store);
	return is_shown;
}

/* Without memory, the row counts for those who asked for it before. */
static bool change_policies(void *context)
{
	struct series_owner *owner;
	struct series_store *store;
	bool done;

	(void)context;
	starve_pause();
	store = store_with_row(&owner, &done);
	starve_resume();
	done = series_owner_set_policies(owner, &both) == 0;
	starve_pause();
	check_written(store, true);
	assert_int_equal(series_owner_set_policies(owner, &both), 0);
	series_owner_free(owner, 0);
	series_expire(store, SERIES_LINGER_MS);
	assert_int_equal(series_count(store), 0);
	series_store_free(store);
	return done;
}

/* A row whose owner has gone is taken up by another. */
static bool take_up_row(void *context)
{
	struct series_owner *owner, *next;
	struct series_store *store;
	struct series_row *row;
	bool done;

	(void)context;
	starve_pause();
	store = store_with_row(&owner, &done);
	series_owner_free(owner, 0);
	starve_resume();
	next = series_owner_new(store, &pod, 1, &both);
	row = next ? series_row(next, &layout, &edge, 1) : NULL;
	done = row && !series_row_is_rest(row);
	starve_pause();
	check_written(store, true);
	series_owner_free(next, 0);
	series_expire(store, SERIES_LINGER_MS);
	assert_int_equal(series_count(store), 0);
	series_store_free(store);
	return done;
}

static bool write_all(void *context)
{
	struct text out = TEXT_EMPTY;
	bool done;

	series_write(context, &out);
	done = !out.failed;
	text_free(&out);
	return done;
}

static bool write_refusals(void *context)
{
	struct text out = TEXT_EMPTY;
	bool done;

	series_quotas_write(context, &out);
	done = !out.failed;
	text_free(&out);
	return done;
}

static void survives_without_memory(void **state)
{
	struct series_owner *owner;
	bool is_shown;
	struct series_store *store = store_with_row(&owner, &is_shown);
	struct series_quotas quotas = {0};
	struct series_quota *quota = series_quota_use(&quotas, "shop/a");

	(void)state;
	quota->refused = 1;
	assert_true(starve(add_row, NULL) > 10);
	assert_true(starve(change_policies, NULL) > 3);
	assert_true(starve(take_up_row, NULL) > 8);
	assert_true(starve(write_all, store) >= 1);
	assert_true(starve(write_refusals, &quotas) >= 1);
	series_quota_leave(&quotas, quota);
	series_owner_free(owner, 0);
	series_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
