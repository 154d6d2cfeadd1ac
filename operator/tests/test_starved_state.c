// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Memory runs out at every allocation in turn while something is added to what the operator keeps:
 * then it is as it was, and nothing that was there before is lost.
 */

#include "lib/base/tests/starve.h"
#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "operator/addresses.h"
#include "operator/cluster.h"
#include "operator/compile.h"
#include "operator/edges.h"
#include "operator/fleet.h"
#include "operator/graph.h"
#include "operator/lookups.h"
#include "operator/quota.h"
#include "operator/review_cache.h"

#define LABELS "{'app': 'web'}"

static const char policy_text[] = "{'metadata': {'namespace': 'shop', 'name': 'p', 'uid': 'u'},"
				  " 'spec': {'probes': [{'type': 'TCP'}]}}";
static const char cluster_policy_text[] =
	"{'metadata': {'name': 'c', 'uid': 'c'}, 'spec': {'namespaceSelector': {'matchExpressions':"
	" [{'key': 'team', 'operator': 'In', 'values': ['a', 'b']}]},"
	" 'probes': [{'type': 'DNS', 'dns': {'slowThreshold': '1s'}}]}}";
static const char quota_text[] =
	"{'metadata': {'name': 'q', 'uid': 'u'}, 'spec': {'policiesPerNamespace': 3}}";
static const char service_text[] =
	"{'metadata': {'namespace': 'shop', 'name': 'cart'}, 'spec': {'clusterIP': '10.96.0.9',"
	" 'selector': {'app': 'web'}, 'ports': [{'port': 80, 'targetPort': 8080}]}}";
static const char pod_text[] =
	"{'metadata': {'namespace': 'shop', 'name': 'a', 'uid': 'uid-a', 'labels': {'app': 'web'},"
	" 'ownerReferences': [{'kind': 'StatefulSet', 'name': 'web', 'controller': true}]},"
	" 'spec': {'nodeName': 'n1', 'containers': [{'name': 'server'}]}, 'status':"
	" {'podIPs': [{'ip': '10.1.0.1'}, {'ip': 'fd00::1'}], 'startTime': '2026-11-21T05:00:00Z',"
	" 'phase': 'Running'}}";
static const char node_text[] =
	"{'metadata': {'name': 'n1'}, 'status': {'addresses': [{'type': 'InternalIP', 'address':"
	" '10.0.0.1'}, {'type': 'ExternalIP', 'address': '1.2.3.4'}]}}";

/* A cluster that is empty between two calls of the work, and the object to be added to it. */
struct scene {
	struct cluster cluster;
	cJSON *object;
};

static bool is_empty(const struct cluster *cluster)
{
	const struct cluster empty = {0};

	return memcmp(cluster, &empty, sizeof(empty)) == 0;
}

/* What was added is all there is, and goes without a trace. */
static bool clear(struct scene *scene, bool added)
{
	starve_pause();
	assert_int_equal(is_empty(&scene->cluster), !added);
	cluster_clear(&scene->cluster);
	assert_true(is_empty(&scene->cluster));
	return added;
}

static bool add_policy(void *context)
{
	struct scene *scene = context;
	struct policy *policy;

	return clear(scene, policy_decode(scene->object, POLICY_NAMESPACED, &policy) == 0 &&
				    cluster_add_policy(&scene->cluster, policy) == 0);
}

static bool add_cluster_policy(void *context)
{
	struct scene *scene = context;
	struct policy *policy;

	return clear(scene, policy_decode(scene->object, POLICY_CLUSTER, &policy) == 0 &&
				    cluster_add_policy(&scene->cluster, policy) == 0);
}

static bool add_quota(void *context)
{
	struct scene *scene = context;
	struct quota *quota;

	return clear(scene, quota_decode(scene->object, &quota) == 0 &&
				    cluster_add_quota(&scene->cluster, quota) == 0);
}

static bool add_service(void *context)
{
	struct scene *scene = context;
	struct service *service;

	return clear(scene, service_decode(scene->object, &service) == 0 &&
				    cluster_add_service(&scene->cluster, service) == 0);
}

/* A pod whose template cannot be shared has one of its own. */
static bool add_pod(void *context)
{
	struct scene *scene = context;
	struct pod *pod;

	return clear(scene, pod_decode(scene->object, &pod) == 0 &&
				    cluster_add_pod(&scene->cluster, pod) == 0);
}

static bool add_node(void *context)
{
	struct scene *scene = context;
	struct labels labels;
	bool changed, added = labels_decode(scene->object, &labels) == 0 &&
			      cluster_set_node(&scene->cluster, "n1", &labels, &changed) == 0;

	return clear(scene, added);
}

static bool add_namespace(void *context)
{
	struct scene *scene = context;
	struct labels labels;
	bool changed, added = labels_decode(scene->object, &labels) == 0;

	if (added && labels_set(&labels, "kubernetes.io/metadata.name", "shop") < 0) {
		labels_free(&labels);
		added = false;
	}
	added = added && cluster_set_namespace(&scene->cluster, "shop", &labels, &changed) == 0;
	return clear(scene, added);
}

static void adds_to_the_cluster_or_not_at_all(void **state)
{
	const struct {
		const char *name, *text;
		bool (*work)(void *context);
	} cases[] = {
		{"a policy", policy_text, add_policy},
		{"a policy of the cluster", cluster_policy_text, add_cluster_policy},
		{"a quota", quota_text, add_quota},
		{"a Service", service_text, add_service},
		{"a node", "{'a': 'b'}", add_node},
		{"a namespace", "{'a': 'b'}", add_namespace},
	};
	struct scene scene = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene.object = json_of(cases[i].text);
		assert_true(starve_work(cases[i].name, cases[i].work, &scene, false) > 3);
		cJSON_Delete(scene.object);
	}
	scene.object = json_of(pod_text);
	assert_true(starve_degrading(add_pod, &scene) > 8);
	cJSON_Delete(scene.object);
}

/* A cluster with one of each, and what is kept of it. */
struct kept {
	struct cluster cluster;
	struct addresses addresses;
	struct fleet fleet;
	struct edges edges;
	struct pod *pod;
	struct service *service;
	struct cluster_node *node;
	cJSON *report;
};

static void keep(struct kept *kept)
{
	struct labels labels = labels_of("{'team': 'a'}");
	cJSON *policy = json_of(policy_text), *cluster_policy = json_of(cluster_policy_text);
	cJSON *pod = json_of(pod_text), *service = json_of(service_text),
	      *node = json_of(node_text);
	struct policy *made;
	bool changed;

	assert_int_equal(policy_decode(policy, POLICY_NAMESPACED, &made), 0);
	assert_int_equal(cluster_add_policy(&kept->cluster, made), 0);
	assert_int_equal(policy_decode(cluster_policy, POLICY_CLUSTER, &made), 0);
	assert_int_equal(cluster_add_policy(&kept->cluster, made), 0);
	assert_int_equal(cluster_set_namespace(&kept->cluster, "shop", &labels, &changed), 0);
	assert_int_equal(cluster_set_node(&kept->cluster, "n1", &labels, &changed), 0);
	assert_int_equal(pod_decode(pod, &kept->pod), 0);
	assert_int_equal(cluster_add_pod(&kept->cluster, kept->pod), 0);
	assert_int_equal(service_decode(service, &kept->service), 0);
	assert_int_equal(cluster_add_service(&kept->cluster, kept->service), 0);
	kept->node = cluster_find_node(&kept->cluster, "n1");
	assert_int_equal(cluster_set_node_addresses(kept->node, node), 0);
	kept->fleet.epoch = strdup("e");
	cJSON_Delete(policy);
	cJSON_Delete(cluster_policy);
	cJSON_Delete(pod);
	cJSON_Delete(service);
	cJSON_Delete(node);
}

static void drop(struct kept *kept)
{
	addresses_clear(&kept->addresses);
	fleet_clear(&kept->fleet);
	edges_clear(&kept->edges);
	cluster_clear(&kept->cluster);
}

/* What was added in part is taken out with the rest. */
static bool hold_addresses(void *context)
{
	struct kept *kept = context;
	struct addresses *addresses = &kept->addresses;
	bool done = addresses_add_pod(addresses, kept->pod) == 0;

	done &= addresses_add_service(addresses, kept->service) == 0;
	done &= addresses_add_node(addresses, kept->node) == 0;
	starve_pause();
	addresses_take_pod(addresses, kept->pod);
	addresses_take_service(addresses, kept->service);
	addresses_take_node(addresses, kept->node);
	assert_int_equal(addresses->holders.count, 0);
	return done;
}

static bool set_addresses(void *context)
{
	struct kept *kept = context;
	cJSON *node;
	bool done;

	starve_pause();
	node = json_of(node_text);
	starve_resume();
	done = cluster_set_node_addresses(kept->node, node) == 0;
	starve_pause();
	assert_true(cluster_node_has_addresses(kept->node, node));
	cJSON_Delete(node);
	return done;
}

/* Compiles, selects, tells: what could not be told is told by the next message. */
static bool compile_and_tell(void *context)
{
	struct kept *kept = context;
	const struct policy_lists policies = {kept->cluster.policies,
					      kept->cluster.cluster_policies};
	struct selected_pod *selected = NULL;
	struct fleet_node *node = fleet_ensure_node(&kept->fleet, "n1", 0);
	cJSON *message = NULL;
	bool done = node && compile_pod(&policies, kept->pod, &kept->node->labels, &selected) == 0;

	if (done) {
		fleet_node_connect(node, true, 0);
		done = fleet_node_select(node, "uid-a", selected) > 0;
	}
	if (done)
		message = fleet_node_delta(&kept->fleet, node);
	starve_pause();
	if (done && !message) {
		message = fleet_node_delta(&kept->fleet, node);
		assert_int_equal(json_integer(message, 0, "revision"), 1);
		assert_int_equal(cJSON_GetArraySize(json_find(message, "upsert")), 1);
		done = false;
	}
	cJSON_Delete(message);
	if (node)
		fleet_remove_node(&kept->fleet, node);
	return done;
}

/* The removal of a pod that its agent could not be told of is told by the next message. */
static bool tell_of_the_end(void *context)
{
	struct kept *kept = context;
	struct fleet_node *node = kept->fleet.nodes;
	struct selected_pod *selected = NULL;
	const struct policy_lists policies = {.of_namespace = kept->cluster.policies};
	cJSON *message = NULL;
	bool removed;

	starve_pause();
	assert_int_equal(compile_pod(&policies, kept->pod, &kept->node->labels, &selected), 0);
	assert_int_equal(fleet_node_select(node, "uid-a", selected), 1);
	cJSON_Delete(fleet_node_delta(&kept->fleet, node));
	starve_resume();
	removed = fleet_node_select(node, "uid-a", NULL) > 0;
	if (removed)
		message = fleet_node_delta(&kept->fleet, node);
	starve_pause();
	if (message) {
		cJSON_Delete(message);
		return true;
	}
	if (!removed)
		assert_int_equal(fleet_node_select(node, "uid-a", NULL), 1);
	message = fleet_node_delta(&kept->fleet, node);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "remove")), 1);
	cJSON_Delete(message);
	return false;
}

static bool see_all(void *context, const char *namespace)
{
	(void)context, (void)namespace;
	return true;
}

/* Takes a report of edges, makes the graph of them, writes it. */
static bool draw_graph(void *context)
{
	struct kept *kept = context;
	struct edges_report report;
	struct graph graph = {0};
	struct strings namespaces = {0};
	struct text text = TEXT_EMPTY;
	bool done = edges_report_decode(kept->report, &report, NULL) == 0 &&
		    edges_take_report(&kept->edges, "n1", &report, NULL) == 0 &&
		    graph_make(&kept->edges, &kept->cluster, NULL, &graph) == 0;

	done = done && graph_namespaces(&graph, &namespaces) == 0 &&
	       graph_write(&graph, "now", see_all, NULL, &text) == 0;
	starve_pause();
	assert_true(!done || strstr(text.data, "\"server\":null"));
	text_free(&text);
	strings_free(&namespaces);
	graph_free(&graph);
	edges_node_gone(&kept->edges, "n1", 1);
	edges_expire(&kept->edges, 1 + EDGES_KEPT_MS);
	assert_null(kept->edges.nodes);
	assert_int_equal(kept->edges.bytes, 0);
	return done;
}

/* What is not told stays due, and is told by the next message. */
static bool answer_lookup(void *context)
{
	struct kept *kept = context;
	struct lookups lookups = {0};
	struct asker asker = {0};
	const struct lookup lookup = {.addresses = {address_of("10.1.0.1"), address_of("1.1.1.1")},
				      .address_count = 2};
	cJSON *message = NULL;
	bool asked, told;

	lookups_join(&lookups, &asker);
	asked = lookups_ask(&asker, &lookup) == 0;
	if (asked)
		message = lookups_tell(&asker, &kept->addresses);
	told = message != NULL;
	starve_pause();
	if (asked && !told)
		message = lookups_tell(&asker, &kept->addresses);
	assert_true(!asked || cJSON_GetArraySize(peers_array(message)) == 2);
	cJSON_Delete(message);
	lookups_leave(&lookups, &asker);
	return told;
}

static void keeps_what_was_there(void **state)
{
	struct kept kept = {0};

	(void)state;
	keep(&kept);
	kept.report = json_of(
		"{'type': 'edges', 'full': true, 'truncated': false, 'gone': [], 'edges': ["
		"{'role': 'client', 'protocol': 'tcp', 'port': 80, 'workload': {'namespace': "
		"'shop',"
		" 'kind': 'Deployment', 'name': 'front'}, 'peer': {'namespace': 'shop', 'kind':"
		" 'Service', 'name': 'cart'}, 'figures': {'connections': 2}},"
		"{'role': 'client', 'protocol': 'tcp', 'port': 443, 'workload': {'namespace':"
		" 'shop', 'kind': 'Deployment', 'name': 'front'}, 'peer': {'namespace': '', 'kind':"
		" 'External', 'name': ''}, 'figures': {'connections': 1}}]}");
	assert_true(starve(hold_addresses, &kept) > 5);
	assert_int_equal(starve(set_addresses, &kept), 1);
	assert_true(starve(compile_and_tell, &kept) > 50);
	/* Without memory for it, what is behind a Service is looked for again. */
	assert_true(starve_degrading(draw_graph, &kept) > 50);
	assert_int_equal(addresses_add_pod(&kept.addresses, kept.pod), 0);
	assert_true(starve(answer_lookup, &kept) > 10);
	fleet_node_connect(fleet_ensure_node(&kept.fleet, "n1", 0), true, 0);
	assert_true(starve(tell_of_the_end, &kept) > 10);
	cJSON_Delete(kept.report);
	drop(&kept);
}

/*
 * A review that cannot be kept is asked for again, which is all that comes of it. What OpenSSL is
 * refused once, it may do without.
 */
static bool keep_review(void *context)
{
	struct review_cache cache = {0};
	struct review_key key = review_key_of_token("t");
	bool kept;

	review_cache_keep(&cache, &key, true, context, "why", 1);
	kept = review_cache_find(&cache, &key, 2) != NULL;
	review_cache_clear(&cache);
	return kept;
}

static void forgets_reviews(void **state)
{
	cJSON *user = json_of("{'username': 'u', 'groups': ['a', 'b']}");

	(void)state;
	assert_true(starve_degrading(keep_review, user) > 8);
	cJSON_Delete(user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_to_the_cluster_or_not_at_all),
		cmocka_unit_test(keeps_what_was_there),
		cmocka_unit_test(forgets_reviews),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
