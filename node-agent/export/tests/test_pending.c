// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Enriching events, and letting those wait whose container has no name yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/text.h"
#include "node-agent/export/enrich.h"
#include "node-agent/export/labels.h"
#include "node-agent/export/pending.h"

static char *policies[] = {"n/p", "n/q"};
static struct selected_container containers[] = {{"web", "id1"}};
static const struct selected_pod pod = {
	.uid = "a1",
	.namespace = "n",
	.name = "x",
	.workload_kind = "StatefulSet",
	.workload_name = "db",
	.containers = containers,
	.container_count = 1,
	.probes[PROBE_EXEC] = {.wanted = true, .policies = {policies, 2}},
};

static void check_line(cJSON *event, const char *expected)
{
	cleanup_free char *line = cJSON_PrintUnformatted(event);

	assert_string_equal(line, expected);
	cJSON_Delete(event);
}

static void test_enrich(void **state)
{
	(void)state;
	check_line(event_enrich(cJSON_Parse("{\"pid\":7,\"time\":\"t\"}"), PROBE_EXEC, "node", &pod,
				"web", "id1", NULL),
		   "{\"time\":\"t\",\"type\":\"Exec\",\"node\":\"node\",\"namespace\":\"n\","
		   "\"pod\":\"x\",\"container\":\"web\",\"container_id\":\"id1\","
		   "\"workload\":{\"kind\":\"StatefulSet\",\"name\":\"db\"},"
		   "\"policies\":[\"n/p\",\"n/q\"],\"pid\":7}");
	check_line(
		event_enrich(cJSON_Parse("{}"), PROBE_EXEC, "node", &pod, NULL, NULL,
			     (const bool[]){false, true}),
		"{\"type\":\"Exec\",\"node\":\"node\",\"namespace\":\"n\",\"pod\":\"x\","
		"\"workload\":{\"kind\":\"StatefulSet\",\"name\":\"db\"},\"policies\":[\"n/q\"]}");
	check_line(event_enrich(cJSON_Parse("{}"), PROBE_TCP, "node", &pod, NULL, NULL, NULL),
		   "{\"type\":\"TCP\",\"node\":\"node\",\"namespace\":\"n\",\"pod\":\"x\","
		   "\"workload\":{\"kind\":\"StatefulSet\",\"name\":\"db\"},\"policies\":[]}");
}

/* Writes "number:container" of each event that goes. */
static void note_release(void *context, cJSON *event)
{
	const char *name = json_string(event, "container");

	text_append_format(context, "%d:%s ", (int)json_integer(event, -1, "n"), name ? name : "-");
	assert_true(name || !json_find(event, "container"));
	cJSON_Delete(event);
}

static void add(struct pending *pending, int number, const char *uid, const char *id, uint64_t now)
{
	cJSON *event = cJSON_CreateObject();

	cJSON_AddNumberToObject(event, "n", number);
	pending_add(pending, uid, id, event_enrich(event, PROBE_EXEC, "node", &pod, NULL, id, NULL),
		    now);
}

static void test_names_come(void **state)
{
	cleanup_text struct text out = TEXT_EMPTY;
	struct pending pending = {.release = note_release, .context = &out};

	(void)state;
	add(&pending, 1, "a1", "id1", 0);
	add(&pending, 2, "a1", "id2", 0);
	add(&pending, 3, "b2", "id1", 0); /* the same ID in another pod is another container */
	add(&pending, 4, "a1", "id1", 0);
	pending_resolve(&pending, &pod);
	assert_string_equal(out.data, "1:web 4:web ");
	assert_int_equal(pending.count, 2);
	text_clear(&out);
	pending_flush(&pending);
	assert_string_equal(out.data, "2:- 3:- ");
}

static void test_time_passes(void **state)
{
	cleanup_text struct text out = TEXT_EMPTY;
	struct pending pending = {.release = note_release, .context = &out};

	(void)state;
	add(&pending, 1, "a1", "id9", 1000);
	add(&pending, 2, "a1", "id9", 2000);
	pending_expire(&pending, 1000 + PENDING_WAIT_MS - 1);
	assert_int_equal(out.length, 0);
	pending_expire(&pending, 1000 + PENDING_WAIT_MS);
	assert_string_equal(out.data, "1:- ");
	pending_flush(&pending);
	assert_int_equal(pending.count, 0);
}

static void test_bound(void **state)
{
	cleanup_text struct text out = TEXT_EMPTY;
	struct pending pending = {.release = note_release, .context = &out};

	(void)state;
	for (int i = 0; i < PENDING_LIMIT + 2; i++)
		add(&pending, i, "a1", "id9", 0);
	assert_string_equal(out.data, "0:- 1:- ");
	assert_int_equal(pending.count, PENDING_LIMIT);
	pending_flush(&pending);
}

static void test_labels(void **state)
{
	struct selected_pod bare = pod;
	struct series_labels labels;

	(void)state;
	series_labels_make(&pod, "web", SERIES_OF_PODS, &labels);
	assert_int_equal(labels.count, 4);
	assert_string_equal(labels.labels[0].name, "k8s_namespace_name");
	assert_string_equal(labels.labels[0].value, "n");
	assert_string_equal(labels.labels[1].name, "k8s_pod_name");
	assert_string_equal(labels.labels[2].name, "k8s_statefulset_name");
	assert_string_equal(labels.labels[2].value, "db");
	assert_string_equal(labels.labels[3].value, "web");

	/* All pods of a workload together; a pod of nobody is told by its name. */
	series_labels_make(&pod, "web", SERIES_OF_WORKLOADS, &labels);
	assert_int_equal(labels.count, 3);
	assert_string_equal(labels.labels[1].name, "k8s_statefulset_name");
	assert_string_equal(labels.labels[2].name, "k8s_container_name");
	bare.workload_kind = "Pod";
	series_labels_make(&bare, NULL, SERIES_OF_WORKLOADS, &labels);
	assert_int_equal(labels.count, 2);
	assert_string_equal(labels.labels[1].name, "k8s_pod_name");
	assert_string_equal(labels.labels[1].value, "x");
}

/* No label stands twice, and none has a name that Prometheus refuses. */
static void test_labels_of_strange_owners(void **state)
{
	struct selected_pod strange = pod;
	struct series_labels labels;

	(void)state;
	strange.workload_kind = "My.Kind-\"2";
	series_labels_make(&strange, NULL, SERIES_OF_WORKLOADS, &labels);
	assert_int_equal(labels.count, 3);
	assert_string_equal(labels.labels[1].name, "k8s_workload_kind");
	assert_string_equal(labels.labels[1].value, "My.Kind-\"2");
	assert_string_equal(labels.labels[2].name, "k8s_workload_name");
	strange.workload_kind = "Namespace";
	series_labels_make(&strange, NULL, SERIES_OF_WORKLOADS, &labels);
	assert_string_equal(labels.labels[1].name, "k8s_workload_kind");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enrich),	    cmocka_unit_test(test_names_come),
		cmocka_unit_test(test_time_passes), cmocka_unit_test(test_bound),
		cmocka_unit_test(test_labels),	    cmocka_unit_test(test_labels_of_strange_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
