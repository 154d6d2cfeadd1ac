// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include <errno.h>

#include "operator/cluster.h"
#include "operator/compile.h"
#include "operator/quota.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TCP		   "{'selector': {}, 'probes': [{'type': 'TCP'}]}"
#define EXEC(exec)                                                                                 \
	"{'selector': {}, 'probes': [{'type': 'TCP'}, {'type': 'Exec', 'exec': {" exec "}}]}"
#define BUDGET(budget) "{'selector': {}, 'probes': [{'type': 'Exec'}], 'budget': {" budget "}}"

static struct quota *quota_of(const char *name, const char *spec)
{
	struct quota *quota = NULL;
	cJSON *object = json_format("{'metadata': {'name': '%s', 'uid': 'u-%s'}, 'spec': %s}", name,
				    name, spec);

	assert_int_equal(quota_decode(object, &quota), 0);
	cJSON_Delete(object);
	return quota;
}

static void add(struct cluster *cluster, const char *name, const char *spec)
{
	cluster_add_quota(cluster, quota_of(name, spec));
}

/* Judges a policy of shop, which is labelled team=a, by the quotas; the caller frees it. */
static struct policy *judged(const struct cluster *cluster, size_t older, const char *spec)
{
	struct labels labels = labels_of("{'team': 'a'}");
	struct quota_bounds bounds = quota_bounds_of(cluster->quotas, &labels);
	struct policy *policy = policy_of("p", spec);

	quota_judge(&bounds, older, policy);
	labels_free(&labels);
	return policy;
}

static void expect(const struct cluster *cluster, size_t older, const char *spec,
		   const char *refusal)
{
	struct policy *policy = judged(cluster, older, spec);

	assert_int_equal(policy->over_quota, refusal != NULL);
	if (refusal)
		assert_says(policy->quota_refusal.message, refusal);
	else
		assert_string_equal(policy->quota_refusal.message, "");
	policy_free(policy);
}

static void binds_nothing_that_it_does_not_name(void **state)
{
	struct cluster cluster = {0};

	(void)state;
	expect(&cluster, QUOTA_POLICIES_DEFAULT - 1, EXEC("'arguments': 'Raw'"), NULL);
	add(&cluster, "open", "{'namespaceSelector': {}}");
	add(&cluster, "elsewhere",
	    "{'namespaceSelector': {'matchLabels': {'team': 'b'}}, 'allowedProbes': [],"
	    " 'policiesPerNamespace': 0, 'text': 'None'}");
	expect(&cluster, QUOTA_POLICIES_DEFAULT - 1, EXEC("'arguments': 'Raw'"), NULL);
	cluster_clear(&cluster);
}

static void refuses_what_is_over_with_quota_limit_and_remedy(void **state)
{
	static const struct {
		const char *quota;
		size_t older;
		const char *spec, *refusal; /* NULL: it may */
	} cases[] = {
		{"'allowedProbes': ['TCP', 'DNS']", 0, TCP, NULL},
		{"'allowedProbes': ['TCP', 'DNS']", 0, EXEC(""),
		 "spec.probes: ProbeQuota \"q\" does not allow Exec in namespace shop (allowed: "
		 "TCP, "
		 "DNS); leave it out"},
		{"'allowedProbes': []", 0, TCP,
		 "does not allow TCP in namespace shop (allowed: none)"},
		{"'policiesPerNamespace': 2", 1, TCP, NULL},
		{"'policiesPerNamespace': 2", 2, TCP,
		 "ProbeQuota \"q\" allows 2 policies in a namespace, and shop has that many that "
		 "are "
		 "older than this one; delete one of these"},
		{"'policiesPerNamespace': 2000", 1999, TCP, NULL},
		{"'policiesPerNamespace': 0", 0, TCP,
		 "ProbeQuota \"q\" allows no policies in namespace shop (policiesPerNamespace is "
		 "0); "
		 "ask whoever runs the cluster for some"},
		{"'text': 'Raw'", QUOTA_POLICIES_DEFAULT, TCP,
		 "1000 policies of a namespace are carried out, and shop has that many that are "
		 "older than this one; delete one of these"},
		{"'eventsPerSecond': 5", 0, BUDGET("'eventsPerSecond': 5"), NULL},
		{"'eventsPerSecond': 5", 0, BUDGET("'eventsPerSecond': 6"),
		 "spec.budget.eventsPerSecond: ProbeQuota \"q\" allows a policy of namespace shop "
		 "5 "
		 "events per second on a node, and this one asks for 6; leave it out to get 5, or "
		 "ask whoever runs the cluster for more"},
		{"'eventsPerSecond': 5", 0, BUDGET("'series': 10000"), NULL},
		{"'seriesPerPolicy': 100", 0, BUDGET("'series': 101"),
		 "spec.budget.series: ProbeQuota \"q\" allows a policy of namespace shop 100 "
		 "series "
		 "on a node, and this one asks for 101"},
		{"'text': 'Normalized'", 0, EXEC("'arguments': 'Redacted'"), NULL},
		{"'text': 'Normalized'", 0, EXEC("'arguments': 'Raw'"),
		 "spec.probes: exec.arguments: ProbeQuota \"q\" lets no more text leave the nodes "
		 "from namespace shop than Normalized; leave it out to get that"},
		{"'text': 'None'", 0, EXEC("'arguments': 'None'"), NULL},
		{"'text': 'None'", 0, EXEC("'arguments': 'Redacted'"), "than None"},
		{"'text': 'None'", 0, EXEC(""), NULL},
		{"'text': 'Raw'", 0, EXEC("'arguments': 'Raw'"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cluster cluster = {0};
		char spec[256];

		snprintf(spec, sizeof(spec), "{'namespaceSelector': {}, %s}", cases[i].quota);
		add(&cluster, "q", spec);
		expect(&cluster, cases[i].older, cases[i].spec, cases[i].refusal);
		cluster_clear(&cluster);
	}
}

/* Whatever order they came in, the strictest of each bound holds, and is named. */
static void holds_to_the_strictest_of_several(void **state)
{
	static const char *const specs[] = {
		"{'namespaceSelector': {'matchLabels': {'team': 'a'}}, 'policiesPerNamespace': 5,"
		" 'text': 'None', 'eventsPerSecond': 9, 'seriesPerPolicy': 50}",
		"{'namespaceSelector': {}, 'policiesPerNamespace': 3, 'text': 'Normalized',"
		" 'allowedProbes': ['TCP', 'Exec'], 'eventsPerSecond': 7, 'seriesPerPolicy': 60}",
		"{'namespaceSelector': {}, 'policiesPerNamespace': 3, 'allowedProbes': ['DNS', "
		"'Exec'], 'eventsPerSecond': 7}",
	};
	static const char *const names[] = {"a", "b", "c"};

	(void)state;
	for (size_t first = 0; first < ARRAY_COUNT(specs); first++) {
		struct labels labels = labels_of("{'team': 'a'}");
		struct cluster cluster = {0};
		struct quota_bounds bounds;

		for (size_t i = 0; i < ARRAY_COUNT(specs); i++) {
			size_t at = (first + i) % ARRAY_COUNT(specs);

			add(&cluster, names[at], specs[at]);
		}
		bounds = quota_bounds_of(cluster.quotas, &labels);
		assert_string_equal(bounds.policies->name, "b");
		assert_string_equal(bounds.text->name, "a");
		assert_string_equal(bounds.budget[BUDGET_EVENTS]->name, "b");
		assert_string_equal(bounds.budget[BUDGET_SERIES]->name, "a");
		assert_string_equal(bounds.forbids[PROBE_TCP]->name, "c");
		assert_string_equal(bounds.forbids[PROBE_DNS]->name, "b");
		assert_string_equal(bounds.forbids[PROBE_HTTP]->name, "b");
		assert_null(bounds.forbids[PROBE_EXEC]);
		labels_free(&labels);
		cluster_clear(&cluster);
	}
}

/* What is left out gets as much as is allowed; the policy is told, and the pod gets no more. */
static void caps_the_default_and_says_so(void **state)
{
	struct policy_lists policies = {0};
	struct cluster cluster = {0};
	struct pod *pod = pod_of("a", "n1", "{}");
	const struct labels none = {0};
	struct selected_pod *selected = NULL;
	struct policy *policy;

	(void)state;
	add(&cluster, "q", "{'namespaceSelector': {}, 'text': 'None'}");
	policy = judged(&cluster, 0, EXEC("'failures': true"));
	policies.of_namespace = policy;
	assert_false(policy->over_quota);
	assert_says(
		policy->quota_note.message,
		"ProbeQuota \"q\" lets no more text of exec.arguments leave the nodes than None");
	assert_int_equal(compile_pod(&policies, pod, &none, &selected), 0);
	assert_int_equal(selected->probes[PROBE_EXEC].settings.exec.arguments, EXEC_ARGUMENTS_NONE);
	assert_true(selected->probes[PROBE_EXEC].settings.exec.failures);
	selected_pod_free(selected);
	policy_free(policy);
	pod_free(pod);
	cluster_clear(&cluster);
}

/* Each probe that gets less is named, and each bound. */
static void notes_all_that_it_lowers(void **state)
{
	struct cluster cluster = {0};
	struct policy *policy;

	(void)state;
	add(&cluster, "q", "{'namespaceSelector': {}, 'text': 'None', 'eventsPerSecond': 5}");
	add(&cluster, "r", "{'namespaceSelector': {}, 'seriesPerPolicy': 300}");
	policy = judged(&cluster, 0,
			"{'selector': {}, 'probes': [{'type': 'Exec'}, {'type': 'HTTP'}]}");
	assert_false(policy->over_quota);
	assert_string_equal(
		policy->quota_note.message,
		"ProbeQuota \"q\" lets no more text of exec.arguments, http.paths and byRoute "
		"leave the nodes than None; ProbeQuota \"q\" allows it 5 events per second on a "
		"node; ProbeQuota \"r\" allows it 300 series on a node");
	policy_free(policy);
	cluster_clear(&cluster);
}

/* A bound that the policy sets itself holds; what it leaves out, the quota sets; the pod has it. */
static void bounds_what_a_policy_takes_of_a_node(void **state)
{
	const struct labels none = {0};
	struct pod *pod = pod_of("a", "n1", "{}");
	struct selected_pod *selected = NULL;
	struct policy_lists policies = {0};
	struct cluster cluster = {0};
	struct policy *policy;

	(void)state;
	add(&cluster, "q", "{'namespaceSelector': {}, 'eventsPerSecond': 5, 'seriesPerPolicy': 9}");
	policy = judged(&cluster, 0, BUDGET("'eventsPerSecond': 3"));
	policies.of_namespace = policy;
	assert_string_equal(policy->bounds[BUDGET_EVENTS].quota, "");
	assert_string_equal(policy->bounds[BUDGET_SERIES].quota, "q");
	assert_int_equal(compile_pod(&policies, pod, &none, &selected), 0);
	assert_int_equal(selected->budget_count, 1);
	assert_string_equal(selected->budgets[0].policy, "shop/p");
	assert_int_equal(selected->budgets[0].budget.most[BUDGET_EVENTS], 3);
	assert_int_equal(selected->budgets[0].budget.most[BUDGET_SERIES], 9);
	selected_pod_free(selected);
	policy_free(policy);
	pod_free(pod);
	cluster_clear(&cluster);
}

static void tells_whether_a_bound_is_new(void **state)
{
	struct quota *quota = quota_of("q", "{'namespaceSelector': {}, 'eventsPerSecond': 5}");
	struct quota *wider = quota_of("q", "{'namespaceSelector': {}, 'eventsPerSecond': 50}");
	const struct quota_bounds none = {0};
	const struct quota_bounds narrow = {.budget = {[BUDGET_EVENTS] = quota}};
	const struct quota_bounds wide = {.budget = {[BUDGET_EVENTS] = wider}};
	struct policy *policy = policy_of("p", TCP);

	(void)state;
	assert_true(quota_judge(&narrow, 0, policy));
	assert_false(quota_judge(&narrow, 0, policy));
	assert_true(quota_judge(&wide, 0, policy));
	assert_int_equal(policy->bounds[BUDGET_EVENTS].most, 50);
	assert_true(quota_judge(&none, 0, policy));
	assert_int_equal(policy->bounds[BUDGET_EVENTS].most, 0);
	policy_free(policy);
	quota_free(quota);
	quota_free(wider);
}

static void tells_whether_a_verdict_is_new(void **state)
{
	struct quota *quota = quota_of("q", "{'namespaceSelector': {}, 'allowedProbes': ['DNS']}");
	const struct quota_bounds none = {0}, bounds = {.forbids = {[PROBE_TCP] = quota}};
	struct pod *pod = pod_of("a", "n1", "{}");
	struct policy *policy = policy_of("p", TCP);

	(void)state;
	assert_false(quota_judge(&none, 0, policy));
	assert_true(policy_selects_pod(policy, pod));
	assert_true(quota_judge(&bounds, 0, policy));
	assert_false(quota_judge(&bounds, 0, policy));
	assert_false(policy_selects_pod(policy, pod));
	assert_true(quota_judge(&none, 0, policy));
	assert_true(policy_selects_pod(policy, pod));
	policy_free(policy);
	pod_free(pod);
	quota_free(quota);
}

/* What cannot be read binds more rather than less, and is told to whoever wrote it. */
static void takes_what_it_cannot_read_for_the_strictest(void **state)
{
	struct quota *bad = quota_of(
		"q",
		"{'namespaceSelector': {'matchLabels': {'a': 'b c'}}, 'allowedProbes': ['TCP', 'X',"
		" 7], 'policiesPerNamespace': 'two', 'text': 'Some', 'eventsPerSecond': 'few',"
		" 'seriesPerPolicy': -3}");
	struct quota *worse = quota_of("q", "{'allowedProbes': 'TCP', 'text': 1}");
	const struct labels none = {0};

	(void)state;
	assert_says(bad->trouble.message, "spec.namespaceSelector.matchLabels[a]: ");
	assert_true(quota_binds(bad, &none));
	assert_true(bad->allows[PROBE_TCP]);
	assert_false(bad->allows[PROBE_EXEC]);
	assert_int_equal(bad->policies, 0);
	assert_int_equal(bad->text, PROBE_TEXT_NONE);
	assert_int_equal(bad->budget.most[BUDGET_EVENTS], 1);
	assert_int_equal(bad->budget.most[BUDGET_SERIES], 1);
	assert_string_equal(worse->trouble.message, "");
	assert_false(worse->allows[PROBE_TCP]);
	assert_int_equal(worse->text, PROBE_TEXT_NONE);
	quota_free(bad);
	quota_free(worse);
}

static void passes_over_what_has_no_name(void **state)
{
	static const char *const objects[] = {"null", "[]", "{}", "{'metadata': {'name': 'q'}}",
					      "{'metadata': {'uid': 'u'}}"};
	struct quota *quota = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(objects); i++) {
		cleanup_json cJSON *object = json_of(objects[i]);

		assert_int_equal(quota_decode(object, &quota), -EINVAL);
		assert_null(quota);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binds_nothing_that_it_does_not_name),
		cmocka_unit_test(refuses_what_is_over_with_quota_limit_and_remedy),
		cmocka_unit_test(holds_to_the_strictest_of_several),
		cmocka_unit_test(caps_the_default_and_says_so),
		cmocka_unit_test(notes_all_that_it_lowers),
		cmocka_unit_test(bounds_what_a_policy_takes_of_a_node),
		cmocka_unit_test(tells_whether_a_bound_is_new),
		cmocka_unit_test(tells_whether_a_verdict_is_new),
		cmocka_unit_test(takes_what_it_cannot_read_for_the_strictest),
		cmocka_unit_test(passes_over_what_has_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
