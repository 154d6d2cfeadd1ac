// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What agents report of edges, and the graph that comes of it. */

#include "operator/tests/fixture.h"

#include <errno.h>

#include "lib/base/json.h"
#include "operator/edges.h"
#include "operator/graph.h"

#define CLIENT                                                                                     \
	"{'role': 'client', 'protocol': 'tcp', 'workload': {'namespace': 'shop', 'kind': "         \
	"'Deployment', 'name': 'front'}, 'peer': %s, 'port': %d, 'figures': {'connections': %d}}"
#define SERVER                                                                                     \
	"{'role': 'server', 'protocol': 'tcp', 'workload': {'namespace': 'bank', 'kind': 'Pod',"   \
	" 'name': 'cart'}, 'peer': %s, 'port': %d, 'figures': {'connections': %d}}"
#define FRONT	 "{'namespace': 'shop', 'kind': 'Deployment', 'name': 'front'}"
#define CART	 "{'namespace': 'bank', 'kind': 'Pod', 'name': 'cart'}"
#define SERVICE	 "{'namespace': 'bank', 'kind': 'Service', 'name': 'cart'}"
#define EXTERNAL "{'kind': 'External', 'name': 'example.org'}"

/* Takes a report of a node with some edges, full or not; takes the edges. */
static void take(struct edges *edges, const char *node, bool full, cJSON *list, const char *gone)
{
	cJSON *gone_array = json_of(gone);
	cJSON *message = edges_report_encode(full, false, list, gone_array);
	struct edges_report report;
	struct error error = {0};

	assert_int_equal(edges_report_decode(message, &report, NULL), 0);
	if (edges_take_report(edges, node, &report, &error) < 0)
		fail_msg("%s", error.message);
	cJSON_Delete(message);
}

static bool sees_all(void *context, const char *namespace)
{
	(void)context, (void)namespace;
	return true;
}

static bool sees_one(void *context, const char *namespace)
{
	return strcmp(context, namespace) == 0;
}

/* The graph as somebody sees it; with `only` given, who sees that namespace and no other. */
static cJSON *look(const struct edges *edges, const struct cluster *cluster, const char *namespace,
		   const char *only)
{
	cleanup_text struct text text = TEXT_EMPTY;
	struct graph graph;
	cJSON *json;

	assert_int_equal(graph_make(edges, cluster, namespace, &graph), 0);
	assert_int_equal(graph_write(&graph, "2026-11-21T05:00:00Z", only ? sees_one : sees_all,
				     (void *)only, &text),
			 0);
	graph_free(&graph);
	json = cJSON_Parse(text.data);
	if (!json)
		fail_msg("no JSON: %s", text.data);
	return json;
}

static const cJSON *edge_at(const cJSON *json, int index)
{
	return cJSON_GetArrayItem(json_find(json, "edges"), index);
}

static int edges_of(const cJSON *json)
{
	return cJSON_GetArraySize(json_find(json, "edges"));
}

static void replaces_and_forgets_edges(void **state)
{
	struct edges edges = {0};

	(void)state;
	take(&edges, "n1", true,
	     json_format("[" CLIENT ", " CLIENT "]", CART, 80, 1, EXTERNAL, 443, 2), "[]");
	assert_int_equal(edges_count(&edges), 2);
	take(&edges, "n1", false, json_format("[" CLIENT "]", CART, 80, 7), "[]");
	assert_int_equal(edges_count(&edges), 2);
	assert_true(edges.nodes->known[SIDE_CLIENT]->edge.figures[FIGURE_CONNECTIONS] == 7);
	take(&edges, "n1", false, json_of("[]"),
	     "[{'role': 'client', 'protocol': 'tcp', 'workload': " FRONT ", 'peer': " CART
	     ", 'port': 80}, {'role': 'server', 'protocol': 'tcp', 'workload': " FRONT
	     ", 'peer': " EXTERNAL ", 'port': 443}]");
	assert_int_equal(edges_count(&edges), 1);
	take(&edges, "n2", true, json_format("[" CLIENT "]", CART, 80, 7), "[]");
	take(&edges, "n1", true, json_format("[" SERVER "]", FRONT, 80, 1), "[]");
	assert_int_equal(edges_count(&edges), 2);
	edges_clear(&edges);
	assert_null(edges.nodes);
}

static void forgets_a_node_some_time_after_its_agent(void **state)
{
	struct edges edges = {0};

	(void)state;
	take(&edges, "n1", true, json_format("[" CLIENT "]", CART, 80, 1), "[]");
	take(&edges, "n2", true, json_format("[" CLIENT "]", CART, 80, 1), "[]");
	edges_expire(&edges, 10 * EDGES_KEPT_MS);
	assert_int_equal(edges_count(&edges), 2);
	edges_node_gone(&edges, "n1", 1000);
	edges_node_gone(&edges, "n2", 1000);
	edges_node_gone(&edges, "n3", 1000);
	take(&edges, "n2", false, json_of("[]"), "[]"); /* it is back */
	edges_expire(&edges, 1000 + EDGES_KEPT_MS - 1);
	assert_int_equal(edges_count(&edges), 2);
	edges_expire(&edges, 1000 + EDGES_KEPT_MS);
	assert_int_equal(edges_count(&edges), 1);
	assert_string_equal(edges.nodes->name, "n2");
	edges_clear(&edges);
}

static void bounds_the_edges_of_a_node(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	cJSON *json;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		cJSON *list = cJSON_CreateArray();

		for (int i = 0; i < EDGES_LIMIT; i++)
			cJSON_AddItemToArray(list, json_format(CLIENT, CART, turn * 10000 + i, 1));
		take(&edges, "n1", false, list, "[]");
		assert_int_equal(edges_count(&edges), EDGES_LIMIT);
	}
	take(&edges, "n1", false, json_of("[]"), "[]"); /* the others are still missing */
	json = look(&edges, &cluster, NULL, NULL);
	assert_true(json_boolean(json, false, "truncated"));
	cJSON_Delete(json);
	take(&edges, "n1", true, json_format("[" CLIENT "]", CART, 80, 1), "[]");
	json = look(&edges, &cluster, NULL, NULL);
	assert_false(json_boolean(json, true, "truncated"));
	cJSON_Delete(json);
	edges_clear(&edges);
}

/* Fills a node with edges whose names are as long as may be. */
static void fill_node(struct edges *edges, int number)
{
	cJSON *list = cJSON_CreateArray();
	char node[16], peer[EDGES_STRING_LIMIT + 64];

	snprintf(node, sizeof(node), "n%d", number);
	snprintf(peer, sizeof(peer), "{'kind': 'External', 'name': '%0*d'}", EDGES_STRING_LIMIT, 0);
	for (int i = 0; i < EDGES_LIMIT; i++)
		cJSON_AddItemToArray(list, json_format(CLIENT, peer, i, 1));
	take(edges, node, true, list, "[]");
}

static void bounds_the_memory_of_all_nodes(void **state)
{
	const int nodes = EDGES_MEMORY_LIMIT / (EDGES_LIMIT * 400) + 1;
	struct edges edges = {0};
	size_t most;

	(void)state;
	for (int i = 0; i < nodes; i++)
		fill_node(&edges, i);
	most = edges_count(&edges);
	assert_in_range(most, EDGES_MEMORY_LIMIT / 1000, (size_t)nodes * EDGES_LIMIT - 1);
	assert_in_range(edges.bytes, EDGES_MEMORY_LIMIT - 1000, EDGES_MEMORY_LIMIT);
	fill_node(&edges, 0); /* its own make room for its own */
	assert_int_equal(edges_count(&edges), most);
	take(&edges, "n0", true, json_of("[]"), "[]");
	assert_int_equal(edges_count(&edges), most - EDGES_LIMIT);
	edges_clear(&edges);
	assert_int_equal(edges.bytes, 0);
}

static void refuses_a_malformed_edge(void **state)
{
	struct edges edges = {0};
	cleanup_json cJSON *message = json_of("{'edges': [{'role': 'client'}], 'gone': []}");
	struct edges_report report;
	struct error error = {0};

	(void)state;
	assert_int_equal(edges_report_decode(message, &report, NULL), 0);
	assert_int_equal(edges_take_report(&edges, "n1", &report, &error), -EINVAL);
	assert_says(error.message, "workload");
	edges_clear(&edges);
}

static void merges_both_ends_and_all_nodes(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	cleanup_json cJSON *json = NULL;
	const cJSON *edge;

	(void)state;
	take(&edges, "n1", true, json_format("[" CLIENT "]", CART, 8080, 3), "[]");
	take(&edges, "n2", true,
	     json_format("[" CLIENT ", " SERVER "]", CART, 8080, 4, FRONT, 8080, 9), "[]");
	take(&edges, "n3", true,
	     json_format("[" CLIENT ", " SERVER "]", EXTERNAL, 443, 5,
			 "{'kind': 'Node', 'name': 'n1'}", 8080, 6),
	     "[]");
	json = look(&edges, &cluster, NULL, NULL);
	assert_string_equal(json_text(json, "generatedAt"), "2026-11-21T05:00:00Z");
	assert_int_equal(edges_of(json), 3);

	edge = edge_at(json, 0);
	assert_string_equal(json_text(edge, "source", "kind"), "Node");
	assert_null(json_find(edge, "source", "namespace"));
	assert_string_equal(json_text(edge, "observed"), "server");
	assert_true(cJSON_IsNull(json_find(edge, "client")));
	assert_int_equal(json_integer(edge, 0, "server", "connections"), 6);

	edge = edge_at(json, 1);
	assert_string_equal(json_text(edge, "destination", "name"), "example.org");
	assert_string_equal(json_text(edge, "observed"), "client");
	assert_true(cJSON_IsNull(json_find(edge, "server")));

	edge = edge_at(json, 2);
	assert_string_equal(json_text(edge, "source", "name"), "front");
	assert_string_equal(json_text(edge, "destination", "name"), "cart");
	assert_string_equal(json_text(edge, "protocol"), "tcp");
	assert_string_equal(json_text(edge, "observed"), "both");
	assert_int_equal(json_integer(edge, 0, "port"), 8080);
	assert_int_equal(json_integer(edge, 0, "client", "connections"), 7);
	assert_int_equal(json_integer(edge, 0, "server", "connections"), 9);
	assert_null(json_find(edge, "service"));
	edges_clear(&edges);
}

/* A Service bank/cart whose pods are as each case says. */
static void finds_the_workload_behind_a_service(void **state)
{
	static const struct {
		const char *spec, *labels[2], *name;
		int port;
	} cases[] = {
		{"{'selector': {'app': 'cart'}, 'ports': [{'port': 80, 'targetPort': 8080}]}",
		 {"{'app': 'cart'}", "{'app': 'other'}"},
		 "cart",
		 8080},
		{"{'selector': {'app': 'cart'}, 'ports': [{'port': 80}]}",
		 {"{'app': 'cart'}", "{}"},
		 "cart",
		 80},
		{"{'selector': {'app': 'cart'}, 'ports': [{'port': 80, 'targetPort': 'web'}]}",
		 {"{'app': 'cart'}", "{}"},
		 NULL,
		 80},
		{"{'selector': {'app': 'cart'}, 'ports': [{'port': 81, 'targetPort': 8080}]}",
		 {"{'app': 'cart'}", "{}"},
		 NULL,
		 80},
		{"{'selector': {'app': 'cart'}, 'ports': [{'port': 80, 'targetPort': 8080}]}",
		 {"{'app': 'cart'}", "{'app': 'cart'}"}, /* two workloads */
		 NULL,
		 80},
		{"{'selector': {'app': 'cart', 'tier': 'x'}, 'ports': [{'port': 80}]}",
		 {"{'app': 'cart'}", "{}"},
		 NULL,
		 80},
		{"{'ports': [{'port': 80}]}", {"{'app': 'cart'}", "{}"}, NULL, 80},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct edges edges = {0};
		struct cluster cluster = {0};
		cJSON *json;
		const cJSON *edge;

		cluster_add_service(&cluster, service_in("bank", "cart", cases[i].spec));
		cluster_add_pod(&cluster, pod_in("bank", "cart", "n1", cases[i].labels[0]));
		cluster_add_pod(&cluster, pod_in("bank", "other", "n1", cases[i].labels[1]));
		cluster_add_pod(&cluster, pod_in("shop", "none", "n1", "{'app': 'cart'}"));
		take(&edges, "n1", true, json_format("[" CLIENT "]", SERVICE, 80, 1), "[]");
		json = look(&edges, &cluster, NULL, NULL);
		edge = edge_at(json, 0);
		assert_int_equal(edges_of(json), 1);
		assert_int_equal(json_integer(edge, 0, "port"), cases[i].port);
		assert_string_equal(json_text(edge, "destination", "kind"),
				    cases[i].name ? "Pod" : "Service");
		assert_string_equal(json_text(edge, "service", "name"),
				    cases[i].name ? "cart" : "");
		assert_int_equal(json_integer(edge, 0, "service", "port"), cases[i].name ? 80 : 0);
		cJSON_Delete(json);
		edges_clear(&edges);
		cluster_clear(&cluster);
	}
}

static void lets_both_ends_meet_through_a_service(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	cleanup_json cJSON *json = NULL;

	(void)state;
	cluster_add_service(&cluster, service_in("bank", "cart",
						 "{'selector': {'app': 'cart'},"
						 " 'ports': [{'port': 80, 'targetPort': 8080}]}"));
	cluster_add_pod(&cluster, pod_in("bank", "cart", "n1", "{'app': 'cart'}"));
	take(&edges, "n1", true,
	     json_format("[" CLIENT ", " CLIENT ", " SERVER "]", SERVICE, 80, 1, CART, 8080, 2,
			 FRONT, 8080, 3),
	     "[]");
	json = look(&edges, &cluster, NULL, NULL);
	assert_int_equal(edges_of(json), 1);
	assert_string_equal(json_text(edge_at(json, 0), "observed"), "both");
	assert_int_equal(json_integer(edge_at(json, 0), 0, "client", "connections"), 3);
	assert_int_equal(json_integer(edge_at(json, 0), 0, "service", "port"), 80);
	edges_clear(&edges);
	cluster_clear(&cluster);
}

#define ASKS                                                                                       \
	"[{'role': 'client', 'protocol': 'http', 'workload': " FRONT ", 'peer': " SERVICE          \
	", 'port': 80, 'figures': {'requests': 30, 'errors': 2, 'durationSeconds': 1.5}}]"
#define SERVES                                                                                     \
	"[{'role': 'server', 'protocol': 'http', 'workload': " CART ", 'peer': " FRONT             \
	", 'port': 8080, 'figures': {'requests': 29, 'errors': 2, 'durationSeconds': 1.25}}]"

/* HTTP has figures of its own, and comes through Services as TCP does. */
static void shows_requests(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	cleanup_json cJSON *json = NULL;
	const cJSON *edge;

	(void)state;
	cluster_add_service(&cluster, service_in("bank", "cart",
						 "{'selector': {'app': 'cart'},"
						 " 'ports': [{'port': 80, 'targetPort': 8080}]}"));
	cluster_add_pod(&cluster, pod_in("bank", "cart", "n1", "{'app': 'cart'}"));
	take(&edges, "n1", true, json_of(ASKS), "[]");
	take(&edges, "n2", true, json_of(SERVES), "[]");
	json = look(&edges, &cluster, NULL, NULL);
	assert_int_equal(edges_of(json), 1);
	edge = edge_at(json, 0);
	assert_string_equal(json_text(edge, "protocol"), "http");
	assert_string_equal(json_text(edge, "observed"), "both");
	assert_int_equal(json_integer(edge, 0, "port"), 8080);
	assert_int_equal(json_integer(edge, 0, "client", "requests"), 30);
	assert_int_equal(json_integer(edge, 0, "server", "requests"), 29);
	assert_int_equal(json_integer(edge, 0, "client", "errors"), 2);
	assert_true(json_find(edge, "server", "durationSeconds")->valuedouble == 1.25);
	assert_null(json_find(edge, "client", "connections"));
	edges_clear(&edges);
	cluster_clear(&cluster);
}

static void hides_what_is_not_for_everybody(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	cJSON *json;

	(void)state;
	cluster_add_service(&cluster, service_in("bank", "cart",
						 "{'selector': {'app': 'cart'},"
						 " 'ports': [{'port': 80, 'targetPort': 8080}]}"));
	cluster_add_pod(&cluster, pod_in("bank", "cart", "n1", "{'app': 'cart'}"));
	take(&edges, "n1", true,
	     json_format("[" CLIENT ", " CLIENT ", " SERVER "]", SERVICE, 80, 1, EXTERNAL, 443, 1,
			 "{'kind': 'External', 'name': 'secret.example'}", 8080, 1),
	     "[]");

	json = look(&edges, &cluster, NULL, "shop");
	assert_int_equal(edges_of(json), 2);
	assert_string_equal(json_text(edge_at(json, 0), "destination", "kind"), "External");
	assert_string_equal(json_text(edge_at(json, 1), "destination", "kind"), "Hidden");
	assert_int_equal(cJSON_GetArraySize(json_find(edge_at(json, 1), "destination")), 1);
	assert_null(json_find(edge_at(json, 1), "service"));
	cJSON_Delete(json);

	json = look(&edges, &cluster, NULL, "bank");
	assert_int_equal(edges_of(json), 2);
	assert_string_equal(json_text(edge_at(json, 0), "source", "name"), "secret.example");
	assert_string_equal(json_text(edge_at(json, 1), "source", "kind"), "Hidden");
	assert_int_equal(cJSON_GetArraySize(json_find(edge_at(json, 1), "source")), 1);
	assert_string_equal(json_text(edge_at(json, 1), "service", "name"), "cart");
	cJSON_Delete(json);

	json = look(&edges, &cluster, NULL, "other");
	assert_int_equal(edges_of(json), 0);
	cJSON_Delete(json);
	edges_clear(&edges);
	cluster_clear(&cluster);
}

static void narrows_to_a_namespace(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	struct strings namespaces = {0};
	struct graph graph;
	cJSON *json;

	(void)state;
	take(&edges, "n1", true,
	     json_format("[" CLIENT ", " CLIENT ", " SERVER "]", CART, 80, 1, EXTERNAL, 443, 1,
			 EXTERNAL, 8080, 1),
	     "[]");
	json = look(&edges, &cluster, "bank", NULL);
	assert_int_equal(edges_of(json), 2);
	cJSON_Delete(json);
	assert_int_equal(graph_make(&edges, &cluster, NULL, &graph), 0);
	assert_int_equal(graph_namespaces(&graph, &namespaces), 0);
	assert_int_equal(namespaces.count, 2);
	assert_string_equal(namespaces.items[0], "bank");
	assert_string_equal(namespaces.items[1], "shop");
	strings_free(&namespaces);
	graph_free(&graph);
	edges_clear(&edges);
}

static void bounds_what_is_shown(void **state)
{
	struct edges edges = {0};
	struct cluster cluster = {0};
	char node[16];
	cJSON *json;

	(void)state;
	for (int n = 0; n < 3; n++) {
		cJSON *list = cJSON_CreateArray();

		for (int i = 0; i < EDGES_LIMIT; i++)
			cJSON_AddItemToArray(list,
					     json_format(CLIENT, CART, n * EDGES_LIMIT + i, 1));
		snprintf(node, sizeof(node), "n%d", n);
		take(&edges, node, true, list, "[]");
	}
	json = look(&edges, &cluster, NULL, NULL);
	assert_true(json_boolean(json, false, "truncated"));
	assert_int_equal(edges_of(json), GRAPH_EDGES_LIMIT);
	cJSON_Delete(json);
	edges_clear(&edges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_and_forgets_edges),
		cmocka_unit_test(forgets_a_node_some_time_after_its_agent),
		cmocka_unit_test(bounds_the_edges_of_a_node),
		cmocka_unit_test(bounds_the_memory_of_all_nodes),
		cmocka_unit_test(refuses_a_malformed_edge),
		cmocka_unit_test(merges_both_ends_and_all_nodes),
		cmocka_unit_test(finds_the_workload_behind_a_service),
		cmocka_unit_test(lets_both_ends_meet_through_a_service),
		cmocka_unit_test(shows_requests),
		cmocka_unit_test(hides_what_is_not_for_everybody),
		cmocka_unit_test(narrows_to_a_namespace),
		cmocka_unit_test(bounds_what_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
