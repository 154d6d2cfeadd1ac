// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include <utlist.h>

#include "lib/base/text.h"
#include "operator/compile.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TCP(rest)  "{'selector': {}, 'probes': [{'type': 'TCP'}]" rest "}"
#define EXEC(exec) "{'selector': {}, 'probes': [{'type': 'Exec', 'exec': {" exec "}}]}"

/* Puts a policy of the namespace shop in front of the list. */
static void add(struct policy **list, const char *name, const char *spec)
{
	struct policy *policy = policy_of(name, spec);

	DL_PREPEND2(*list, policy, scope_prev, scope_next);
}

/* What the policies ask of the pod `a` of the namespace shop; frees the policies. */
static struct selected_pod *compile(struct policy *policies, const char *node_labels)
{
	struct pod *pod = pod_of("a", "n1", "{'app': 'web', 'pod-template-hash': 'x'}");
	struct labels labels = labels_of(node_labels);
	struct selected_pod *selected = NULL;
	struct policy *policy, *next;

	assert_int_equal(compile_pod(&(struct policy_lists){.of_namespace = policies}, pod, &labels,
				     &selected),
			 0);
	DL_FOREACH_SAFE2(policies, policy, next, scope_next)
		policy_free(policy);
	labels_free(&labels);
	pod_free(pod);
	return selected;
}

static void asks_nothing_when_nobody_does(void **state)
{
	struct policy *policies = NULL;

	(void)state;
	assert_null(compile(NULL, "{}"));
	add(&policies, "other",
	    "{'selector': {'matchLabels': {'app': 'db'}},"
	    " 'probes': [{'type': 'TCP'}]}");
	add(&policies, "asleep", TCP(", 'suspend': true"));
	add(&policies, "elsewhere", TCP(", 'nodeSelector': {'pool': 'canary'}"));
	assert_null(compile(policies, "{'pool': 'main'}"));
}

static void carries_the_pod_over(void **state)
{
	struct policy *policies = NULL;
	struct selected_pod *selected;

	(void)state;
	add(&policies, "p", TCP(", 'nodeSelector': {'pool': 'canary'}"));
	selected = compile(policies, "{'pool': 'canary'}");
	assert_string_equal(selected->uid, "uid-a");
	assert_string_equal(selected->namespace, "shop");
	assert_string_equal(selected->name, "a");
	assert_string_equal(selected->workload_kind, "Pod");
	assert_string_equal(selected->workload_name, "a");
	assert_int_equal(selected->container_count, 2);
	assert_string_equal(selected->containers[0].id, "s");
	assert_true(selected->probes[PROBE_TCP].wanted);
	assert_false(selected->probes[PROBE_EXEC].wanted);
	assert_int_equal(selected->probes[PROBE_TCP].policies.count, 1);
	assert_string_equal(selected->probes[PROBE_TCP].policies.items[0], "shop/p");
	selected_pod_free(selected);
}

static void leaves_other_namespaces_alone(void **state)
{
	struct policy *policy = policy_in("bank", "p", TCP(""));
	struct pod *pod = pod_of("a", "n1", "{}");
	const struct labels none = {0};
	struct selected_pod *selected = NULL;

	(void)state;
	assert_int_equal(
		compile_pod(&(struct policy_lists){.of_namespace = policy}, pod, &none, &selected),
		0);
	assert_null(selected);
	policy_free(policy);
	pod_free(pod);
}

static void unites_settings(void **state)
{
	struct policy *policies = NULL;
	struct selected_pod *selected;
	const struct selected_probe *exec;

	(void)state;
	add(&policies, "b", EXEC("'arguments': 'None', 'failures': true"));
	add(&policies, "c", EXEC("'arguments': 'Raw'"));
	add(&policies, "a", EXEC("'arguments': 'Redacted'"));
	add(&policies, "d", TCP(""));
	selected = compile(policies, "{}");
	exec = &selected->probes[PROBE_EXEC];
	assert_int_equal(exec->settings.exec.arguments, EXEC_ARGUMENTS_RAW);
	assert_true(exec->settings.exec.failures);
	assert_int_equal(exec->policies.count, 3);
	assert_string_equal(exec->policies.items[0], "shop/a");
	assert_string_equal(exec->policies.items[2], "shop/c");
	assert_int_equal(selected->probes[PROBE_TCP].policies.count, 1);
	selected_pod_free(selected);
}

static void unites_containers(void **state)
{
	static const struct {
		const char *specs[3];
		const char *names; /* joined; "" for every container */
	} cases[] = {
		{{TCP(", 'containers': ['server']")}, "server,"},
		{{TCP(", 'containers': ['server']"), TCP(", 'containers': ['proxy', 'server']")},
		 "proxy,server,"},
		{{TCP(""), TCP(", 'containers': ['server']")}, ""},
		{{TCP(", 'containers': ['server']"), TCP("")}, ""},
		{{TCP(", 'containers': ['server']"), TCP(""), TCP(", 'containers': ['proxy']")},
		 ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_text struct text names = TEXT_EMPTY;
		struct policy *policies = NULL;
		struct selected_pod *selected;

		for (size_t j = 0; j < 3 && cases[i].specs[j]; j++)
			add(&policies, (const char *[]){"a", "b", "c"}[j], cases[i].specs[j]);
		selected = compile(policies, "{}");
		text_append_string(&names, "");
		for (size_t j = 0; j < selected->probes[PROBE_TCP].containers.count; j++)
			text_append_format(&names, "%s,",
					   selected->probes[PROBE_TCP].containers.items[j]);
		assert_string_equal(names.data, cases[i].names);
		selected_pod_free(selected);
	}
}

static void does_not_hang_on_the_order_of_policies(void **state)
{
	static const char *const specs[] = {TCP(", 'containers': ['server']"),
					    TCP(", 'containers': ['proxy']"),
					    EXEC("'arguments': 'None'"), EXEC("'failures': true")};
	struct selected_pod *first = NULL;

	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		struct policy *policies = NULL;
		struct selected_pod *selected;

		for (int i = 0; i < 4; i++) {
			int which = (i * 3 + turn) % 4;

			add(&policies, (const char *[]){"a", "b", "c", "d"}[which], specs[which]);
		}
		selected = compile(policies, "{}");
		if (first)
			assert_true(selected_pod_equal(first, selected));
		else
			first = take_pointer(selected);
		selected_pod_free(selected);
	}
	selected_pod_free(first);
}

/* Policies that name more containers than the link carries must not make the pod unreadable. */
static void stays_within_what_the_link_carries(void **state)
{
	struct policy *policies = NULL;
	struct selected_pod *selected, *decoded = NULL;
	cleanup_json cJSON *json = NULL;
	struct error error = {0};

	(void)state;
	for (int i = 0; i < 300; i++) {
		char name[16], spec[1024];

		snprintf(name, sizeof(name), "p%d", i);
		snprintf(spec, sizeof(spec), TCP(", 'containers': ['c%d', 'server']"), i);
		add(&policies, name, spec);
	}
	selected = compile(policies, "{}");
	assert_int_equal(selected->probes[PROBE_TCP].containers.count, 1);
	assert_string_equal(selected->probes[PROBE_TCP].containers.items[0], "server");
	assert_int_equal(selected->probes[PROBE_TCP].policies.count, SELECTION_POLICIES_LIMIT);
	assert_true(selected->crowded);
	json = selected_pod_encode(selected);
	if (selected_pod_decode(json, &decoded, &error) < 0)
		fail_msg("%s", error.message);
	assert_true(selected_pod_equal(selected, decoded));
	selected_pod_free(selected);
	selected_pod_free(decoded);
}

/* An empty list would mean every container: a pod without the named ones is not asked for. */
static void asks_nothing_of_a_pod_without_the_containers(void **state)
{
	struct policy *policies = NULL;
	struct selected_pod *selected;

	(void)state;
	add(&policies, "p", TCP(", 'containers': ['sidecar']"));
	assert_null(compile(policies, "{}"));
	policies = NULL;
	add(&policies, "p", TCP(", 'containers': ['sidecar']"));
	add(&policies, "q", TCP(", 'containers': ['sidecar', 'proxy']"));
	selected = compile(policies, "{}");
	assert_int_equal(selected->probes[PROBE_TCP].containers.count, 1);
	assert_string_equal(selected->probes[PROBE_TCP].containers.items[0], "proxy");
	assert_int_equal(selected->probes[PROBE_TCP].policies.count, 1);
	selected_pod_free(selected);
}

#define HASH "0123456789abcdef0123456789abcdef"

static void names_a_static_pod_by_the_uid_of_its_cgroup(void **state)
{
	struct policy *policy = policy_in("kube-system", "p", TCP(""));
	struct pod *pod = pod_from(
		json_of("{'metadata': {'namespace': 'kube-system', 'name': 'a', 'uid': 'mirror',"
			" 'annotations': {'kubernetes.io/config.mirror': 'x',"
			" 'kubernetes.io/config.hash': '" HASH "'}},"
			" 'spec': {'nodeName': 'n1'}}"));
	const struct labels none = {0};
	struct selected_pod *selected = NULL;

	(void)state;
	assert_int_equal(
		compile_pod(&(struct policy_lists){.of_namespace = policy}, pod, &none, &selected),
		0);
	assert_string_equal(selected->uid, HASH);
	selected_pod_free(selected);
	policy_free(policy);
	pod_free(pod);
}

/* A pod is under one program set, whichever scope the policies are of. */
static void unites_policies_of_both_scopes(void **state)
{
	struct policy *own = policy_of("p", EXEC("'arguments': 'None'"));
	struct policy *clusterwide = cluster_policy_of("p", EXEC("'failures': true"));
	const struct policy_lists policies = {own, clusterwide};
	struct labels none = {0};
	struct pod *pod = pod_of("a", "n1", "{}");
	struct selected_pod *selected = NULL;
	const struct selected_probe *exec;

	(void)state;
	pod->namespace_labels = &none;
	assert_int_equal(compile_pod(&policies, pod, &none, &selected), 0);
	exec = &selected->probes[PROBE_EXEC];
	assert_int_equal(exec->settings.exec.arguments, EXEC_ARGUMENTS_REDACTED);
	assert_true(exec->settings.exec.failures);
	assert_int_equal(exec->policies.count, 2);
	assert_string_equal(exec->policies.items[0], "p");
	assert_string_equal(exec->policies.items[1], "shop/p");
	selected_pod_free(selected);
	policy_free(own);
	policy_free(clusterwide);
	pod_free(pod);
}

/* However long the names are: the pods of a node must fit into one message. */
static void bounds_the_names_of_policies(void **state)
{
	struct policy *policies = NULL;
	struct selected_pod *selected;
	char name[256], first[POLICY_ID_SIZE];
	size_t bytes = 0;

	(void)state;
	add(&policies, "short", TCP("")); /* the last one */
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "p%02d%0200d", i, 0);
		add(&policies, name, TCP(""));
	}
	snprintf(first, sizeof(first), "shop/p59%0200d", 0);
	selected = compile(policies, "{}");
	assert_true(selected->crowded);
	for (size_t i = 0; i < selected->probes[PROBE_TCP].policies.count; i++)
		bytes += strlen(selected->probes[PROBE_TCP].policies.items[i]);
	assert_in_range(bytes, SELECTION_NAMES_LIMIT - 256, SELECTION_NAMES_LIMIT);
	assert_true(strings_contain(&selected->probes[PROBE_TCP].policies, first));
	assert_false(strings_contain(&selected->probes[PROBE_TCP].policies, "shop/short"));
	selected_pod_free(selected);
}

/* Whoever runs the cluster is not crowded out by tenants. */
static void prefers_policies_of_the_cluster(void **state)
{
	struct policy *policies = NULL, *clusterwide = cluster_policy_of("all", EXEC(""));
	struct policy *policy, *next;
	struct policy_lists lists = {.of_cluster = clusterwide};
	struct labels none = {0};
	struct pod *pod = pod_of("a", "n1", "{}");
	struct selected_pod *selected = NULL;

	(void)state;
	for (int i = 0; i < SELECTION_POLICIES_LIMIT; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		add(&policies, name, TCP(", 'budget': {'series': 7}"));
	}
	lists.of_namespace = policies;
	pod->namespace_labels = &none;
	assert_int_equal(compile_pod(&lists, pod, &none, &selected), 0);
	assert_true(selected->crowded);
	assert_true(strings_contain(&selected->probes[PROBE_EXEC].policies, "all"));
	assert_int_equal(selected->probes[PROBE_TCP].policies.count, SELECTION_POLICIES_LIMIT - 1);
	assert_int_equal(selected->budget_count, SELECTION_POLICIES_LIMIT - 1);
	assert_true(strcmp(selected->budgets[0].policy, selected->budgets[1].policy) < 0);
	selected_pod_free(selected);
	DL_FOREACH_SAFE2(policies, policy, next, scope_next)
		policy_free(policy);
	policy_free(clusterwide);
	pod_free(pod);
}

static void names_only_containers_that_were_started(void **state)
{
	struct policy *policy = policy_of("p", TCP(""));
	struct pod *pod = pod_of("a", "n1", "{}");
	const struct labels none = {0};
	struct selected_pod *selected = NULL;

	(void)state;
	pod->containers[0].id = NULL;
	assert_int_equal(
		compile_pod(&(struct policy_lists){.of_namespace = policy}, pod, &none, &selected),
		0);
	assert_int_equal(selected->container_count, 1);
	assert_string_equal(selected->containers[0].name, "proxy");
	selected_pod_free(selected);
	policy_free(policy);
	pod_free(pod);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_nothing_when_nobody_does),
		cmocka_unit_test(carries_the_pod_over),
		cmocka_unit_test(leaves_other_namespaces_alone),
		cmocka_unit_test(unites_settings),
		cmocka_unit_test(unites_containers),
		cmocka_unit_test(unites_policies_of_both_scopes),
		cmocka_unit_test(does_not_hang_on_the_order_of_policies),
		cmocka_unit_test(stays_within_what_the_link_carries),
		cmocka_unit_test(bounds_the_names_of_policies),
		cmocka_unit_test(prefers_policies_of_the_cluster),
		cmocka_unit_test(asks_nothing_of_a_pod_without_the_containers),
		cmocka_unit_test(names_a_static_pod_by_the_uid_of_its_cgroup),
		cmocka_unit_test(names_only_containers_that_were_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
