// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include <errno.h>

#include "lib/base/text.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_what_is_asked(void **state)
{
	struct policy *policy =
		policy_of("checkout", "{'selector': {'matchLabels': {'app': 'checkout'}},"
				      " 'containers': ['server', 'proxy', 'server'],"
				      " 'nodeSelector': {'pool': 'canary'},"
				      " 'probes': [{'type': 'TCP'}, {'type': 'Exec', 'exec':"
				      " {'arguments': 'Raw', 'failures': true}},"
				      " {'type': 'DNS', 'dns': {'slowThreshold': '2s'}},"
				      " {'type': 'HTTP', 'http': {'sampleOneIn': 100}}]}");

	(void)state;
	assert_string_equal(policy->id, "shop/checkout");
	assert_string_equal(policy->uid, "u-checkout");
	assert_int_equal(policy->generation, 3);
	assert_int_equal(policy->containers.count, 2);
	assert_true(policy->probes[PROBE_TCP].wanted);
	assert_true(policy->probes[PROBE_EXEC].wanted);
	assert_int_equal(policy->probes[PROBE_EXEC].settings.exec.arguments, EXEC_ARGUMENTS_RAW);
	assert_true(policy->probes[PROBE_EXEC].settings.exec.failures);
	assert_true(policy->probes[PROBE_DNS].settings.dns.slow_ns == 2000000000);
	assert_int_equal(policy->probes[PROBE_HTTP].settings.http.sample_one_in, 100);
	assert_false(policy->suspend);
	assert_int_equal(policy->mode, POLICY_ACTIVE);
	assert_int_equal(policy->expires_after, 0);
	policy_free(policy);
}

static void redacts_unless_told_otherwise(void **state)
{
	static const char *const specs[] = {
		"{'selector': {}, 'probes': [{'type': 'Exec'}]}",
		"{'selector': {}, 'probes': [{'type': 'Exec', 'exec': {}}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(specs); i++) {
		struct policy *policy = policy_of("p", specs[i]);
		const struct exec_settings *exec = &policy->probes[PROBE_EXEC].settings.exec;

		assert_int_equal(exec->arguments, EXEC_ARGUMENTS_REDACTED);
		assert_false(exec->failures);
		assert_false(policy->probes[PROBE_TCP].wanted);
		policy_free(policy);
	}
}

/* Each refusal names the field first and then what to do. */
static const struct {
	const char *spec, *field, *remedy;
} refusals[] = {
	{"null", "spec.probes: ", "from 1 to 4"},
	{"{}", "spec.probes: ", "from 1 to 4"},
	{"{'probes': []}", "spec.probes: ", "from 1 to 4"},
	{"{'probes': {'type': 'TCP'}}", "spec.probes: ", "must list"},
	{"{'probes': [{'type': 'TCP'}, {'type': 'Exec'}, {'type': 'DNS'}, {'type': "
	 "'HTTP'}, {'type': 'TCP'}]}",
	 "spec.probes: ", "from 1 to 4"},
	{"{'probes': [{'type': 'TCP'}, {'type': 'TCP'}]}",
	 "spec.probes[1]: type: ", "join the two"},
	{"{'probes': [{'type': 'SQL'}]}", "spec.probes[0]: type: \"SQL\"",
	 "use TCP, Exec, DNS or HTTP"},
	{"{'probes': [{'type': 'tcp'}]}", "spec.probes[0]: type: \"tcp\"",
	 "use TCP, Exec, DNS or HTTP"},
	{"{'probes': [{'type': 7}]}", "spec.probes[0]: type: ", "use TCP, Exec, DNS or HTTP"},
	{"{'probes': ['TCP']}", "spec.probes[0]: type: ", "use TCP, Exec, DNS or HTTP"},
	{"{'probes': [{'type': 'Exec', 'exec': {'arguments': 'All'}}]}",
	 "spec.probes[0]: exec.arguments: \"All\"", "use None, Redacted or Raw"},
	{"{'probes': [{'type': 'Exec', 'exec': {'failures': 'yes'}}]}",
	 "spec.probes[0]: exec.failures: ", "true or false"},
	{"{'probes': [{'type': 'Exec', 'exec': true}]}",
	 "spec.probes[0]: exec: ", "must be an object"},
	{"{'probes': [{'type': 'TCP', 'exec': {}}]}",
	 "spec.probes[0]: exec: ", "goes with type Exec only"},
	{"{'probes': [{'type': 'HTTP', 'http': {'report': ['6xx']}}]}",
	 "spec.probes[0]: http.report: \"6xx\"", "no class (\"5xx\") and no status"},
	{"{'probes': [{'type': 'TCP', 'http': {}}]}",
	 "spec.probes[0]: http: ", "goes with type HTTP only"},
	{"{'containers': 'server', 'probes': [{'type': 'TCP'}]}",
	 "spec.containers: ", "list of names"},
	{"{'containers': [''], 'probes': [{'type': 'TCP'}]}",
	 "spec.containers: ", "container's name"},
	{"{'containers': [1], 'probes': [{'type': 'TCP'}]}",
	 "spec.containers: ", "container's name"},
	{"{'selector': 'app', 'probes': [{'type': 'TCP'}]}",
	 "spec.selector: ", "must be an object"},
	{"{'selector': {'matchLabels': {'a': 'b c'}}, 'probes': [{'type': 'TCP'}]}",
	 "spec.selector.matchLabels[a]: ", "at most 63"},
	{"{'nodeSelector': {'a b': 'c'}, 'probes': [{'type': 'TCP'}]}",
	 "spec.nodeSelector: ", "use at most 63"},
	{"{'suspend': 'yes', 'probes': [{'type': 'TCP'}]}", "spec.suspend: ", "true or false"},
	{"{'mode': 'Dry', 'probes': [{'type': 'TCP'}]}", "spec.mode: \"Dry\"",
	 "use Active or Preview"},
	{"{'mode': true, 'probes': [{'type': 'TCP'}]}", "spec.mode: ", "use Active or Preview"},
	{"{'budget': 5, 'probes': [{'type': 'TCP'}]}", "spec.budget: ", "must be an object"},
	{"{'budget': {'eventsPerSecond': 0}, 'probes': [{'type': 'TCP'}]}",
	 "spec.budget: eventsPerSecond: ", "a whole number from 1 to 100000"},
	{"{'expiresAfter': 'soon', 'probes': [{'type': 'TCP'}]}",
	 "spec.expiresAfter: ", "a number and its unit"},
	{"{'expiresAfter': 5, 'probes': [{'type': 'TCP'}]}",
	 "spec.expiresAfter: ", "a number and its unit"},
	{"{'expiresAfter': '900ms', 'probes': [{'type': 'TCP'}]}", "spec.expiresAfter: 900ms",
	 "use 1s to 720h"},
	{"{'expiresAfter': '720h1s', 'probes': [{'type': 'TCP'}]}", "spec.expiresAfter: 720h1s",
	 "use 1s to 720h"},
	{"{'expiresAfter': '9999999999h', 'probes': [{'type': 'TCP'}]}",
	 "spec.expiresAfter: ", "too long"},
};

static void refuses_with_field_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(refusals); i++) {
		struct policy *policy = policy_in("shop", "p", refusals[i].spec);
		const char *message = policy->refusal.message;

		if (policy->accepted ||
		    strncmp(message, refusals[i].field, strlen(refusals[i].field)) != 0)
			fail_msg("%s: \"%s\"", refusals[i].spec, message);
		assert_says(message, refusals[i].remedy);
		policy_free(policy);
	}
}

static void refuses_too_many_containers(void **state)
{
	struct text spec = TEXT_EMPTY;
	struct policy *policy;

	(void)state;
	text_append_string(&spec, "{'probes': [{'type': 'TCP'}], 'containers': ['c'");
	for (int i = 1; i <= POLICY_CONTAINERS_LIMIT; i++)
		text_append_format(&spec, ", 'c%d'", i);
	text_append_string(&spec, "]}");
	policy = policy_in("shop", "p", spec.data);
	text_free(&spec);
	assert_false(policy->accepted);
	assert_says(policy->refusal.message, "spec.containers: at most 32");
	policy_free(policy);
}

/* A refusal quotes the policy; what is quoted must not spoil the status that it stands in. */
static void quotes_only_what_can_be_written(void **state)
{
	struct policy *policy = policy_in(
		"shop", "p",
		"{'selector': {'matchLabels': {'a': 'xy\x7f€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€'}},"
		" 'probes': [{'type': 'TCP'}]}");

	(void)state;
	assert_false(policy->accepted);
	assert_says(policy->refusal.message, "\"xy?€€");
	assert_says(policy->refusal.message, "€??\" is no label value");
	policy_free(policy);
}

static void passes_over_what_has_no_name(void **state)
{
	static const char *const objects[] = {
		"null",
		"[]",
		"'policy'",
		"{}",
		"{'metadata': 'p'}",
		"{'metadata': {'namespace': 'shop', 'name': 'p'}}",
		"{'metadata': {'namespace': 'shop', 'uid': 'u'}}",
		"{'metadata': {'name': 'p', 'uid': 'u'}}",
		"{'metadata': {'namespace': 'shop', 'name': 7, 'uid': 'u'}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(objects); i++) {
		cleanup_json cJSON *object = json_of(objects[i]);
		struct policy *policy = (struct policy *)state;

		assert_int_equal(policy_decode(object, POLICY_NAMESPACED, &policy), -EINVAL);
		assert_ptr_equal(policy, state);
	}
}

static bool selects(const char *spec, struct pod *pod)
{
	struct policy *policy = policy_in("shop", "p", spec);
	bool result = policy_selects_pod(policy, pod);

	policy_free(policy);
	pod_free(pod);
	return result;
}

static void selects_pods_that_run_in_its_namespace(void **state)
{
	static const char web[] = "{'selector': {'matchLabels': {'app': 'web'}},"
				  " 'probes': [{'type': 'TCP'}]}";
	static const char preview[] = "{'selector': {}, 'mode': 'Preview',"
				      " 'probes': [{'type': 'TCP'}]}";
	static const char suspended[] = "{'selector': {}, 'suspend': true,"
					" 'probes': [{'type': 'TCP'}]}";
	struct pod *finished = pod_of("a", "n1", "{'app': 'web'}");

	(void)state;
	finished->finished = true;
	assert_true(selects(web, pod_of("a", "n1", "{'app': 'web'}")));
	assert_false(selects(web, pod_of("a", "n1", "{'app': 'db'}")));
	assert_false(selects(web, pod_in("bank", "a", "n1", "{'app': 'web'}")));
	assert_false(selects(web, pod_of("a", "", "{'app': 'web'}")));
	assert_false(selects(web, finished));
	assert_false(selects(suspended, pod_of("a", "n1", "{'app': 'web'}")));
	assert_false(selects(preview, pod_of("a", "n1", "{'app': 'web'}")));
	assert_false(selects("{}", pod_of("a", "n1", "{'app': 'web'}")));
}

/* Whether a policy of the cluster is about a pod in a namespace with these labels. */
static bool selects_in(const char *spec, const char *namespace_labels)
{
	struct labels labels = labels_of(namespace_labels ? namespace_labels : "{}");
	struct policy *policy = cluster_policy_of("p", spec);
	struct pod *pod = pod_in("bank", "a", "n1", "{'app': 'web'}");
	bool result;

	pod->namespace_labels = namespace_labels ? &labels : NULL;
	result = policy_selects_pod(policy, pod);
	pod_free(pod);
	policy_free(policy);
	labels_free(&labels);
	return result;
}

static void selects_pods_of_the_namespaces_that_it_takes(void **state)
{
	static const char every[] = "{'namespaceSelector': {}, 'selector': {},"
				    " 'probes': [{'type': 'TCP'}]}";
	static const char not_secret[] = "{'namespaceSelector': {'matchExpressions': ["
					 "{'key': 'secret', 'operator': 'DoesNotExist'}]},"
					 " 'selector': {'matchLabels': {'app': 'web'}},"
					 " 'probes': [{'type': 'TCP'}]}";

	(void)state;
	assert_true(selects_in(every, "{}"));
	assert_true(selects_in(every, "{'secret': ''}"));
	assert_true(selects_in(not_secret, "{'team': 'a'}"));
	assert_false(selects_in(not_secret, "{'secret': ''}"));
	/* A namespace that is not known yet might be one that is left out. */
	assert_false(selects_in(not_secret, NULL));
	assert_false(selects_in(every, NULL));
}

static void names_what_is_wrong_with_the_namespaces(void **state)
{
	struct policy *policy = cluster_policy_of(
		"p", "{'namespaceSelector': {'matchLabels': {'a': 'b c'}}, 'selector': {},"
		     " 'probes': [{'type': 'TCP'}]}");

	(void)state;
	assert_false(policy->accepted);
	assert_says(policy->refusal.message, "spec.namespaceSelector.matchLabels[a]: ");
	policy_free(policy);
}

/* A namespace may be called "cluster", or like a policy of the cluster: ids differ all the same. */
static void policies_of_the_cluster_have_ids_of_their_own(void **state)
{
	static const char spec[] = "{'selector': {}, 'probes': [{'type': 'TCP'}]}";
	struct policy *policy = cluster_policy_of("baseline", spec);
	struct policy *namespaced = policy_in("cluster", "baseline", spec);

	(void)state;
	assert_string_equal(policy->id, "baseline");
	assert_null(policy->namespace);
	assert_string_equal(namespaced->id, "cluster/baseline");
	policy_free(policy);
	policy_free(namespaced);
}

static void is_of_the_scope_that_it_came_from(void **state)
{
	cleanup_json cJSON *namespaced =
		json_of("{'metadata': {'namespace': 'shop', 'name': 'p', 'uid': 'u'}}");
	cleanup_json cJSON *clusterwide = json_of("{'metadata': {'name': 'p', 'uid': 'u'}}");
	struct policy *policy = NULL;

	(void)state;
	assert_int_equal(policy_decode(namespaced, POLICY_CLUSTER, &policy), -EINVAL);
	assert_int_equal(policy_decode(clusterwide, POLICY_NAMESPACED, &policy), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_asked),
		cmocka_unit_test(redacts_unless_told_otherwise),
		cmocka_unit_test(refuses_with_field_and_remedy),
		cmocka_unit_test(refuses_too_many_containers),
		cmocka_unit_test(quotes_only_what_can_be_written),
		cmocka_unit_test(passes_over_what_has_no_name),
		cmocka_unit_test(selects_pods_that_run_in_its_namespace),
		cmocka_unit_test(selects_pods_of_the_namespaces_that_it_takes),
		cmocka_unit_test(names_what_is_wrong_with_the_namespaces),
		cmocka_unit_test(policies_of_the_cluster_have_ids_of_their_own),
		cmocka_unit_test(is_of_the_scope_that_it_came_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
