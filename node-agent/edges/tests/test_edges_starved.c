// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Who talks to whom, without memory: less is known, it is said where it must be, nothing is wrong.
 */

#include "lib/base/tests/starve.h"

#include "lib/base/json.h"
#include "node-agent/edges/edge_book.h"
#include "node-agent/edges/learnt_names.h"
#include "node-agent/edges/peer_cache.h"

static const struct ip_address one = {{1}}, other = {{2}};

/* What is not known is asked for; what is answered is known, or as it was. */
static bool ask_for_a_peer(void *context)
{
	const struct peer answer = {one, PEER_SERVICE, "shop", "cart", "", "", ""};
	struct peer_cache cache = {0};
	struct peer_identity identity;
	struct lookup lookup;
	bool done;

	(void)context;
	peer_cache_find(&cache, &one, 0, &identity);
	done = peer_cache_next_lookup(&cache, &lookup) && lookup.address_count == 1;
	peer_cache_answer(&cache, &answer);
	done = done && peer_cache_find(&cache, &one, 1, &identity) &&
	       strcmp(identity.name, "cart") == 0;
	/* One that was asked and is wanted no more: the operator is told, if there is memory. */
	peer_cache_expire(&cache, PEER_CACHE_IDLE_MS + 1);
	done = done && peer_cache_next_lookup(&cache, &lookup) && lookup.forget_count == 1;
	starve_pause();
	assert_int_equal(peer_cache_count(&cache), 0);
	peer_cache_clear(&cache);
	return done;
}

/* Once they are known, a use moves an entry to the end of its order, which takes no memory. */
static bool use_again(void *context)
{
	struct peer_cache *cache = context;
	struct peer_identity identity;

	peer_cache_find(cache, &one, 1000000, &identity);
	peer_cache_find(cache, &other, 2000000, &identity);
	return peer_cache_count(cache) == 2;
}

static bool learn_names(void *context)
{
	struct learnt_names names = {0};
	bool done;

	(void)context;
	learnt_names_add(&names, "shop", "pod", &one, "example.org", 60, 0);
	learnt_names_add(&names, "shop", "pod", &other, "example.com", 60, 0);
	learnt_names_add(&names, "shop", "pod", &one, "example.net", 60,
			 0); /* instead of the first */
	done = strcmp(learnt_names_find(&names, "pod", &one, 1), "example.net") == 0 &&
	       strcmp(learnt_names_find(&names, "pod", &other, 1), "example.com") == 0;
	starve_pause();
	learnt_names_clear(&names);
	assert_null(names.pods);
	assert_int_equal(names.count, 0);
	return done;
}

static const double bounds[] = {0.001};
static const struct series_family families[] = {
	{.name = "skep_tcp_connections_opened_total", .help = "", .type = METRIC_COUNTER},
	{.name = "skep_tcp_srtt_seconds",
	 .help = "",
	 .type = METRIC_HISTOGRAM,
	 .unit = 1e-6,
	 .bounds = bounds,
	 .bound_count = 1},
};
static const struct series_layout layout = {families, 2};

struct told {
	struct series_store *store;
	struct series_row *row;
};

static const struct reported_edge edge = {.protocol = "tcp",
					  .workload = {"shop", "Deployment", "web"},
					  .peer = {"shop", "Deployment", "cart"},
					  .port = 80};

/* What could not be entered is told to be missing; what could not be told is told in full later. */
static bool report_edge(void *context)
{
	struct told *told = context;
	struct edge_book book = {0};
	cJSON *message;
	bool entered, done;

	series_row_set_mark(told->row, NULL);
	edge_book_enter(&book, told->row, &edge, false);
	entered = series_row_mark(told->row) != NULL;
	message = edge_book_report(&book, told->store);
	done = entered && message;
	starve_pause();
	if (!message)
		message = edge_book_report(&book, told->store);
	assert_true(json_boolean(message, false, "full"));
	assert_int_equal(json_boolean(message, false, "truncated"), !entered);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "edges")), entered);
	cJSON_Delete(message);
	series_row_set_mark(told->row, NULL);
	edge_book_clear(&book);
	return done;
}

static void survives_without_memory(void **state)
{
	static const struct metric_label label = {"pod", "web"};
	static const struct strings policies = {0};
	struct told told = {.store = series_store_new()};
	struct series_owner *owner = series_owner_new(told.store, &label, 1, &policies);
	struct peer_cache cache = {0};

	(void)state;
	told.row = series_row(owner, &layout, NULL, 0);
	series_add(told.row, 0, 1);
	assert_true(starve(ask_for_a_peer, NULL) > 5);
	assert_int_equal(starve(use_again, &cache), 0);
	peer_cache_clear(&cache);
	assert_true(starve_degrading(learn_names, NULL) > 8); /* the first name is replaced */
	assert_true(starve(report_edge, &told) > 30);
	series_owner_free(owner, 0);
	series_store_free(told.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
