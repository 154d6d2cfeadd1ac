// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Memory runs out at every single allocation in turn: nothing crashes, leaks or claims success. */

#include "lib/base/tests/starve.h"
#include "operator/tests/fixture.h"

#include "lib/link/message.h"
#include "operator/cluster.h"
#include "operator/compile.h"
#include "operator/edges.h"
#include "operator/fleet.h"
#include "operator/graph.h"
#include "operator/lookups.h"
#include "operator/quota.h"
#include "operator/status.h"

static const char policy_text[] =
	"{'metadata': {'namespace': 'shop', 'name': 'p', 'uid': 'u', 'generation': 1}, 'spec': {"
	" 'selector': {'matchLabels': {'app': 'web'}, 'matchExpressions': ["
	"{'key': 'tier', 'operator': 'NotIn', 'values': ['x', 'y']}]},"
	" 'nodeSelector': {'pool': 'main'}, 'containers': ['server', 'proxy'],"
	" 'probes': [{'type': 'TCP'}, {'type': 'Exec'}], 'budget': {'series': 7}}}";

static const char quota_text[] =
	"{'metadata': {'name': 'q', 'uid': 'u'}, 'spec': {'namespaceSelector':"
	" {'matchLabels': {'team': 'a'}}, 'allowedProbes': ['TCP'], 'text': 'None',"
	" 'eventsPerSecond': 5}}";

static const char pod_text[] =
	"{'metadata': {'namespace': 'shop', 'name': 'a', 'uid': 'uid-a',"
	" 'labels': {'app': 'web', 'pod-template-hash': 'x'},"
	" 'ownerReferences': [{'kind': 'ReplicaSet', 'name': 'web-x', 'controller': true}]},"
	" 'spec': {'nodeName': 'n1', 'containers': [{'name': 'server'}]},"
	" 'status': {'containerStatuses': [{'name': 'server', 'containerID': 'cri://s'}]}}";

static bool decode_policy(void *object)
{
	struct policy *policy = NULL;
	bool done = policy_decode(object, POLICY_NAMESPACED, &policy) == 0 && policy->accepted;

	policy_free(policy);
	return done;
}

static bool decode_quota(void *object)
{
	struct quota *quota = NULL;
	bool done = quota_decode(object, &quota) == 0;

	quota_free(quota);
	return done;
}

static bool decode_pod(void *object)
{
	struct pod *pod = NULL;
	bool done = pod_decode(object, &pod) == 0;

	pod_free(pod);
	return done;
}

struct bench {
	struct policy *policy;
	struct pod *pod;
	struct labels labels;
	struct fleet fleet;
	struct fleet_node *node;
	struct aggregate aggregate;
	cJSON *json;
};

static struct selected_pod *compile(const struct bench *bench)
{
	const struct policy_lists policies = {.of_namespace = bench->policy};
	struct selected_pod *selected = NULL;

	if (compile_pod(&policies, bench->pod, &bench->labels, &selected) < 0)
		return NULL;
	return selected;
}

static bool compile_one(void *context)
{
	struct selected_pod *selected = compile(context);
	bool done = selected != NULL;

	selected_pod_free(selected);
	return done;
}

static bool encode_selected(void *context)
{
	cJSON *json = selected_pod_encode(context);
	bool done = json != NULL;

	cJSON_Delete(json);
	return done;
}

static bool decode_selected(void *context)
{
	const struct bench *bench = context;
	struct selected_pod *selected = NULL;
	bool done = selected_pod_decode(bench->json, &selected, NULL) == 0;

	selected_pod_free(selected);
	return done;
}

static bool snapshot(void *context)
{
	const struct bench *bench = context;
	cJSON *message = fleet_node_snapshot(&bench->fleet, bench->node);
	bool done = message != NULL;

	cJSON_Delete(message);
	return done;
}

/* Selects a pod anew, tells of it, and drops it. */
static bool select_and_tell(void *context)
{
	struct bench *bench = context;
	struct selected_pod *selected = compile(bench);
	cJSON *message;
	bool done;

	if (!selected)
		return false;
	done = fleet_node_select(bench->node, "uid-a", selected) > 0;
	message = fleet_node_delta(&bench->fleet, bench->node);
	done &= message != NULL;
	cJSON_Delete(message);
	fleet_node_connect(bench->node, false, 0);
	(void)fleet_node_select(bench->node, "uid-a", NULL); /* takes no memory: nobody is told */
	fleet_node_connect(bench->node, true, 0);
	return done;
}

static bool make_status(void *context)
{
	const struct bench *bench = context;
	cJSON *status = status_make(bench->policy, &bench->aggregate, NULL, 0);
	bool done = status != NULL;

	cJSON_Delete(status);
	return done;
}

static bool carry_report(void *context)
{
	char policy[] = "shop/p";
	const struct report_throttle throttle = {policy, {{5, 7}}, 9};
	struct report report = {0}, decoded = {0};
	cJSON *json = NULL;
	bool done;

	(void)context;
	report.epoch = strdup("e");
	done = report.epoch && report_add(&report, "u", PROBE_TCP, PROBE_FAILED, "R", "m") == 0 &&
	       report_add(&report, "v", PROBE_EXEC, PROBE_WAITING, "R", "m") == 0 &&
	       report_add_throttle(&report, &throttle) == 0;
	if (done)
		json = report_encode(&report);
	done = json && report_decode(json, &decoded, NULL) == 0;
	report_free(&report);
	report_free(&decoded);
	cJSON_Delete(json);
	return done;
}

static bool greet(void *context)
{
	const struct hello hello = {1, "n1", "0.1", "6.18", {"e", 1}};
	cJSON *message = hello_encode(&hello);
	bool done = message != NULL;

	(void)context;
	cJSON_Delete(message);
	return done;
}

static bool see_all(void *context, const char *namespace)
{
	(void)context, (void)namespace;
	return true;
}

static const char service_text[] =
	"{'metadata': {'namespace': 'shop', 'name': 'cart'}, 'spec': {'clusterIP': '10.96.0.9',"
	" 'externalIPs': ['1.1.1.1'], 'selector': {'app': 'cart'}, 'ports': [{'port': 80}]}}";

static bool decode_service(void *object)
{
	struct service *service = NULL;
	bool done = service_decode(object, &service) == 0;

	service_free(service);
	return done;
}

static bool ask_and_tell(void *context)
{
	struct lookups lookups = {0};
	struct addresses addresses = {0};
	struct asker asker = {0};
	struct lookup lookup = {.address_count = 3};
	cJSON *message = NULL, *asked;
	bool done;

	(void)context;
	for (uint8_t i = 0; i < 3; i++)
		lookup.addresses[i].bytes[0] = i;
	lookups_join(&lookups, &asker);
	asked = lookup_encode(&lookup);
	done = asked && lookups_ask(&asker, &lookup) == 0;
	if (done)
		message = lookups_tell(&asker, &addresses);
	done = message != NULL;
	lookups_leave(&lookups, &asker);
	cJSON_Delete(asked);
	cJSON_Delete(message);
	return done;
}

static const struct reported_edge reported = {
	.protocol = "tcp",
	.workload = {"shop", "Deployment", "web"},
	.peer = {"", "External", "example.org"},
};

static cJSON *make_edges(void)
{
	cJSON *edges = cJSON_CreateArray();

	if (!edges || !reported_edge_encode(edges, &reported, true)) {
		cJSON_Delete(edges);
		return NULL;
	}
	return edges_report_encode(true, false, edges, cJSON_CreateArray());
}

static bool tell_edges(void *context)
{
	cJSON *message = make_edges();
	bool done = message != NULL;

	(void)context;
	cJSON_Delete(message);
	return done;
}

/* The graph is there already: a table that begins without memory ends the process. */
static bool write_graph(void *context)
{
	struct text text = TEXT_EMPTY;
	bool done = graph_write(context, "now", see_all, NULL, &text) == 0;

	text_free(&text);
	return done;
}

/* A node with one pod that stays, so that its table never starts from nothing. */
static struct bench bench_make(void)
{
	struct bench bench = {.fleet = {.epoch = strdup("e")}};
	cJSON *policy = json_of(policy_text), *pod = json_of(pod_text);

	assert_int_equal(policy_decode(policy, POLICY_NAMESPACED, &bench.policy), 0);
	assert_int_equal(pod_decode(pod, &bench.pod), 0);
	cJSON_Delete(policy);
	cJSON_Delete(pod);
	bench.labels = labels_of("{'pool': 'main'}");
	bench.node = fleet_ensure_node(&bench.fleet, "n1", 0);
	fleet_node_connect(bench.node, true, 0);
	bench.json = json_of("{'uid': 'stays', 'namespace': 's', 'name': 'n', 'workload': "
			     "{'kind': 'Pod', 'name': 'n'}, 'containers': [{'name': 'c', 'id': "
			     "'i'}], 'probes': [{'type': 'TCP', 'containers': ['c'], 'policies': "
			     "['s/p']}, {'type': 'Exec'}]}");
	return bench;
}

static void survives_without_memory(void **state)
{
	struct bench bench = bench_make();
	cJSON *policy = json_of(policy_text), *pod = json_of(pod_text);
	cJSON *quota = json_of(quota_text);
	struct selected_pod *stays = NULL, *selected = compile(&bench);

	(void)state;
	bench.aggregate.failure_count = 1;
	bench.aggregate.failures[0] =
		(struct aggregate_failure){"n1", "shop", "a", PROBE_TCP, "NoRoom", "no room"};
	assert_int_equal(selected_pod_decode(bench.json, &stays, NULL), 0);
	assert_int_equal(fleet_node_select(bench.node, "stays", stays), true);
	assert_true(starve(decode_policy, policy) > 10);
	assert_true(starve(decode_pod, pod) > 5);
	assert_true(starve(decode_quota, quota) > 5);
	cJSON_Delete(quota);
	assert_true(starve(compile_one, &bench) > 10);
	assert_true(starve(encode_selected, selected) > 10);
	assert_true(starve(decode_selected, &bench) > 10);
	assert_true(starve(snapshot, &bench) > 10);
	assert_true(starve(select_and_tell, &bench) > 10);
	assert_true(starve(make_status, &bench) > 10);
	assert_true(starve(carry_report, NULL) > 10);
	assert_true(starve(greet, NULL) > 5);
	cJSON_Delete(policy);
	cJSON_Delete(pod);
	cJSON_Delete(bench.json);
	selected_pod_free(selected);
	policy_free(bench.policy);
	pod_free(bench.pod);
	labels_free(&bench.labels);
	fleet_clear(&bench.fleet);
}

static void survives_in_the_graph_without_memory(void **state)
{
	cJSON *service = json_of(service_text), *message = make_edges();
	struct edges_report report;
	struct cluster cluster = {0};
	struct edges edges = {0};
	struct graph graph;

	(void)state;
	assert_int_equal(edges_report_decode(message, &report, NULL), 0);
	assert_int_equal(edges_take_report(&edges, "n1", &report, NULL), 0);
	assert_int_equal(graph_make(&edges, &cluster, NULL, &graph), 0);
	assert_true(starve(decode_service, service) > 5);
	assert_true(starve(ask_and_tell, NULL) > 10);
	assert_true(starve(tell_edges, NULL) > 10);
	assert_true(starve(write_graph, &graph) > 10);
	graph_free(&graph);
	edges_clear(&edges);
	cJSON_Delete(service);
	cJSON_Delete(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
		cmocka_unit_test(survives_in_the_graph_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
