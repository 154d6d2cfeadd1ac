// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"
#include "lib/base/tests/starve.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/message.h"
#include "lib/link/node_facts.h"

static const char whole[] =
	"{'type': 'node', 'agent': {'version': '0.1.0'},"
	" 'kernel': {'release': '6.18.0', 'architecture': 'x86_64'},"
	" 'cgroup': {'mode': 'Hybrid', 'path': '/host/cgroup/unified'},"
	" 'pods': {'selected': 5, 'attached': 1, 'waiting': 1, 'failed': 1, 'unsupported': 2},"
	" 'kernelMemory': {'programs': 4096, 'maps': 1048576},"
	" 'lost': {'rateLimited': 1, 'ringFull': 2, 'tableFull': 3, 'decode': 4, 'export': 5},"
	" 'capabilities': {'available': ['RingBuffer', 'PerfEvents'], 'missing': ["
	"   {'name': 'Tracefs', 'message': 'mount it', 'affects': ['exec.failures']}]},"
	" 'probes': [{'type': 'TCP', 'pods': 5}],"
	" 'programs': [{'name': 'tcp_sent', 'type': 'cgroup_skb', 'probe': 'TCP'}]}";

static cJSON *facts_of(const char *text)
{
	cleanup_json cJSON *message = json_of(text);
	cJSON *facts = NULL;

	assert_int_equal(node_facts_decode(message, &facts, NULL), 0);
	return facts;
}

static void takes_all_that_is_known(void **state)
{
	cleanup_json cJSON *message = json_of(whole), *facts = facts_of(whole);
	enum message_type type;

	(void)state;
	assert_int_equal(message_type_decode(message, &type, NULL), 0);
	assert_int_equal(type, MESSAGE_NODE);
	cJSON_DeleteItemFromObject(message, "type");
	assert_true(cJSON_Compare(message, facts, true));
}

#define LEAST "'agent': {'version': '1'}, 'kernel': {'release': '6'}"

static void leaves_out_what_is_unknown_or_empty(void **state)
{
	cleanup_json cJSON *expected = json_of("{" LEAST ", 'capabilities': {}, 'pods': {"
					       "'selected': 0, 'attached': 0, 'waiting': 0,"
					       "'failed': 0, 'unsupported': 0}}");
	cleanup_json cJSON *facts =
		facts_of("{" LEAST ", 'node': 'another', 'conditions': [], 'programs': [1, {},"
			 " {'name': 7}], 'probes': {}, 'cgroup': 'v2', 'lost': null,"
			 " 'capabilities': {'available': ['', 3], 'missing': 'all'},"
			 " 'pods': {'selected': -1, 'attached': 0.5, 'failed': '3',"
			 "          'waiting': 1e300, 'unsupported': null, 'more': 1}}");

	(void)state;
	assert_true(cJSON_Compare(facts, expected, true));
}

static void refuses_facts_of_nobody(void **state)
{
	cleanup_json cJSON *no_agent = json_of("{'kernel': {'release': '6'}}");
	cleanup_json cJSON *no_kernel = json_of("{'agent': {'version': '1'}, 'kernel': {}}");
	cJSON *facts = NULL;
	struct error error;

	(void)state;
	assert_int_equal(node_facts_decode(no_agent, &facts, &error), -EINVAL);
	assert_says(error.message, "agent.version");
	assert_int_equal(node_facts_decode(no_kernel, &facts, &error), -EINVAL);
	assert_says(error.message, "kernel.release");
	assert_null(facts);
}

/* An array of `count` copies of an item. */
static void add_many(cJSON *object, const char *name, const char *item, int count)
{
	cJSON *array = cJSON_AddArrayToObject(object, name);

	for (int i = 0; i < count; i++)
		cJSON_AddItemToArray(array, json_of(item));
}

static int size_of(const cJSON *json)
{
	return cJSON_GetArraySize(json);
}

static void holds_the_bounds(void **state)
{
	cleanup_json cJSON *message = json_of("{" LEAST ", 'capabilities': {}}");
	cJSON *capabilities = cJSON_GetObjectItem(message, "capabilities"), *facts, *missing;
	char text[2000];

	(void)state;
	add_many(message, "programs", "{'name': 'p'}", 1000);
	add_many(message, "probes", "{'type': 'p'}", 1000);
	add_many(capabilities, "available", "'c'", 1000);
	add_many(capabilities, "missing", "{'name': 'c'}", 1000);
	missing = cJSON_GetObjectItem(capabilities, "missing")->child;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cJSON_AddStringToObject(missing, "message", text);
	add_many(missing, "affects", "'a\\n\\u0007b'", 1000);
	assert_int_equal(node_facts_decode(message, &facts, NULL), 0);
	assert_int_equal(size_of(json_find(facts, "programs")), NODE_PROGRAMS_LIMIT);
	assert_int_equal(size_of(json_find(facts, "probes")), NODE_PROBES_LIMIT);
	assert_int_equal(size_of(json_find(facts, "capabilities", "available")),
			 NODE_CAPABILITIES_LIMIT);
	missing = (cJSON *)json_find(facts, "capabilities", "missing");
	assert_int_equal(size_of(missing), NODE_CAPABILITIES_LIMIT);
	assert_int_equal(strlen(json_text(missing->child, "message")), NODE_MESSAGE_LIMIT);
	assert_int_equal(size_of(json_find(missing->child, "affects")), NODE_AFFECTS_LIMIT);
	assert_null(strpbrk(json_text_of(json_find(missing->child, "affects")->child), "\n\a"));
	cJSON_Delete(facts);
}

static bool decode(void *message)
{
	cJSON *facts = NULL;
	bool done = node_facts_decode(message, &facts, NULL) == 0;

	cJSON_Delete(facts);
	return done;
}

static void survives_without_memory(void **state)
{
	cleanup_json cJSON *message = json_of(whole);

	(void)state;
	assert_true(starve(decode, message) > 50);
}

static void digests_what_is_said(void **state)
{
	static const char *const others[] = {
		"{'a': 1, 'b': ['x', 'z']}",	     "{'a': 1, 'b': ['y', 'x']}",
		"{'a': 2, 'b': ['x', 'y']}",	     "{'b': 1, 'a': ['x', 'y']}",
		"{'a': '1', 'b': ['x', 'y']}",	     "{'a': true, 'b': ['x', 'y']}",
		"{'a': 1, 'b': ['x', 'y'], 'c': 0}", "{'a': 1, 'b': {'x': 'y'}}",
	};
	cleanup_json cJSON *one = json_of("{'a': 1, 'b': ['x', 'y']}");
	cleanup_json cJSON *same = json_of("{'b': ['x', 'y'], 'a': 1.0}");

	(void)state;
	assert_true(json_digest(one) == json_digest(same));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cleanup_json cJSON *other = json_of(others[i]);

		assert_true(json_digest(one) != json_digest(other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_all_that_is_known),
		cmocka_unit_test(leaves_out_what_is_unknown_or_empty),
		cmocka_unit_test(refuses_facts_of_nobody),
		cmocka_unit_test(holds_the_bounds),
		cmocka_unit_test(survives_without_memory),
		cmocka_unit_test(digests_what_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
