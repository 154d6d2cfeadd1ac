// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include "operator/cluster.h"

#define TCP "{'selector': {}, 'probes': [{'type': 'TCP'}]}"

static void finds_what_was_added(void **state)
{
	struct cluster cluster = {0};
	struct pod *pod = pod_of("a", "n1", "{}"), *loose = pod_of("b", "", "{}");
	struct policy *policy = policy_of("p", TCP);

	(void)state;
	assert_int_equal(cluster_add_pod(&cluster, pod), 0);
	assert_int_equal(cluster_add_pod(&cluster, loose), 0);
	assert_int_equal(cluster_add_policy(&cluster, policy), 0);
	assert_ptr_equal(cluster_find_pod(&cluster, "uid-a"), pod);
	assert_null(cluster_find_pod(&cluster, "uid-z"));
	assert_ptr_equal(cluster_find_policy(&cluster, "shop/p"), policy);
	assert_ptr_equal(cluster_find_namespace(&cluster, "shop")->pods, pod);
	assert_ptr_equal(pod->namespace_next, loose);
	assert_ptr_equal(cluster_find_node(&cluster, "n1")->pods, pod);
	assert_false(cluster_find_node(&cluster, "n1")->exists);
	assert_null(cluster_find_node(&cluster, ""));
	cluster_clear(&cluster);
}

/* Whatever comes goes again, or a cluster that lives for long would only grow. */
static void forgets_what_nobody_needs(void **state)
{
	struct cluster cluster = {0};
	struct pod *pod = pod_of("a", "n1", "{}");
	struct policy *policy = policy_of("p", TCP);

	(void)state;
	assert_int_equal(cluster_add_pod(&cluster, pod), 0);
	assert_int_equal(cluster_add_policy(&cluster, policy), 0);
	cluster_take_pod(&cluster, pod);
	assert_null(cluster_find_node(&cluster, "n1"));
	assert_non_null(cluster_find_namespace(&cluster, "shop"));
	cluster_take_policy(&cluster, policy);
	assert_null(cluster.namespaces);
	assert_int_equal(cluster.pods.count, 0);
	assert_null(cluster.policies);
	pod_free(pod);
	policy_free(policy);
}

static void keeps_a_node_as_long_as_it_or_its_pods_are_there(void **state)
{
	struct cluster cluster = {0};
	struct labels labels = labels_of("{'pool': 'main'}");
	struct labels same = labels_of("{'pool': 'main'}");
	struct labels other = labels_of("{'pool': 'canary'}");
	bool changed;

	(void)state;
	assert_int_equal(cluster_set_node(&cluster, "n1", &labels, &changed), 0);
	assert_true(changed);
	assert_int_equal(cluster_set_node(&cluster, "n1", &same, &changed), 0);
	assert_false(changed);
	assert_int_equal(cluster_set_node(&cluster, "n1", &other, &changed), 0);
	assert_true(changed);
	assert_int_equal(cluster_add_pod(&cluster, pod_of("a", "n1", "{}")), 0);
	cluster_remove_node(&cluster, "n1");
	cluster_remove_node(&cluster, "n9");
	assert_false(cluster_find_node(&cluster, "n1")->exists);
	assert_int_equal(cluster_find_node(&cluster, "n1")->labels.count, 0);
	cluster_clear(&cluster);
	assert_null(cluster.nodes);
	assert_null(cluster.namespaces);
}

/* Pods see the labels of their namespace as long as it is there, whatever came first. */
static void keeps_a_namespace_as_long_as_it_or_what_is_in_it_is_there(void **state)
{
	struct cluster cluster = {0};
	struct labels labels = labels_of("{'team': 'a'}"), same = labels_of("{'team': 'a'}");
	struct pod *early = pod_of("a", "n1", "{}"), *late = pod_of("b", "n1", "{}");
	bool changed;

	(void)state;
	assert_int_equal(cluster_add_pod(&cluster, early), 0);
	assert_null(early->namespace_labels);
	assert_int_equal(cluster_set_namespace(&cluster, "shop", &labels, &changed), 0);
	assert_true(changed);
	assert_int_equal(cluster_add_pod(&cluster, late), 0);
	assert_string_equal(labels_get(early->namespace_labels, "team"), "a");
	assert_ptr_equal(late->namespace_labels, early->namespace_labels);
	assert_int_equal(cluster_set_namespace(&cluster, "shop", &same, &changed), 0);
	assert_false(changed);
	cluster_take_pod(&cluster, late);
	assert_null(late->namespace_labels);
	cluster_remove_namespace(&cluster, "shop");
	cluster_remove_namespace(&cluster, "unheard-of");
	assert_null(early->namespace_labels);
	assert_non_null(cluster_find_namespace(&cluster, "shop"));
	pod_free(late);
	cluster_clear(&cluster);
	assert_null(cluster.namespaces);
}

static struct policy *policy_made(const char *name, const char *created)
{
	struct policy *policy = NULL;
	cJSON *object = json_format("{'metadata': {'namespace': 'shop', 'name': '%s', 'uid': '%s',"
				    " 'creationTimestamp': '%s'}, 'spec': " TCP "}",
				    name, name, created);

	assert_int_equal(policy_decode(object, POLICY_NAMESPACED, &policy), 0);
	cJSON_Delete(object);
	return policy;
}

/* Whatever order they come in: quotas count by it. */
static void keeps_policies_of_a_namespace_by_their_age(void **state)
{
	static const char *const came[][2] = {{"b", "2026-11-21T05:00:00Z"},
					      {"late", "2026-11-21T06:00:00Z"},
					      {"old", "2026-11-20T05:00:00Z"},
					      {"a", "2026-11-21T05:00:00Z"}};
	static const char *const expected[] = {"old", "a", "b", "late"};
	struct cluster cluster = {0};
	const struct policy *policy;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(cluster_add_policy(&cluster, policy_made(came[i][0], came[i][1])),
				 0);
	policy = cluster_find_namespace(&cluster, "shop")->policies;
	for (; policy; policy = policy->scope_next)
		assert_string_equal(policy->name, expected[at++]);
	assert_int_equal(at, 4);
	cluster_clear(&cluster);
}

static void keeps_policies_of_the_cluster_in_a_list_of_their_own(void **state)
{
	struct cluster cluster = {0};
	struct policy *policy = cluster_policy_of("p", TCP);

	(void)state;
	assert_int_equal(cluster_add_policy(&cluster, policy), 0);
	assert_int_equal(cluster_add_policy(&cluster, policy_of("p", TCP)), 0);
	assert_ptr_equal(cluster.cluster_policies, policy);
	assert_null(policy->scope_next);
	assert_ptr_equal(cluster_find_policy(&cluster, "p"), policy);
	cluster_take_policy(&cluster, policy);
	assert_null(cluster.cluster_policies);
	assert_non_null(cluster_find_policy(&cluster, "shop/p"));
	policy_free(policy);
	cluster_clear(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_added),
		cmocka_unit_test(forgets_what_nobody_needs),
		cmocka_unit_test(keeps_a_node_as_long_as_it_or_its_pods_are_there),
		cmocka_unit_test(keeps_a_namespace_as_long_as_it_or_what_is_in_it_is_there),
		cmocka_unit_test(keeps_policies_of_a_namespace_by_their_age),
		cmocka_unit_test(keeps_policies_of_the_cluster_in_a_list_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
