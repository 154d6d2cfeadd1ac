// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What is told of nodes, and when it is written. */

#include "lib/base/tests/starve.h"
#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "lib/link/node_facts.h"
#include "operator/node_book.h"

#define MINUTE_MS NODE_WRITE_INTERVAL_MS

/* What the agent of a node with two watched pods says, with so much memory and loss. */
static cJSON *facts_with(int failed, int map_kib, int lost)
{
	cleanup_json cJSON *message = json_format(
		"{'agent': {'version': '0.1.0'}, 'kernel': {'release': '6.18'},"
		" 'pods': {'selected': 2, 'attached': %d, 'failed': %d},"
		" 'capabilities': {'available': ['RingBuffer'], 'missing': ["
		"{'name': 'Tracefs', 'affects': ['exec.failures'], 'message': 'mount it'}]},"
		" 'programs': [{'name': 'tcp_sent', 'type': 'cgroup_skb', 'probe': 'TCP'}],"
		" 'kernelMemory': {'programs': 4096, 'maps': %d}, 'lost': {'ringFull': %d}}",
		2 - failed, failed, map_kib * 1024, lost);
	cJSON *facts = NULL;

	assert_int_equal(node_facts_decode(message, &facts, NULL), 0);
	return facts;
}

struct scene {
	struct cluster cluster;
	struct fleet fleet;
	struct node_book book;
	struct node_book_view view;
};

static void add_node(struct scene *scene, const char *name)
{
	struct labels labels = {0};
	bool changed;

	assert_int_equal(cluster_set_node(&scene->cluster, name, &labels, &changed), 0);
	assert_int_equal(cluster_set_node_uid(cluster_find_node(&scene->cluster, name), "uid-n"),
			 0);
}

/* The agent comes, and reports that it carried out `revision`. */
static void agent_reports(struct scene *scene, const char *name, uint64_t revision)
{
	struct fleet_node *node = fleet_ensure_node(&scene->fleet, name, scene->view.now_ms);
	struct report report = {.epoch = strdup("e"), .revision = revision};

	if (!node->connected)
		fleet_node_connect(node, true, scene->view.now_ms);
	fleet_node_take_report(&scene->fleet, node, &report);
	node_book_touch(&scene->book, name);
}

static void agent_says(struct scene *scene, const char *name, cJSON *facts)
{
	assert_int_equal(node_book_take_facts(&scene->book, name, facts), 0);
	cJSON_Delete(facts);
}

static void agent_goes(struct scene *scene, const char *name)
{
	fleet_node_connect(fleet_find_node(&scene->fleet, name), false, scene->view.now_ms);
}

/* At an operator that leads, with the node n1. */
static struct scene *scene_open(void)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->fleet.epoch = strdup("e");
	scene->view = (struct node_book_view){
		.cluster = &scene->cluster,
		.fleet = &scene->fleet,
		.namespace = "skep-system",
		.now_ms = 1000000,
		.time = 1700000000,
	};
	add_node(scene, "n1");
	return scene;
}

static void scene_close(struct scene *scene)
{
	node_book_clear(&scene->book);
	fleet_clear(&scene->fleet);
	cluster_clear(&scene->cluster);
	free(scene);
}

static void pass(struct scene *scene, uint64_t ms)
{
	scene->view.now_ms += ms;
	scene->view.time += (int64_t)ms / 1000;
}

static bool nothing_to_write(struct scene *scene)
{
	struct node_write write;

	if (!node_book_next(&scene->book, &scene->view, &write))
		return true;
	cJSON_Delete(write.status);
	return false;
}

/* Has the report that must be written now written, and returns its status. */
static cJSON *written(struct scene *scene)
{
	struct node_write write;

	assert_true(node_book_next(&scene->book, &scene->view, &write));
	assert_string_equal(write.node_uid, "uid-n");
	node_book_written(write.record, write.status, scene->view.now_ms, 0);
	assert_true(nothing_to_write(scene));
	return write.status;
}

static void write_one(struct scene *scene)
{
	cJSON_Delete(written(scene));
}

static const cJSON *condition_of(const cJSON *status, const char *type)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, json_find(status, "conditions"))
		if (strcmp(json_text(item, "type"), type) == 0)
			return item;
	fail_msg("no condition %s", type);
	return NULL;
}

static void assert_condition(const cJSON *status, const char *type, const char *value,
			     const char *reason)
{
	const cJSON *condition = condition_of(status, type);

	assert_string_equal(json_text(condition, "status"), value);
	assert_string_equal(json_text(condition, "reason"), reason);
}

/* A scene with a report that is written. */
static struct scene *scene_with_report(void)
{
	struct scene *scene = scene_open();

	agent_reports(scene, "n1", 7);
	agent_says(scene, "n1", facts_with(0, 1000, 100));
	write_one(scene);
	return scene;
}

static void tells_what_the_agent_says(void **state)
{
	struct scene *scene = scene_open();
	cJSON *status;

	(void)state;
	fleet_node_connect(fleet_ensure_node(&scene->fleet, "n1", scene->view.now_ms), true, 0);
	agent_says(scene, "n1", facts_with(0, 1000, 100));
	assert_true(nothing_to_write(scene)); /* it has not reported yet */
	agent_reports(scene, "n1", 7);
	status = written(scene);
	assert_condition(status, "Ready", "True", "AgentAtWork");
	assert_condition(status, "Capable", "False", "CapabilitiesMissing");
	assert_says(json_text(condition_of(status, "Capable"), "message"), "Tracefs");
	assert_string_equal(json_text(condition_of(status, "Ready"), "lastTransitionTime"),
			    "2023-11-14T22:13:20Z");
	assert_int_equal(json_integer(status, 0, "revision"), 7);
	assert_string_equal(json_text(status, "kernelMemory", "maps"), "1000Ki");
	assert_string_equal(json_text(status, "summary", "kernelMemory"), "1004Ki");
	assert_string_equal(json_text(status, "summary", "pods"), "2/2");
	assert_string_equal(json_text(status, "summary", "missing"), "Tracefs");
	assert_int_equal(json_integer(status, 0, "summary", "programs"), 1);
	assert_int_equal(json_integer(status, 0, "summary", "lost"), 100);
	cJSON_Delete(status);
	scene_close(scene);
}

static void makes_an_object_that_goes_with_its_node(void **state)
{
	cleanup_json cJSON *object = node_report_object("n1", "uid-n", json_of("{'revision': 1}"));
	cleanup_json cJSON *expected = json_of(
		"{'apiVersion': 'skep.dev/v1alpha1', 'kind': 'NodeProbeReport', 'metadata': {"
		"'name': 'n1', 'ownerReferences': [{'apiVersion': 'v1', 'kind': 'Node',"
		" 'name': 'n1', 'uid': 'uid-n'}]}, 'status': {'revision': 1}}");

	(void)state;
	assert_true(cJSON_Compare(object, expected, true));
	assert_null(node_report_object("n1", "uid-n", NULL));
}

static void writes_nothing_where_nothing_moves(void **state)
{
	struct scene *scene = scene_with_report();

	(void)state;
	for (int i = 0; i < 100; i++) {
		pass(scene, MINUTE_MS);
		agent_says(scene, "n1", facts_with(0, 1000 + i % 50, 100 + i % 9));
		agent_reports(scene, "n1", 7);
		assert_true(nothing_to_write(scene));
	}
	scene_close(scene);
}

static void writes_figures_that_moved_by_a_tenth(void **state)
{
	struct scene *scene = scene_with_report();
	cJSON *status;

	(void)state;
	pass(scene, MINUTE_MS);
	agent_says(scene, "n1", facts_with(0, 1050, 110));
	status = written(scene);
	assert_int_equal(json_integer(status, 0, "lost", "ringFull"), 110);
	assert_string_equal(json_text(status, "kernelMemory", "maps"), "1000Ki"); /* not moved */
	cJSON_Delete(status);
	pass(scene, MINUTE_MS);
	agent_says(scene, "n1", facts_with(0, 0, 110));
	status = written(scene);
	assert_string_equal(json_text(status, "kernelMemory", "maps"), "0Ki");
	cJSON_Delete(status);
	scene_close(scene);
}

/* How often the report is written in so many seconds, each with a revision; and losses, if any. */
static int writes_within(struct scene *scene, int seconds, int lost_more)
{
	struct node_write write;
	int writes = 0;

	for (int second = 0; second < seconds; second++) {
		pass(scene, 1000);
		agent_reports(scene, "n1", 8 + (uint64_t)second);
		agent_says(scene, "n1", facts_with(0, 1000, 100 + second * lost_more));
		if (!node_book_next(&scene->book, &scene->view, &write))
			continue;
		assert_int_equal(json_integer(write.status, 0, "revision"), 8 + second);
		node_book_written(write.record, write.status, scene->view.now_ms, 0);
		cJSON_Delete(write.status);
		writes++;
	}
	return writes;
}

static void writes_once_a_minute(void **state)
{
	struct scene *scene = scene_with_report();

	(void)state;
	assert_in_range(writes_within(scene, 600, 100), 9, 10);
	scene_close(scene);
}

/* The first report is written before anything is attached; what is then is not old for a minute. */
static void follows_the_first_report_at_once(void **state)
{
	struct scene *scene = scene_with_report();

	(void)state;
	pass(scene, 1000);
	agent_says(scene, "n1", facts_with(0, 2000, 100));
	write_one(scene);
	pass(scene, 1000);
	agent_says(scene, "n1", facts_with(0, 4000, 100));
	assert_true(nothing_to_write(scene));
	pass(scene, MINUTE_MS);
	write_one(scene);
	scene_close(scene);
}

/* Pods come and go all the time, and each makes another revision. */
static void writes_of_revisions_alone_are_seldom(void **state)
{
	struct scene *scene = scene_with_report();

	(void)state;
	assert_in_range(writes_within(scene, 1900, 0), 3, 4);
	scene_close(scene);
}

static void tells_of_failed_probes_at_once_but_not_for_ever(void **state)
{
	struct scene *scene = scene_with_report();
	cJSON *status;
	int writes = 0;

	(void)state;
	pass(scene, 1000);
	agent_says(scene, "n1", facts_with(1, 1000, 100));
	status = written(scene);
	assert_condition(status, "Ready", "False", "ProbesFailed");
	assert_says(json_text(condition_of(status, "Ready"), "message"), "1 of 2 pods");
	cJSON_Delete(status);
	for (int second = 0; second < 60; second++) {
		struct node_write write;

		pass(scene, 1000);
		agent_says(scene, "n1", facts_with(second % 2, 1000, 100));
		if (!node_book_next(&scene->book, &scene->view, &write))
			continue;
		node_book_written(write.record, write.status, scene->view.now_ms, 0);
		cJSON_Delete(write.status);
		writes++;
	}
	assert_in_range(writes, 1, NODE_TURNS_AT_ONCE);
	scene_close(scene);
}

static void says_when_no_agent_is_there(void **state)
{
	struct scene *scene = scene_with_report();
	cJSON *status;

	(void)state;
	agent_goes(scene, "n1");
	pass(scene, FLEET_AGENT_GRACE_MS - 1);
	assert_true(nothing_to_write(scene));
	pass(scene, 1);
	status = written(scene);
	assert_condition(status, "Ready", "Unknown", "AgentNotConnected");
	assert_says(json_text(condition_of(status, "Ready"), "message"), "spec.nodeName=n1");
	assert_says(json_text(condition_of(status, "Ready"), "message"), "-n skep-system");
	assert_string_equal(json_text(status, "kernel", "release"), "6.18"); /* its last word */
	cJSON_Delete(status);
	pass(scene, 10 * MINUTE_MS);
	assert_true(nothing_to_write(scene));
	agent_reports(scene, "n1", 7);
	status = written(scene);
	assert_condition(status, "Ready", "True", "AgentAtWork");
	cJSON_Delete(status);
	scene_close(scene);
}

/* Another operator led before: its reports stand, and are not written again. */
static void leads_on_from_what_is_written(void **state)
{
	struct scene *first = scene_with_report(), *scene = scene_open();
	cleanup_json cJSON *object = NULL;
	cJSON *status;

	(void)state;
	pass(first, NODE_REVISION_INTERVAL_MS);
	agent_reports(first, "n1", 8);
	object = cJSON_CreateObject();
	cJSON_AddItemToObject(object, "status", written(first));
	scene_close(first);
	assert_int_equal(node_book_learn(&scene->book, "n1", object), 0);
	node_book_begin(&scene->book);
	scene->view.settled_ms = scene->view.now_ms + 20000;
	pass(scene, 1000);
	assert_true(nothing_to_write(scene));
	agent_reports(scene, "n1", 8);
	agent_says(scene, "n1", facts_with(0, 1000, 100));
	assert_true(nothing_to_write(scene));
	fleet_remove_node(&scene->fleet, fleet_find_node(&scene->fleet, "n1"));
	assert_true(nothing_to_write(scene));
	pass(scene, 20000);
	status = written(scene); /* no agent has come to this operator */
	assert_condition(status, "Ready", "Unknown", "AgentNotConnected");
	assert_int_equal(json_integer(status, 0, "revision"), 8);
	assert_string_equal(json_text(status, "kernelMemory", "maps"), "1000Ki");
	cJSON_Delete(status);
	scene_close(scene);
}

static void writes_what_was_deleted_and_forgets_what_is_gone(void **state)
{
	struct scene *scene = scene_with_report();

	(void)state;
	node_book_gone(&scene->book, "n1");
	write_one(scene);
	cluster_remove_node(&scene->cluster, "n1");
	node_book_gone(&scene->book, "n1");
	assert_true(nothing_to_write(scene)); /* it would have no owner */
	assert_int_equal(HASH_COUNT(scene->book.records), 1);
	agent_goes(scene, "n1");
	fleet_remove_node(&scene->fleet, fleet_find_node(&scene->fleet, "n1"));
	assert_true(nothing_to_write(scene));
	assert_int_equal(HASH_COUNT(scene->book.records), 0);
	node_book_gone(&scene->book, "n1");
	node_book_touch(&scene->book, "n1");
	scene_close(scene);
}

static void tries_again_after_a_failure(void **state)
{
	struct scene *scene = scene_open();
	struct node_write write;

	(void)state;
	agent_reports(scene, "n1", 7);
	agent_says(scene, "n1", facts_with(0, 1, 1));
	assert_true(node_book_next(&scene->book, &scene->view, &write));
	cJSON_Delete(write.status);
	assert_true(nothing_to_write(scene)); /* one at a time */
	node_book_written(write.record, NULL, scene->view.now_ms, 5000);
	agent_says(scene, "n1", facts_with(1, 1, 1));
	pass(scene, 4999);
	assert_true(nothing_to_write(scene));
	pass(scene, 1);
	write_one(scene);
	scene_close(scene);
}

/* Where not all can be written, each has its turn. */
static void gives_all_their_turn(void **state)
{
	struct scene *scene = scene_open();
	static const char *const names[] = {"n1", "n2", "n3"};
	struct node_write write;
	unsigned int turns[3] = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		add_node(scene, names[i]);
		agent_reports(scene, names[i], 1);
		agent_says(scene, names[i], facts_with(0, 1, 1));
	}
	for (int round = 0; round < 9; round++) {
		pass(scene, 10 * MINUTE_MS);
		for (int i = 0; i < 3; i++)
			agent_reports(scene, names[i], 2 + (uint64_t)round);
		assert_true(node_book_next(&scene->book, &scene->view, &write));
		turns[write.record->name[1] - '1']++;
		node_book_written(write.record, write.status, scene->view.now_ms, 0);
		cJSON_Delete(write.status);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(turns[i], 3);
	scene_close(scene);
}

static void reads_any_status(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"7",
		"{'conditions': 1}",
		"{'conditions': [1, {'type': 'Ready'}]}",
		"{'conditions': [{'type': 'Ready', 'status': 'ALongWordThatIsNoStatus',"
		" 'lastTransitionTime': 'never'}], 'kernelMemory': {'maps': 'many'},"
		" 'lost': {'ringFull': -7}}",
	};

	(void)state;
	assert_false(node_told_read(NULL).exists);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cleanup_json cJSON *status = json_of(texts[i]);
		struct node_told told = node_told_read(status);

		assert_true(told.exists);
		assert_true(told.figures[NODE_LOST_RING_FULL] == 0);
		assert_true(told.figures[NODE_MEMORY_MAPS] == 0);
	}
}

static bool take_and_tell(void *context)
{
	static int map_kib = 1;
	struct scene *scene = context;
	cleanup_json cJSON *agent_facts = NULL, *object = NULL;
	struct node_write write;

	starve_pause(); /* what the agent says is there already, and is news each time */
	map_kib = 1001 - map_kib;
	agent_facts = facts_with(0, map_kib, 1);
	starve_resume();
	if (node_book_take_facts(&scene->book, "n1", agent_facts) < 0)
		return false;
	scene->book.records->look_ms = 0;
	scene->book.records->due = true;
	if (!node_book_next(&scene->book, &scene->view, &write))
		return false;
	node_book_written(write.record, NULL, scene->view.now_ms, 0);
	object = node_report_object("n1", "uid-n", write.status);
	return object != NULL;
}

static void survives_without_memory(void **state)
{
	struct scene *scene = scene_open();

	(void)state;
	agent_reports(scene, "n1", 1);
	agent_says(scene, "n1", facts_with(1, 1, 1)); /* the table is there */
	assert_true(starve(take_and_tell, scene) > 100);
	scene_close(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_the_agent_says),
		cmocka_unit_test(makes_an_object_that_goes_with_its_node),
		cmocka_unit_test(writes_nothing_where_nothing_moves),
		cmocka_unit_test(writes_figures_that_moved_by_a_tenth),
		cmocka_unit_test(writes_once_a_minute),
		cmocka_unit_test(follows_the_first_report_at_once),
		cmocka_unit_test(writes_of_revisions_alone_are_seldom),
		cmocka_unit_test(tells_of_failed_probes_at_once_but_not_for_ever),
		cmocka_unit_test(says_when_no_agent_is_there),
		cmocka_unit_test(leads_on_from_what_is_written),
		cmocka_unit_test(writes_what_was_deleted_and_forgets_what_is_gone),
		cmocka_unit_test(tries_again_after_a_failure),
		cmocka_unit_test(gives_all_their_turn),
		cmocka_unit_test(reads_any_status),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
