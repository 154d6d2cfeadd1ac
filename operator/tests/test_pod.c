// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include <errno.h>

#include "lib/base/text.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void names_the_workload(void **state)
{
	static const struct {
		const char *owners, *labels, *kind, *name;
	} cases[] = {
		{"[]", "{}", "Pod", "web-1"},
		{"null", "{}", "Pod", "web-1"},
		{"[{'kind': 'StatefulSet', 'name': 'db', 'controller': true}]", "{}", "StatefulSet",
		 "db"},
		{"[{'kind': 'Node', 'name': 'n1'}]", "{}", "Pod", "web-1"},
		{"[{'kind': 'Node', 'name': 'n1', 'controller': false},"
		 "{'kind': 'DaemonSet', 'name': 'd', 'controller': true}]",
		 "{}", "DaemonSet", "d"},
		{"[{'kind': 'ReplicaSet', 'name': 'web-5d4f', 'controller': true}]",
		 "{'pod-template-hash': '5d4f'}", "Deployment", "web"},
		{"[{'kind': 'ReplicaSet', 'name': 'web-5d4f', 'controller': true}]", "{}",
		 "ReplicaSet", "web-5d4f"},
		{"[{'kind': 'ReplicaSet', 'name': 'web', 'controller': true}]",
		 "{'pod-template-hash': '5d4f'}", "ReplicaSet", "web"},
		{"[{'kind': 'ReplicaSet', 'name': 'web5d4f', 'controller': true}]",
		 "{'pod-template-hash': '5d4f'}", "ReplicaSet", "web5d4f"},
		{"[{'kind': 'ReplicaSet', 'name': '-5d4f', 'controller': true}]",
		 "{'pod-template-hash': '5d4f'}", "ReplicaSet", "-5d4f"},
		{"[{'kind': 'ReplicaSet', 'name': 'a-b-x', 'controller': true}]",
		 "{'pod-template-hash': 'x'}", "Deployment", "a-b"},
		{"[{'controller': true}]", "{}", "Pod", "web-1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pod *pod = pod_from(json_format(
			"{'metadata': {'namespace': 'shop', 'name': 'web-1', 'uid': 'u',"
			" 'labels': %s, 'ownerReferences': %s}}",
			cases[i].labels, cases[i].owners));

		if (strcmp(pod->workload_kind, cases[i].kind) != 0 ||
		    strcmp(pod->workload_name, cases[i].name) != 0)
			fail_msg("%s: %s %s", cases[i].owners, pod->workload_kind,
				 pod->workload_name);
		pod_free(pod);
	}
}

static const char *id_of(const struct pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->container_count; i++)
		if (strcmp(pod->containers[i].name, name) == 0)
			return pod->containers[i].id;
	fail_msg("no container %s", name);
	return NULL;
}

static void knows_containers_of_every_kind(void **state)
{
	struct pod *pod = pod_from(json_of(
		"{'metadata': {'namespace': 'shop', 'name': 'a', 'uid': 'u'}, 'spec': {"
		" 'containers': [{'name': 'server'}, {'name': 'late'}],"
		" 'initContainers': [{'name': 'setup'}],"
		" 'ephemeralContainers': [{'name': 'debug'}]},"
		" 'status': {'containerStatuses': [{'name': 'late'},"
		" {'name': 'server', 'containerID': 'containerd://abc'}],"
		" 'initContainerStatuses': [{'name': 'setup', 'containerID': 'docker://def'}],"
		" 'ephemeralContainerStatuses': [{'name': 'debug', 'containerID': 'ghi'}]}}"));

	(void)state;
	assert_int_equal(pod->container_count, 4);
	assert_string_equal(id_of(pod, "server"), "abc");
	assert_string_equal(id_of(pod, "setup"), "def");
	assert_string_equal(id_of(pod, "debug"), "ghi");
	assert_null(id_of(pod, "late"));
	pod_free(pod);
}

static void knows_when_it_is_finished(void **state)
{
	static const struct {
		const char *phase;
		bool finished;
	} cases[] = {{"Pending", false}, {"Running", false},  {"Unknown", false},
		     {"", false},	 {"Succeeded", true}, {"Failed", true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pod *pod = pod_from(
			json_format("{'metadata': {'namespace': 'shop', 'name': 'a', 'uid': 'u'},"
				    " 'status': {'phase': '%s'}}",
				    cases[i].phase));

		assert_int_equal(pod->finished, cases[i].finished);
		assert_string_equal(pod->node, "");
		pod_free(pod);
	}
}

static void refuses_what_is_no_pod(void **state)
{
	static const char *const objects[] = {
		"null",
		"'pod'",
		"{}",
		"{'metadata': {'namespace': 'shop', 'name': 'a'}}",
		"{'metadata': {'namespace': 'shop', 'uid': 'u'}}",
		"{'metadata': {'name': 'a', 'uid': 'u'}}",
		"{'metadata': {'namespace': ['shop'], 'name': 'a', 'uid': 'u'}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(objects); i++) {
		cleanup_json cJSON *object = json_of(objects[i]);
		struct pod *pod = (struct pod *)state;

		assert_int_equal(pod_decode(object, &pod), -EINVAL);
		assert_ptr_equal(pod, state);
	}
}

static void lives_with_malformed_members(void **state)
{
	struct pod *pod = pod_from(
		json_of("{'metadata': {'namespace': 'shop', 'name': 'a', 'uid': 'u', 'labels': 'x',"
			" 'ownerReferences': 'y'}, 'spec': {'nodeName': 5, 'containers': 'z'},"
			" 'status': ['Failed']}"));

	(void)state;
	assert_string_equal(pod->node, "");
	assert_string_equal(pod->workload_kind, "Pod");
	assert_int_equal(pod->container_count, 0);
	assert_int_equal(pod->labels.count, 0);
	assert_false(pod->finished);
	pod_free(pod);
}

static void bounds_the_containers(void **state)
{
	cleanup_text struct text text = TEXT_EMPTY;
	cleanup_json cJSON *object = NULL;
	struct pod *pod;

	(void)state;
	text_append_string(&text, "{'metadata': {'namespace': 's', 'name': 'a', 'uid': 'u'},"
				  " 'spec': {'containers': [{'name': 'c'}");
	for (int i = 0; i < 128; i++)
		text_append_format(&text, ", {'name': 'c%d'}", i);
	text_append_string(&text, "]}}");
	object = json_of(text.data);
	assert_int_equal(pod_decode(object, &pod), 0);
	assert_int_equal(pod->container_count, 128);
	pod_free(pod);
}

/* Whoever may make pods may write these annotations and owners of any kind and length. */
static void believes_no_lies_of_tenants(void **state)
{
	static const struct {
		const char *namespace, *hash, *uid;
	} cases[] = {
		{"kube-system", "0123456789abcdef0123456789abcdef",
		 "0123456789abcdef0123456789abcdef"},
		{"shop", "0123456789abcdef0123456789abcdef", "mine"},
		{"kube-system", "0b7c1f4e-9a59-4c0e-8a66-3d1f7c6f2a10", "mine"},
		{"kube-system", "0123456789ABCDEF0123456789abcdef", "mine"},
		{"kube-system", "", "mine"},
	};
	char name[300];
	struct pod *pod;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pod = pod_from(json_format(
			"{'metadata': {'namespace': '%s', 'name': 'a', 'uid': 'mine', "
			"'annotations': {"
			"'kubernetes.io/config.hash': '%s', 'kubernetes.io/config.mirror': 'x'}}}",
			cases[i].namespace, cases[i].hash));
		assert_string_equal(pod_cgroup_uid(pod), cases[i].uid);
		pod_free(pod);
	}
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	pod = pod_from(json_format(
		"{'metadata': {'namespace': 'shop', 'name': 'a', 'uid': 'u', 'ownerReferences': ["
		"{'kind': 'Deployment', 'name': '%s', 'controller': true}]}}",
		name));
	assert_string_equal(pod->workload_kind, "Pod");
	assert_string_equal(pod->workload_name, "a");
	pod_free(pod);
}

static void keeps_its_own_addresses(void **state)
{
	static const struct {
		const char *spec, *status;
		size_t count;
	} cases[] = {
		{"{}", "{'podIP': '10.0.0.7'}", 1},
		{"{}", "{'podIP': '10.0.0.7', 'podIPs': [{'ip': '10.0.0.7'}, {'ip': 'fd00::7'}]}",
		 2},
		{"{}", "{'podIPs': [{'ip': '10.0.0.7'}, {'ip': '1::1'}, {'ip': '2::2'}]}", 2},
		{"{}", "{'podIP': ''}", 0},
		{"{'hostNetwork': true}", "{'podIP': '192.168.0.1'}", 0},
		{"{}", "{'podIP': '10.0.0.7', 'phase': 'Succeeded'}", 0},
		{"{}", "{'podIP': '10.0.0.7', 'phase': 'Failed'}", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct pod *pod = pod_from(
			json_format("{'metadata': {'namespace': 's', 'name': 'a', 'uid': 'u'},"
				    " 'spec': %s, 'status': %s}",
				    cases[i].spec, cases[i].status));
		struct ip_address address = address_of("10.0.0.7");

		assert_int_equal(pod->address_count, cases[i].count);
		if (pod->address_count)
			assert_memory_equal(&pod->addresses[0], &address, sizeof(address));
		pod_free(pod);
	}
}

/* Each member that is kept makes a difference, or a change of it would go unseen. */
static void equals_only_its_like(void **state)
{
	static const char text[] =
		"{'metadata': {'namespace': 'shop', 'name': 'web', 'uid': 'one',"
		" 'labels': {'app': 'front'}, 'ownerReferences': ["
		"{'kind': 'Job', 'name': 'nightly', 'controller': true}]},"
		" 'spec': {'nodeName': 'n1', 'containers': [{'name': 'server'}]},"
		" 'status': {'phase': 'Running', 'startTime': '2026-11-21T05:00:00Z',"
		" 'podIP': '10.0.0.7', 'containerStatuses': ["
		"{'name': 'server', 'containerID': 'cri://abc'}]}}";
	static const char *const changes[][2] = {
		{"shop", "bank"},
		{"'web'", "'wob'"},
		{"one", "two"},
		{"front", "back"},
		{"Job", "Task"},
		{"nightly", "weekly"},
		{"n1", "n2"},
		{"server", "sorver"},
		{"abc", "abd"},
		{"Running", "Failed"},
		{"cri://abc", ""},
		{"05:00:00", "05:00:01"},
		{"10.0.0.7", "10.0.0.8"},
	};
	struct pod *pod = pod_from(json_of(text)), *same = pod_from(json_of(text));

	(void)state;
	assert_true(pod_equal(pod, same));
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		const char *at = strstr(text, changes[i][0]);
		struct pod *other =
			pod_from(json_format("%.*s%s%s", (int)(at - text), text, changes[i][1],
					     at + strlen(changes[i][0])));

		if (pod_equal(pod, other))
			fail_msg("%s is as good as %s", changes[i][0], changes[i][1]);
		pod_free(other);
	}
	pod_free(pod);
	pod_free(same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_workload),
		cmocka_unit_test(knows_containers_of_every_kind),
		cmocka_unit_test(knows_when_it_is_finished),
		cmocka_unit_test(refuses_what_is_no_pod),
		cmocka_unit_test(lives_with_malformed_members),
		cmocka_unit_test(bounds_the_containers),
		cmocka_unit_test(believes_no_lies_of_tenants),
		cmocka_unit_test(keeps_its_own_addresses),
		cmocka_unit_test(equals_only_its_like),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
