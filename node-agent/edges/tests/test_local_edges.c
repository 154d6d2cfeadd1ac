// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* From addresses to rows, and to what the operator is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/lib/share.h"
#include "lib/base/json.h"
#include "node-agent/edges/local_edges.h"

enum { OPENED, REFUSED, SENT, SRTT };

static const double bounds[] = {0.001};
static const struct series_family families[] = {
	[OPENED] = {.name = "skep_tcp_connections_opened_total",
		    .help = "",
		    .type = METRIC_COUNTER},
	[REFUSED] = {.name = "skep_tcp_connects_refused_total", .help = "", .type = METRIC_COUNTER},
	[SENT] = {.name = "skep_tcp_sent_bytes_total", .help = "", .type = METRIC_COUNTER},
	[SRTT] = {.name = "skep_tcp_srtt_seconds",
		  .help = "",
		  .type = METRIC_HISTOGRAM,
		  .unit = 1e-6,
		  .bounds = bounds,
		  .bound_count = 1},
};
static const struct series_layout layout = {families, 4};

enum { SERVED, ASKED, ASKED_BYTES };

static const struct series_family http_families[] = {
	[SERVED] = {.name = "http_server_request_duration_seconds",
		    .help = "",
		    .type = METRIC_HISTOGRAM,
		    .unit = 1e-6,
		    .bounds = bounds,
		    .bound_count = 1},
	[ASKED] = {.name = "http_client_request_duration_seconds",
		   .help = "",
		   .type = METRIC_HISTOGRAM,
		   .unit = 1e-6,
		   .bounds = bounds,
		   .bound_count = 1},
	[ASKED_BYTES] = {.name = "skep_http_request_bytes_total",
			 .help = "",
			 .type = METRIC_COUNTER},
};
static const struct series_layout http_layout = {http_families, 3};

static const struct series_family other_family = {
	.name = "other_total", .help = "", .type = METRIC_COUNTER};
static const struct series_layout other_layout = {&other_family, 1};

static const struct selected_pod pod = {
	.uid = "u1",
	.namespace = "shop",
	.name = "web-1",
	.workload_kind = "Deployment",
	.workload_name = "web",
};

static char *policy_names[] = {"shop/tcp"};
static const struct strings policies = {policy_names, 1};

struct fixture {
	struct series_store *store;
	struct local_edges edges;
	struct series_owner *owner;
	unsigned int reads;
};

static void on_gone(void *context, void *mark)
{
	struct fixture *fixture = context;

	edge_book_row_gone(&fixture->edges.book, mark);
}

static int set_up(void **state)
{
	static const struct metric_label label = {"pod", "web"};
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct series_mark_handlers handlers = {on_gone, fixture};

	fixture->store = series_store_new();
	series_store_set_handlers(fixture->store, &handlers);
	fixture->owner = series_owner_new(fixture->store, &label, 1, &policies);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	series_owner_free(fixture->owner, 0);
	series_store_free(fixture->store);
	local_edges_clear(&fixture->edges);
	free(fixture);
	return 0;
}

static struct edge edge_to(const char *address, uint16_t port)
{
	struct edge edge = {.role = EDGE_CLIENT, .port = port};
	struct ip_address parsed;

	assert_true(ip_address_parse(address, &parsed));
	memcpy(edge.address, parsed.bytes, sizeof(edge.address));
	return edge;
}

static struct series_row *row_to(struct fixture *fixture, const char *address, uint16_t port,
				 uint64_t now)
{
	const struct edge_source source = {fixture->owner, &pod};
	const struct edge edge = edge_to(address, port);

	return local_edges_row(&fixture->edges, &source, &layout, &edge, now);
}

static void on_read(void *context)
{
	struct fixture *fixture = context;

	fixture->reads++;
}

static void answer(struct fixture *fixture, const char *peers)
{
	cJSON *array = cJSON_Parse(peers);

	assert_non_null(array);
	local_edges_answer(&fixture->edges, array, on_read, fixture);
	cJSON_Delete(array);
}

/* Has the address asked for and answered: it is that of a Service. */
static struct series_row *row_to_service(struct fixture *fixture, const char *address,
					 const char *name)
{
	cJSON *array = cJSON_CreateArray();
	struct peer peer = {.kind = PEER_SERVICE,
			    .namespace = "shop",
			    .name = name,
			    .uid = "",
			    .workload_kind = "",
			    .workload_name = ""};

	(void)row_to(fixture, address, 80, 0);
	assert_true(ip_address_parse(address, &peer.address));
	assert_true(peer_encode(array, &peer));
	local_edges_answer(&fixture->edges, array, on_read, fixture);
	cJSON_Delete(array);
	return row_to(fixture, address, 80, 0);
}

static void check_written(const struct fixture *fixture, const char *labels)
{
	struct text out = TEXT_EMPTY;

	series_write(fixture->store, &out);
	if (!out.data || !strstr(out.data, labels))
		fail_msg("no %s in:\n%s", labels, out.data ? out.data : "");
	text_free(&out);
}

/* What the operator is told now, without white space; "" for nothing. */
static char *report(struct fixture *fixture)
{
	cJSON *message = edge_book_report(&fixture->edges.book, fixture->store);
	char *text = message ? cJSON_PrintUnformatted(message) : strdup("");

	cJSON_Delete(message);
	return text;
}

static void check_report(struct fixture *fixture, const char *expected)
{
	char *text = report(fixture);

	assert_string_equal(text, expected);
	free(text);
}

static void test_waits_for_the_answer(void **state)
{
	struct fixture *fixture = *state;

	assert_null(row_to(fixture, "10.0.0.7", 80, 0));
	assert_true(peer_cache_has_lookup(&fixture->edges.peers));
	answer(fixture,
	       "[{\"address\":\"10.0.0.7\",\"kind\":\"Pod\",\"namespace\":\"pay\",\"name\":\"p-1\","
	       "\"uid\":\"u\",\"workload\":{\"kind\":\"StatefulSet\",\"name\":\"p\"}}]");
	assert_int_equal(fixture->reads, 0);
	series_add(row_to(fixture, "10.0.0.7", 80, 1), OPENED, 1);
	check_written(
		fixture,
		"{pod=\"web\",role=\"client\",peer_kind=\"StatefulSet\",peer_namespace=\"pay\","
		"peer_name=\"p\",server_port=\"80\"} 1\n");
}

static void test_loopback_is_the_pod_itself(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		series_add(row_to(fixture, addresses[i], 80, 0), OPENED, 1);
	check_written(fixture, "peer_kind=\"Deployment\",peer_namespace=\"shop\",peer_name=\"web\","
			       "server_port=\"80\"} 5\n");
	assert_false(peer_cache_has_lookup(&fixture->edges.peers));
	assert_null(row_to(fixture, "128.0.0.1", 80, 0));
	assert_null(row_to(fixture, "::2", 80, 0));
	assert_null(row_to(fixture, "::ffff:1.0.0.0", 80, 0));
}

static void test_outsiders_go_by_their_names(void **state)
{
	struct fixture *fixture = *state;
	const struct edge named = edge_to("203.0.113.9", 443);

	(void)row_to(fixture, "203.0.113.9", 443, 0);
	(void)row_to(fixture, "203.0.113.10", 443, 0);
	answer(fixture, "[{\"address\":\"203.0.113.9\",\"kind\":\"External\"},"
			"{\"address\":\"203.0.113.10\",\"kind\":\"External\"}]");
	local_edges_learn(&fixture->edges, &pod, named.address, "api.example.com", 60, 0);
	series_add(row_to(fixture, "203.0.113.9", 443, 0), OPENED, 1);
	series_add(row_to(fixture, "203.0.113.10", 443, 0), OPENED, 2);
	check_written(fixture, "peer_kind=\"External\",peer_namespace=\"\","
			       "peer_name=\"api.example.com\",server_port=\"443\"} 1\n");
	check_written(fixture, "peer_kind=\"External\",peer_namespace=\"\",peer_name=\"\","
			       "server_port=\"443\"} 2\n");
	local_edges_forget_pod(&fixture->edges, "u1");
	series_add(row_to(fixture, "203.0.113.9", 443, 0), OPENED, 3);
	check_written(fixture, "peer_name=\"\",server_port=\"443\"} 5\n");
}

/* A tenant can give a pod an owner of any kind. */
static void test_a_pod_that_calls_itself_external(void **state)
{
	struct fixture *fixture = *state;
	const struct edge edge = edge_to("10.0.0.7", 80);

	(void)row_to(fixture, "10.0.0.7", 80, 0);
	local_edges_learn(&fixture->edges, &pod, edge.address, "bank.example", 60, 0);
	answer(fixture,
	       "[{\"address\":\"10.0.0.7\",\"kind\":\"Pod\",\"namespace\":\"evil\",\"name\":\"p\","
	       "\"uid\":\"u\",\"workload\":{\"kind\":\"External\",\"name\":\"x\"}}]");
	series_add(row_to(fixture, "10.0.0.7", 80, 1), OPENED, 1);
	check_written(fixture, "peer_kind=\"External\",peer_namespace=\"evil\",peer_name=\"x\"");
}

static void test_names_are_for_outsiders_only(void **state)
{
	struct fixture *fixture = *state;
	const struct edge edge = edge_to("10.96.0.1", 80);

	local_edges_learn(&fixture->edges, &pod, edge.address, "cart.shop.svc", 60, 0);
	series_add(row_to_service(fixture, "10.96.0.1", "cart"), OPENED, 1);
	check_written(fixture, "peer_kind=\"Service\",peer_namespace=\"shop\",peer_name=\"cart\"");
}

/* What was counted until an address changes hands is the old holder's. */
static void test_is_read_before_an_address_changes_hands(void **state)
{
	struct fixture *fixture = *state;
	struct series_row *old = row_to_service(fixture, "10.0.0.7", "cart");
	const struct series_row *row;

	assert_int_equal(fixture->reads, 0);
	(void)row_to_service(fixture, "10.0.0.7", "cart");
	assert_int_equal(fixture->reads, 0);
	row = row_to_service(fixture, "10.0.0.7", "pay");
	assert_int_equal(fixture->reads, 1);
	assert_ptr_not_equal(row, old);
}

static void test_answers_that_cannot_be_read(void **state)
{
	struct fixture *fixture = *state;

	(void)row_to(fixture, "10.0.0.7", 80, 0);
	answer(fixture, "[{\"address\":\"x\",\"kind\":\"External\"},7,"
			"{\"address\":\"10.0.0.7\",\"kind\":\"External\"}]");
	assert_non_null(row_to(fixture, "10.0.0.7", 80, 0));
	local_edges_answer(&fixture->edges, NULL, on_read, fixture);
}

#define CART_EDGE                                                                                  \
	"{\"role\":\"client\",\"protocol\":\"tcp\",\"workload\":{\"namespace\":\"shop\","          \
	"\"kind\":\"Deployment\",\"name\":\"web\"},\"peer\":{\"namespace\":\"shop\","              \
	"\"kind\":\"Service\",\"name\":\"cart\"},\"port\":80"

static void test_tells_what_has_changed(void **state)
{
	struct fixture *fixture = *state;
	struct series_row *row = row_to_service(fixture, "10.0.0.7", "cart");
	const uint64_t counts[] = {2, 1};
	char *text;

	series_add(row, OPENED, 3);
	series_add(row, REFUSED, 1);
	series_add(row, SENT, 1000);
	series_add_histogram(row, SRTT, counts, 2500);
	check_report(fixture,
		     "{\"type\":\"edges\",\"edges\":[" CART_EDGE
		     ",\"figures\":{\"connections\":3,\"failed\":1,\"sentBytes\":1000,"
		     "\"receivedBytes\":0,\"retransmittedPackets\":0,\"rttSeconds\":0.0025,"
		     "\"rttCount\":3}}],\"gone\":[],\"full\":true,\"truncated\":false}");
	check_report(fixture, "");
	series_add(row, OPENED, 1);
	text = report(fixture);
	assert_non_null(strstr(text, "\"connections\":4"));
	assert_non_null(strstr(text, "\"full\":false"));
	free(text);
	/* Rows of other layouts are nobody's business. */
	(void)local_edges_row(&fixture->edges, &(struct edge_source){fixture->owner, &pod},
			      &other_layout, &(struct edge){.port = 1, .address = {[15] = 1}}, 0);
	check_report(fixture, "");
	/* On a new connection, all again. */
	local_edges_connected(&fixture->edges);
	text = report(fixture);
	assert_non_null(strstr(text, "\"connections\":4"));
	assert_non_null(strstr(text, "\"full\":true"));
	free(text);
	/* And at its end, a minute after its last pod. */
	fixture->owner = series_owner_free(fixture->owner, 0);
	series_expire(fixture->store, SERIES_LINGER_MS);
	check_report(fixture, "{\"type\":\"edges\",\"edges\":[],\"gone\":[" CART_EDGE
			      "}],\"full\":false,\"truncated\":false}");
	check_report(fixture, "");
	assert_int_equal(edge_book_count(&fixture->edges.book), 0);
}

/* Requests of one status to the Service whose address is known. */
static void add_requests(struct fixture *fixture, const char *status, uint64_t number)
{
	const struct metric_label labels[] = {{"http_request_method", "GET"},
					      {"http_response_status_code", status}};
	const struct edge_source source = {fixture->owner, &pod};
	struct edge edge = edge_to("10.0.0.7", 80);
	struct series_row *row;

	edge.labels = labels;
	edge.label_count = 2;
	row = local_edges_row(&fixture->edges, &source, &http_layout, &edge, 0);
	series_add_histogram(row, ASKED, (const uint64_t[]){number, 0}, number * 500);
	series_add(row, ASKED_BYTES, (int64_t)number * 100);
}

/* Whatever their status, requests to one peer are one edge, beside that of TCP. */
static void test_tells_requests(void **state)
{
	struct fixture *fixture = *state;
	char *text;

	series_add(row_to_service(fixture, "10.0.0.7", "cart"), OPENED, 3);
	add_requests(fixture, "200", 16);
	add_requests(fixture, "404", 8);
	add_requests(fixture, "503", 4);
	add_requests(fixture, "", 2);
	text = report(fixture);
	assert_int_equal(edge_book_count(&fixture->edges.book), 2);
	assert_non_null(strstr(text, "\"connections\":3"));
	if (!strstr(text, "\"protocol\":\"http\"") ||
	    !strstr(text, "\"figures\":{\"requests\":30,\"errors\":6,\"durationSeconds\":0.015,"
			  "\"requestBytes\":3000,\"responseBytes\":0}"))
		fail_msg("%s", text);
	free(text);
	add_requests(fixture, "500", 1);
	text = report(fixture);
	assert_null(strstr(text, "connections"));
	assert_non_null(strstr(text, "\"requests\":31,\"errors\":7,"));
	free(text);
	fixture->owner = series_owner_free(fixture->owner, 0);
	series_expire(fixture->store, SERIES_LINGER_MS);
	free(report(fixture));
	assert_int_equal(edge_book_count(&fixture->edges.book), 0);
}

/* Who knows nothing need not be told of what is no more. */
static void test_a_new_connection_knows_nothing(void **state)
{
	struct fixture *fixture = *state;

	series_add(row_to_service(fixture, "10.0.0.7", "cart"), OPENED, 3);
	free(report(fixture));
	fixture->owner = series_owner_free(fixture->owner, 0);
	series_expire(fixture->store, SERIES_LINGER_MS);
	local_edges_connected(&fixture->edges);
	check_report(fixture, "{\"type\":\"edges\",\"edges\":[],\"gone\":[],\"full\":true,"
			      "\"truncated\":false}");
	check_report(fixture, "");
}

/* At the level of pods, each has its own row; the edge is one. */
static void test_rows_of_an_edge_are_added_up(void **state)
{
	static const struct metric_label label = {"pod", "web-2"};
	struct fixture *fixture = *state;
	struct series_owner *second = series_owner_new(fixture->store, &label, 1, &policies);
	const struct edge_source source = {second, &pod};
	const struct edge edge = edge_to("10.0.0.7", 80);
	char *text;

	series_add(row_to_service(fixture, "10.0.0.7", "cart"), OPENED, 3);
	series_add(local_edges_row(&fixture->edges, &source, &layout, &edge, 0), OPENED, 4);
	text = report(fixture);
	assert_non_null(strstr(text, "\"connections\":7"));
	free(text);
	assert_int_equal(edge_book_count(&fixture->edges.book), 1);
	series_owner_free(second, 0);
}

/* Shows all that the row can show. */
static void fill_row(struct series_row *row)
{
	const uint64_t counts[2] = {0};

	for (size_t family = OPENED; family <= SENT; family++)
		series_add(row, family, 0);
	series_add_histogram(row, SRTT, counts, 0);
}

static void test_edges_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	char *text;

	/* The policy has room for 10,000 series, 7 of each row; the book for more. */
	for (unsigned int port = 1; port <= 10000 / 7 + 1; port++)
		fill_row(row_to(fixture, "127.0.0.1", (uint16_t)port, 0));
	text = report(fixture);
	assert_non_null(strstr(text, "\"truncated\":true"));
	assert_null(strstr(text, "\"port\":1429"));
	assert_non_null(strstr(text, "\"port\":1428"));
	free(text);
	/* It is told when that is over. */
	check_report(fixture, "{\"type\":\"edges\",\"edges\":[],\"gone\":[],\"full\":false,"
			      "\"truncated\":false}");
}

#define SHARE (EDGES_LIMIT / (1 + SHARE_TIMES_FREE) * SHARE_TIMES_FREE)

/* Pods of one namespace have their share of it, and others have room. */
static void test_the_book_is_bounded(void **state)
{
	const struct selected_pod neighbour = {.uid = (char *)"u3",
					       .namespace = (char *)"bank",
					       .name = (char *)"till-1",
					       .workload_kind = (char *)"Deployment",
					       .workload_name = (char *)"till"};
	const struct edge edge_of_neighbour = edge_to("127.0.0.1", 60000);
	char *policy_of_neighbour[] = {(char *)"bank/tcp"};
	const struct strings asking = {policy_of_neighbour, 1};
	struct edge_source source_of_neighbour = {NULL, &neighbour};
	struct fixture *fixture = *state;
	struct series_owner *owners[4] = {NULL};
	char *names[] = {"shop/a", "shop/b", "shop/c", "shop/d"};

	for (int i = 0; i < 4; i++) {
		const struct strings own = {&names[i], 1};

		owners[i] = series_owner_new(fixture->store, NULL, 0, &own);
		for (unsigned int port = 1; port <= 1400; port++) {
			const struct edge_source source = {owners[i], &pod};
			const struct edge edge =
				edge_to("127.0.0.1", (uint16_t)(i * 1400 + (int)port));

			fill_row(local_edges_row(&fixture->edges, &source, &layout, &edge, 0));
		}
	}
	assert_int_equal(edge_book_count(&fixture->edges.book), SHARE);
	assert_true(fixture->edges.book.truncated);
	source_of_neighbour.series = series_owner_new(fixture->store, NULL, 0, &asking);
	fill_row(local_edges_row(&fixture->edges, &source_of_neighbour, &layout, &edge_of_neighbour,
				 0));
	assert_int_equal(edge_book_count(&fixture->edges.book), SHARE + 1);
	series_owner_free(source_of_neighbour.series, 0);
	for (int i = 0; i < 4; i++)
		series_owner_free(owners[i], 0);
}

/* A report is no longer than the link takes; what it leaves out comes with the next ones. */
static void test_reports_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	char quotes[EDGES_STRING_LIMIT + 1];
	const struct selected_pod odd = {.uid = (char *)"u2",
					 .namespace = (char *)"shop",
					 .name = quotes,
					 .workload_kind = (char *)"Pod",
					 .workload_name = quotes};
	struct series_owner *owners[4] = {NULL};
	char *names[] = {"shop/a", "shop/b", "shop/c", "shop/d"};
	int told = 0, rounds = 0;
	bool truncated;

	memset(quotes, '"', sizeof(quotes) - 1);
	quotes[sizeof(quotes) - 1] = '\0';
	for (int i = 0; i < 4; i++) {
		const struct strings own = {&names[i], 1};
		const struct edge_source source = {
			owners[i] = series_owner_new(fixture->store, NULL, 0, &own), &odd};

		for (int port = 1; port <= SHARE / 4; port++) {
			const struct edge edge =
				edge_to("127.0.0.1", (uint16_t)(i * SHARE / 4 + port));

			(void)local_edges_row(&fixture->edges, &source, &layout, &edge, 0);
		}
	}
	do {
		char *text = report(fixture);
		cJSON *message = cJSON_Parse(text);

		assert_in_range(strlen(text), 1000, EDGES_BYTES_LIMIT);
		told += cJSON_GetArraySize(cJSON_GetObjectItem(message, "edges"));
		assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(message, "full")), !rounds++);
		truncated = cJSON_IsTrue(cJSON_GetObjectItem(message, "truncated"));
		cJSON_Delete(message);
		free(text);
	} while (truncated);
	assert_int_equal(told, SHARE);
	assert_in_range(rounds, 2, 4);
	check_report(fixture, "");
	for (int i = 0; i < 4; i++)
		series_owner_free(owners[i], 0);
}

int main(void)
{
#define edges_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		edges_test(test_waits_for_the_answer),
		edges_test(test_loopback_is_the_pod_itself),
		edges_test(test_outsiders_go_by_their_names),
		edges_test(test_a_pod_that_calls_itself_external),
		edges_test(test_names_are_for_outsiders_only),
		edges_test(test_is_read_before_an_address_changes_hands),
		edges_test(test_answers_that_cannot_be_read),
		edges_test(test_tells_what_has_changed),
		edges_test(test_tells_requests),
		edges_test(test_a_new_connection_knows_nothing),
		edges_test(test_rows_of_an_edge_are_added_up),
		edges_test(test_edges_are_bounded),
		edges_test(test_reports_are_bounded),
		edges_test(test_the_book_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
