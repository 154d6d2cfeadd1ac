// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/edges.h"
#include "lib/link/message.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct reported_edge sample = {
	.side = SIDE_SERVER,
	.protocol = "tcp",
	.workload = {"shop", "Deployment", "web"},
	.peer = {"", "External", "example.org"},
	.port = 65535,
	.figures = {1, 2, 9007199254740991.0, 4, 5, 0.125, 7},
};

static const struct reported_edge http_sample = {
	.side = SIDE_CLIENT,
	.protocol = "http",
	.workload = {"shop", "Deployment", "web"},
	.peer = {"shop", "Service", "cart"},
	.port = 80,
	.figures = {[FIGURE_REQUESTS] = 1000, 3, 12.5, 20000, 9e9},
};

static void assert_same_party(const struct edge_party *a, const struct edge_party *b)
{
	assert_string_equal(a->namespace, b->namespace);
	assert_string_equal(a->kind, b->kind);
	assert_string_equal(a->name, b->name);
}

static void assert_same_edge(const struct reported_edge *a, const struct reported_edge *b)
{
	assert_int_equal(a->side, b->side);
	assert_string_equal(a->protocol, b->protocol);
	assert_same_party(&a->workload, &b->workload);
	assert_same_party(&a->peer, &b->peer);
	assert_int_equal(a->port, b->port);
	for (int i = 0; i < EDGE_FIGURES; i++)
		assert_true(a->figures[i] == b->figures[i]);
}

/* Each protocol has its own figures and no others. */
static void carries_the_figures_of_a_protocol(void **state)
{
	cleanup_json cJSON *edges = cJSON_CreateArray();
	const cJSON *figures;
	struct reported_edge edge;

	(void)state;
	assert_true(reported_edge_encode(edges, &http_sample, true));
	assert_int_equal(reported_edge_decode(cJSON_GetArrayItem(edges, 0), &edge, NULL), 0);
	assert_same_edge(&edge, &http_sample);
	figures = json_find(cJSON_GetArrayItem(edges, 0), "figures");
	assert_int_equal(cJSON_GetArraySize(figures), 5);
	assert_null(json_find(figures, "connections"));
	assert_int_equal(json_integer(figures, 0, "errors"), 3);
	assert_true(edge_has_figure("tcp", FIGURE_RTT_COUNT));
	assert_false(edge_has_figure("tcp", FIGURE_REQUESTS));
	assert_false(edge_has_figure("new", FIGURE_REQUESTS));
	assert_string_equal(edge_transport("http"), "tcp");
	assert_string_equal(edge_transport("udp"), "udp");
}

static void carries_edges(void **state)
{
	cJSON *edges = cJSON_CreateArray(), *gone = cJSON_CreateArray();
	struct reported_edge bare = sample, edge;
	cleanup_json cJSON *message = NULL;
	struct edges_report report;
	enum message_type type;

	(void)state;
	assert_true(reported_edge_encode(edges, &sample, true));
	assert_true(reported_edge_encode(gone, &sample, false));
	message = edges_report_encode(true, false, edges, gone);
	assert_int_equal(message_type_decode(message, &type, NULL), 0);
	assert_int_equal(type, MESSAGE_EDGES);
	assert_int_equal(edges_report_decode(message, &report, NULL), 0);
	assert_true(report.full);
	assert_false(report.truncated);
	assert_int_equal(reported_edge_decode(cJSON_GetArrayItem(report.edges, 0), &edge, NULL), 0);
	assert_same_edge(&edge, &sample);
	assert_null(json_find(cJSON_GetArrayItem(report.gone, 0), "figures"));
	assert_int_equal(reported_edge_decode(cJSON_GetArrayItem(report.gone, 0), &edge, NULL), 0);
	memset(bare.figures, 0, sizeof(bare.figures));
	assert_same_edge(&edge, &bare);
}

static void bounds_a_report(void **state)
{
	cJSON *edges = cJSON_CreateArray();
	cleanup_json cJSON *message = NULL;
	struct edges_report report;
	struct error error;

	(void)state;
	for (int i = 0; i < EDGES_LIMIT; i++)
		assert_non_null(json_append_object(edges));
	message = edges_report_encode(false, true, edges, cJSON_CreateArray());
	assert_int_equal(edges_report_decode(message, &report, NULL), 0);
	assert_true(report.truncated);
	assert_non_null(json_append_object(cJSON_GetObjectItem(message, "edges")));
	assert_int_equal(edges_report_decode(message, &report, &error), -EINVAL);
	assert_says(error.message, "at most 4096");
}

static void refuses_malformed_reports(void **state)
{
	static const char *const texts[] = {"null", "{'edges': []}", "{'gone': []}",
					    "{'edges': {}, 'gone': []}",
					    "{'edges': [], 'gone': 1}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		cleanup_json cJSON *message = json_of(texts[i]);
		struct edges_report report = {.full = true};

		assert_int_equal(edges_report_decode(message, &report, NULL), -EINVAL);
		assert_true(report.full);
	}
	assert_null(edges_report_encode(true, false, NULL, cJSON_CreateArray()));
	assert_null(edges_report_encode(true, false, cJSON_CreateArray(), NULL));
}

/* One edge that is well, and with each of these changes is not. */
static void refuses_malformed_edges(void **state)
{
	static const char text[] = "{'role': 'client', 'protocol': 'tcp',"
				   " 'workload': {'namespace': 'shop', 'kind': 'Job', 'name': 'n'},"
				   " 'peer': {'kind': 'External'}, 'port': 80,"
				   " 'figures': {'failed': 3}}";
	static const char *const changes[][3] = {
		{"'client'", "'both'", "\"both\""},
		{"'tcp'", "''", "protocol"},
		{"'tcp'", "'a protocol without end'", "protocol"},
		{"'shop'", "''", "workload"},
		{"'Job'", "7", "workload: kind"},
		{"'n'", "''", "workload"},
		{"'External'", "''", "peer: kind"},
		{"80", "-1", "port"},
		{"80", "65536", "port"},
		{"80", "'80'", "port"},
		{"3", "-3", "failed"},
		{"3", "1e999", "failed"},
	};
	cleanup_json cJSON *good = json_of(text);
	struct reported_edge edge = {.port = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		const char *at = strstr(text, changes[i][0]);
		cleanup_json cJSON *bad = json_format("%.*s%s%s", (int)(at - text), text,
						      changes[i][1], at + strlen(changes[i][0]));
		struct error error = {0};

		if (reported_edge_decode(bad, &edge, &error) != -EINVAL)
			fail_msg("taken: %s", changes[i][1]);
		assert_says(error.message, changes[i][2]);
		assert_int_equal(edge.port, 1);
	}
	assert_int_equal(reported_edge_decode(good, &edge, NULL), 0);
	assert_true(edge.figures[FIGURE_FAILED] == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_edges),
		cmocka_unit_test(carries_the_figures_of_a_protocol),
		cmocka_unit_test(bounds_a_report),
		cmocka_unit_test(refuses_malformed_reports),
		cmocka_unit_test(refuses_malformed_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
