// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Kinds of HTTP exchanges: what was counted goes into the series once, under the right labels. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/lib/http_head.h"
#include "node-agent/probes/http_kinds.h"
#include "node-agent/probes/http_rows.h"
#include "node-agent/series/store.h"

#define START 1000000 /* ms */

struct world {
	struct series_store *store;
	struct series_owner *owner;
	struct http_kinds kinds;
	const char *peer; /* who has every address; NULL: not known yet */
};

static int setup(void **state)
{
	static struct world world;
	const struct metric_label label = {"pod", "p"};
	const struct strings policies = {0};

	world = (struct world){.store = series_store_new(), .peer = "web"};
	world.owner = series_owner_new(world.store, &label, 1, &policies);
	*state = &world;
	return world.owner ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry, *next;

	HASH_ITER(hh, world->kinds.table, entry, next)
		http_kinds_remove(&world->kinds, entry);
	series_owner_free(world->owner, START);
	series_store_free(world->store);
	return 0;
}

static struct series_row *name(void *context, struct series_owner *owner, const struct edge *edge)
{
	const struct world *world = context;
	struct metric_label labels[1 + EDGE_LABELS_LIMIT] = {{"peer_name", world->peer}};

	for (size_t i = 0; i < edge->label_count; i++)
		labels[1 + i] = edge->labels[i];
	return world->peer ? series_row(owner, &http_layout, labels, 1 + edge->label_count) : NULL;
}

static const char *name_route(void *context, const struct http_kind *kind)
{
	(void)context;
	return kind->route ? "/a/{b}" : "";
}

static struct http_read_kind *make_kind(struct world *world, enum http_role role, __u16 status)
{
	const struct http_kind kind = {.target = 1,
				       .port = 80,
				       .role = (__u8)role,
				       .method = HTTP_METHOD_POST,
				       .status = status,
				       .address[15] = 7};
	struct http_read_kind *entry = http_kinds_ensure(&world->kinds, &kind, START);

	assert_non_null(entry);
	assert_ptr_equal(http_kinds_ensure(&world->kinds, &kind, START), entry);
	return entry;
}

static void take(struct world *world, struct http_read_kind *entry,
		 const struct http_counters *read, bool last)
{
	const struct http_kind_namer namer = {name, name_route, world};

	http_kind_take(entry, read, &namer, world->owner, START, last);
}

/* The line is written, or with `value` NULL no line of this start is. */
static void check_line(const struct world *world, const char *labelled, const char *value)
{
	struct text out = TEXT_EMPTY;
	char line[320];

	series_write(world->store, &out);
	snprintf(line, sizeof(line), "\n%s%s%s%s", labelled, value ? " " : "", value ? value : "",
		 value ? "\n" : "");
	if (!!(out.data && strstr(out.data, line)) != !!value)
		fail_msg("%s%s in:\n%s", value ? "no" : "", line, out.data ? out.data : "");
	text_free(&out);
}

#define LABELS(peer, status, error)                                                                \
	"{pod=\"p\",peer_name=\"" peer "\",http_request_method=\"POST\","                          \
	"http_response_status_code=\"" status "\",error_type=\"" error "\"}"
#define SERVED "http_server_request_duration_seconds_count"
#define ASKED  "http_client_request_duration_seconds_count"

static void test_growth_is_added_once(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry = make_kind(world, HTTP_SERVER, 200);
	struct http_counters read = {.duration[3] = 2, .duration_sum = 1500, .request_bytes = 7};

	take(world, entry, &read, false);
	take(world, entry, &read, false);
	check_line(world, SERVED LABELS("web", "200", ""), "2");
	read.duration[4] = 1;
	read.duration_sum = 2000;
	take(world, entry, &read, false);
	check_line(world, SERVED LABELS("web", "200", ""), "3");
	check_line(world, "http_server_request_duration_seconds_sum" LABELS("web", "200", ""),
		   "0.002");
	check_line(world, "skep_http_request_bytes_total" LABELS("web", "200", ""), "7");
	check_line(world, ASKED, NULL);
}

/* As if this had been read before. */
static void set_read(struct http_read_kind *entry, const struct http_counters *read)
{
	entry->read = malloc(sizeof(*read));
	assert_non_null(entry->read);
	memcpy(entry->read, read, sizeof(*read));
	entry->read_size = sizeof(*read);
}

/* Of thousands of kinds, most have only ever been answered at once. */
static void test_kinds_keep_what_was_counted_and_no_more(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry = make_kind(world, HTTP_SERVER, 200);
	struct http_counters read = {.small_bytes = 7,
				     .quick[2] = (3ULL << HTTP_QUICK_COUNT) + 600};

	take(world, entry, &read, false);
	assert_int_equal(entry->read_size, 64);
	read.wait[HTTP_SLOTS - 1] = 1;
	take(world, entry, &read, false);
	assert_true(entry->read_size > 64);
	check_line(world, "skep_http_first_byte_seconds_count" LABELS("web", "200", ""), "4");
	read.wait[HTTP_SLOTS - 1] = 0; /* 2^32 - 1 more */
	take(world, entry, &read, false);
	take(world, entry, &read, false);
	check_line(world, "skep_http_first_byte_seconds_count" LABELS("web", "200", ""),
		   "4294967299");
	check_line(world, SERVED LABELS("web", "200", ""), "3");
	check_line(world, "skep_http_request_bytes_total" LABELS("web", "200", ""), "7");
}

/* What came in one packet is in both histograms; all that is short of bits goes round. */
static void test_responses_at_once_count_twice(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry = make_kind(world, HTTP_SERVER, 200);
	struct http_counters read = {.quick[2] = (3ULL << HTTP_QUICK_COUNT) + 600,
				     .duration[5] = 1,
				     .duration_sum = 2000,
				     .wait[1] = 1,
				     .wait_sum = 100};

	set_read(entry, &(struct http_counters){.quick[2] = (uint64_t)-1 << HTTP_QUICK_COUNT,
						.aborted_by_client = UINT32_MAX});
	take(world, entry, &read, false);
	check_line(world, SERVED LABELS("web", "200", ""), "5");
	check_line(world, "http_server_request_duration_seconds_sum" LABELS("web", "200", ""),
		   "0.0026");
	check_line(world, "skep_http_first_byte_seconds_count" LABELS("web", "200", ""), "5");
	check_line(world, "skep_http_first_byte_seconds_sum" LABELS("web", "200", ""), "0.0007");
	check_line(world, "skep_http_aborted_by_client_total" LABELS("web", "200", ""), "1");
}

#define BUCKET(family, le)                                                                         \
	family "_bucket{pod=\"p\",peer_name=\"web\",http_request_method=\"POST\","                 \
	       "http_response_status_code=\"200\",error_type=\"\",le=\"" le "\"}"
#define SERVED_UP_TO(le) BUCKET("http_server_request_duration_seconds", le)
#define BEGUN_UP_TO(le)	 BUCKET("skep_http_first_byte_seconds", le)

/* One exchange in each slot of the kernel: each bucket has all slots up to its bound. */
static void test_buckets_are_exact_sums_of_slots(void **state)
{
	struct world *world = *state;
	struct http_counters read = {0};

	for (int slot = 0; slot < HTTP_SLOTS; slot++)
		read.duration[slot] = read.wait[slot] = 1;
	take(world, make_kind(world, HTTP_SERVER, 200), &read, false);
	check_line(world, SERVED_UP_TO("0.000064"), NULL);
	check_line(world, SERVED_UP_TO("0.000256"), "3"); /* 64, 128, 256 us */
	check_line(world, SERVED_UP_TO("0.001024"), "5");
	check_line(world, SERVED_UP_TO("0.002048"), "6");
	check_line(world, SERVED_UP_TO("0.262144"), "13");
	check_line(world, SERVED_UP_TO("1.048576"), "15");
	check_line(world, SERVED_UP_TO("4.194304"), "17");
	check_line(world, SERVED_UP_TO("16.777216"), "19");
	check_line(world, SERVED_UP_TO("+Inf"), "21");
	check_line(world, BEGUN_UP_TO("0.000256"), "3");
	check_line(world, BEGUN_UP_TO("0.002048"), NULL);
	check_line(world, BEGUN_UP_TO("0.004096"), "7");
	check_line(world, BEGUN_UP_TO("1.048576"), "15");
	check_line(world, BEGUN_UP_TO("+Inf"), "21");
}

/* What a policy's room is spent on: 300 edges, routes, statuses rather than 200. */
static void test_a_row_takes_33_series(void **state)
{
	struct world *world = *state;
	const struct http_counters read = {.quick[0] = 1ULL << HTTP_QUICK_COUNT};

	take(world, make_kind(world, HTTP_SERVER, 200), &read, false);
	assert_int_equal(series_count(world->store), 33);
}

/* The bytes of small messages are two numbers in one, of which the lower one may go over. */
static void test_bytes_of_small_messages(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry = make_kind(world, HTTP_SERVER, 200);
	struct http_counters read = {.small_bytes = UINT32_MAX, .request_bytes = 5000};

	take(world, entry, &read, false);
	read.small_bytes += 8 + (16ULL << HTTP_SMALL_RESPONSE);
	read.response_bytes = 2000;
	take(world, entry, &read, false);
	check_line(world, "skep_http_request_bytes_total" LABELS("web", "200", ""), "4294972303");
	check_line(world, "skep_http_response_bytes_total" LABELS("web", "200", ""), "2016");
}

static void test_errors_are_told_by_role(void **state)
{
	struct world *world = *state;
	const struct http_counters read = {.duration[0] = 1};

	take(world, make_kind(world, HTTP_SERVER, 404), &read, false);
	take(world, make_kind(world, HTTP_SERVER, 500), &read, false);
	take(world, make_kind(world, HTTP_CLIENT, 399), &read, false);
	take(world, make_kind(world, HTTP_CLIENT, 400), &read, false);
	take(world, make_kind(world, HTTP_CLIENT, 0), &read, false);
	check_line(world, SERVED LABELS("web", "404", ""), "1");
	check_line(world, SERVED LABELS("web", "500", "500"), "1");
	check_line(world, ASKED LABELS("web", "399", ""), "1");
	check_line(world, ASKED LABELS("web", "400", "400"), "1");
	check_line(world, ASKED LABELS("web", "", "no_response"), "1");
}

static void test_waits_for_a_name(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry = make_kind(world, HTTP_CLIENT, 200);
	const struct http_counters read = {.duration[0] = 1};

	world->peer = NULL;
	take(world, entry, &read, false);
	check_line(world, ASKED, NULL);
	world->peer = "db";
	take(world, entry, &read, false);
	check_line(world, ASKED LABELS("db", "200", ""), "1");
}

static void test_last_read_counts_as_unknown(void **state)
{
	struct world *world = *state;
	const struct http_counters read = {.duration[0] = 1};

	world->peer = NULL;
	take(world, make_kind(world, HTTP_CLIENT, 200), &read, true);
	check_line(world,
		   ASKED "{pod=\"p\",role=\"client\",peer_kind=\"Unknown\",peer_namespace=\"\","
			 "peer_name=\"\",server_port=\"80\",http_request_method=\"POST\","
			 "http_response_status_code=\"200\",error_type=\"\"}",
		   "1");
}

static void test_routes_are_told_apart(void **state)
{
	struct world *world = *state;
	struct http_kind kind = make_kind(world, HTTP_SERVER, 200)->kind;
	const struct http_counters read = {.duration[0] = 1};

	kind.route = 7;
	take(world, make_kind(world, HTTP_SERVER, 200), &read, false);
	take(world, http_kinds_ensure(&world->kinds, &kind, START), &read, false);
	check_line(world, SERVED LABELS("web", "200", ""), "1");
	check_line(world,
		   SERVED "{pod=\"p\",peer_name=\"web\",http_request_method=\"POST\","
			  "http_response_status_code=\"200\",error_type=\"\","
			  "http_route=\"/a/{b}\"}",
		   "1");
}

static void test_others_have_a_row_and_stay(void **state)
{
	struct world *world = *state;
	const struct http_kind others = {.target = 1, .role = HTTP_SERVER};
	struct http_read_kind *entry = http_kinds_ensure(&world->kinds, &others, START);
	const struct http_counters read = {.duration[0] = 5};

	take(world, entry, &read, false);
	check_line(world, SERVED "{pod=\"p\",role=\"server\",otel_metric_overflow=\"true\"}", "5");
	assert_false(http_kind_is_idle(entry, START + 10 * EDGE_IDLE_MS));
}

static void test_idle_after_a_minute(void **state)
{
	struct world *world = *state;
	struct http_read_kind *entry = make_kind(world, HTTP_SERVER, 200);

	assert_false(http_kind_is_idle(entry, START + EDGE_IDLE_MS - 1));
	assert_true(http_kind_is_idle(entry, START + EDGE_IDLE_MS));
}

static void test_totals(void **state)
{
	struct world *world = *state;
	const struct http_totals none = {0};
	const struct http_totals now = {
		.counts = {.connections = 3,
			   .opaque = 2,
			   .lost = 1,
			   .rate_limited = 5,
			   .ring_full = 4,
			   .headless = 7},
		.undecoded = 6,
	};

	http_totals_add(world->owner, &none, &now);
	http_totals_add(world->owner, &now, &now);
	check_line(world, "skep_http_connections_total{pod=\"p\"}", "3");
	check_line(world, "skep_http_opaque_connections_total{pod=\"p\"}", "2");
	check_line(world, "skep_http_lost_total{pod=\"p\"}", "1");
	check_line(world, "skep_http_events_without_path_total{pod=\"p\"}", "7");
	check_line(world, "skep_http_events_lost_total{pod=\"p\",stage=\"rate_limited\"}", "5");
	check_line(world, "skep_http_events_lost_total{pod=\"p\",stage=\"ring_full\"}", "4");
	check_line(world, "skep_http_events_lost_total{pod=\"p\",stage=\"decode\"}", "6");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_growth_is_added_once),
		TEST(test_kinds_keep_what_was_counted_and_no_more),
		TEST(test_responses_at_once_count_twice),
		TEST(test_bytes_of_small_messages),
		TEST(test_buckets_are_exact_sums_of_slots),
		TEST(test_a_row_takes_33_series),
		TEST(test_errors_are_told_by_role),
		TEST(test_waits_for_a_name),
		TEST(test_last_read_counts_as_unknown),
		TEST(test_routes_are_told_apart),
		TEST(test_others_have_a_row_and_stay),
		TEST(test_idle_after_a_minute),
		TEST(test_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
