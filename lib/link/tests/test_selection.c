// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"
#include "lib/link/selection.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A selected pod whose members can each be put in another's place. */
#define POD(uid, workload, containers, probes)                                                     \
	"{'uid': " uid ", 'namespace': 'shop', 'name': 'web', 'workload': " workload               \
	", 'containers': " containers ", 'probes': " probes "}"
#define WORKLOAD   "{'kind': 'Deployment', 'name': 'front'}"
#define CONTAINERS "[{'name': 'server', 'id': 'abc'}]"
#define PROBES                                                                                     \
	"[{'type': 'TCP', 'policies': ['shop/p']}, {'type': 'Exec', 'containers': ['server'],"     \
	" 'policies': ['shop/q'], 'exec': {'arguments': 'Raw', 'failures': true}}]"
#define BUDGETS                                                                                    \
	", 'budgets': [{'policy': 'shop/p', 'eventsPerSecond': 5}, {'policy': 'shop/q', 'series':" \
	" 100}]"
#define WHOLE POD("'one'", WORKLOAD, CONTAINERS, PROBES BUDGETS)

/* Takes `json`. */
static struct selected_pod *decode(cJSON *json)
{
	struct selected_pod *pod = NULL;
	struct error error = {0};

	if (selected_pod_decode(json, &pod, &error) < 0)
		fail_msg("%s", error.message);
	cJSON_Delete(json);
	return pod;
}

static void reads_back_what_it_wrote(void **state)
{
	static const char *const texts[] = {
		WHOLE,
		POD("'one'", WORKLOAD, "[]", "[]"),
		POD("'one'", WORKLOAD, CONTAINERS, "[{'type': 'Exec'}]"),
		POD("'one'", WORKLOAD, CONTAINERS, PROBES BUDGETS),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct selected_pod *pod = decode(json_of(texts[i]));
		struct selected_pod *again = decode(selected_pod_encode(pod));

		assert_true(selected_pod_equal(pod, again));
		selected_pod_free(pod);
		selected_pod_free(again);
	}
}

static void reads_every_member(void **state)
{
	struct selected_pod *pod = decode(json_of(WHOLE));

	(void)state;
	assert_string_equal(pod->uid, "one");
	assert_string_equal(pod->namespace, "shop");
	assert_string_equal(pod->name, "web");
	assert_string_equal(pod->workload_kind, "Deployment");
	assert_string_equal(pod->workload_name, "front");
	assert_string_equal(pod->containers[0].name, "server");
	assert_string_equal(pod->containers[0].id, "abc");
	assert_string_equal(pod->probes[PROBE_TCP].policies.items[0], "shop/p");
	assert_string_equal(pod->probes[PROBE_EXEC].containers.items[0], "server");
	assert_int_equal(pod->probes[PROBE_EXEC].settings.exec.arguments, EXEC_ARGUMENTS_RAW);
	assert_true(pod->probes[PROBE_EXEC].settings.exec.failures);
	assert_int_equal(pod->budget_count, 2);
	assert_string_equal(pod->budgets[0].policy, "shop/p");
	assert_int_equal(pod->budgets[0].budget.most[BUDGET_EVENTS], 5);
	assert_int_equal(pod->budgets[1].budget.most[BUDGET_SERIES], 100);
	selected_pod_free(pod);
}

/* Any other word in any member makes another pod. */
static void equals_only_its_like(void **state)
{
	static const char *const changes[][2] = {
		{"'one'", "'two'"},
		{"'shop'", "'bank'"},
		{"'web'", "'wob'"},
		{"front", "back"},
		{"Deployment", "Job"},
		{"'server', 'id'", "'s', 'id'"},
		{"abc", "abd"},
		{"shop/p", "shop/r"},
		{"['server']", "['proxy']"},
		{"Raw", "None"},
		{"true", "false"},
		{"'policies': ['shop/q'],", ""},
		{"'policy': 'shop/q'", "'policy': 'shop/r'"},
		{"'eventsPerSecond': 5", "'eventsPerSecond': 6"},
		{"'series': 100", "'series': 10"},
		{BUDGETS, ""},
	};
	struct selected_pod *pod = decode(json_of(WHOLE));

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
		const char *at = strstr(WHOLE, changes[i][0]);
		struct selected_pod *other =
			decode(json_format("%.*s%s%s", (int)(at - WHOLE), WHOLE, changes[i][1],
					   at + strlen(changes[i][0])));

		if (selected_pod_equal(pod, other))
			fail_msg("%s is as good as %s", changes[i][0], changes[i][1]);
		selected_pod_free(other);
	}
	selected_pod_free(pod);
}

static void refuses(cJSON *json, const char *part)
{
	struct selected_pod *pod = NULL;
	struct error error = {0};

	assert_int_equal(selected_pod_decode(json, &pod, &error), -EINVAL);
	assert_null(pod);
	assert_says(error.message, "selected pod");
	assert_says(error.message, part);
	cJSON_Delete(json);
}

static void refuses_malformed_members(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"null", "uid"},
		{"[]", "uid"},
		{POD("''", WORKLOAD, "[]", "[]"), "uid"},
		{POD("7", WORKLOAD, "[]", "[]"), "uid"},
		{"{'uid': 'u', 'name': 'n'}", "namespace"},
		{"{'uid': 'u', 'namespace': 'n'}", "name"},
		{POD("'u'", "'Deployment'", "[]", "[]"), "kind"},
		{POD("'u'", "{'kind': 'Pod'}", "[]", "[]"), "name"},
		{POD("'u'", WORKLOAD, "[{}]", "[]"), "containers: name"},
		{POD("'u'", WORKLOAD, "[{'name': 'c'}]", "[]"), "containers: id"},
		{POD("'u'", WORKLOAD, "{'a': {'name': 'c', 'id': 'i'}}", "[]"), "containers"},
		{POD("'u'", WORKLOAD, "[]", "[{}]"), "type"},
		{POD("'u'", WORKLOAD, "[]", "[{'type': 'SMTP'}]"), "\"SMTP\""},
		{POD("'u'", WORKLOAD, "[]", "[{'type': 'TCP'}, {'type': 'TCP'}]"), "twice"},
		{POD("'u'", WORKLOAD, "[]", "[{'type': 'Exec', 'exec': {'arguments': 'X'}}]"),
		 "exec.arguments"},
		{POD("'u'", WORKLOAD, "[]", "[{'type': 'TCP', 'policies': 'p'}]"), "policies"},
		{POD("'u'", WORKLOAD, "[]", "[{'type': 'TCP', 'policies': [1]}]"), "policies"},
		{POD("'u'", WORKLOAD, "[]", "[{'type': 'TCP', 'containers': {}}]"), "containers"},
		{POD("'u'", WORKLOAD, "[]", "[], 'budgets': {}"), "budgets"},
		{POD("'u'", WORKLOAD, "[]", "[], 'budgets': [7]"), "budgets"},
		{POD("'u'", WORKLOAD, "[]", "[], 'budgets': [{'series': 7}]"), "budgets: policy"},
		{POD("'u'", WORKLOAD, "[]", "[], 'budgets': [{'policy': 'p', 'series': 0}]"),
		 "budgets: series"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		refuses(json_of(cases[i].text), cases[i].part);
}

/* A pod with `count` of something, by the format of its JSON. */
static cJSON *pod_with(const char *one, int count, const char *format)
{
	cleanup_text struct text list = TEXT_EMPTY;
	cleanup_text struct text whole = TEXT_EMPTY;

	for (int i = 0; i < count; i++)
		text_append_format(&list, "%s%s", i ? "," : "", one);
	text_append_format(&whole, format, list.data);
	return json_of(whole.data);
}

static void bounds_every_list(void **state)
{
	static const struct {
		const char *one, *format, *part;
		int limit;
	} cases[] = {
		{"{'name': 'c', 'id': 'i'}", POD("'u'", WORKLOAD, "[%s]", "[]"), "containers",
		 SELECTION_CONTAINERS_LIMIT},
		{"'c'", POD("'u'", WORKLOAD, "[]", "[{'type': 'TCP', 'containers': [%s]}]"),
		 "containers", SELECTION_CONTAINERS_LIMIT},
		{"'p'", POD("'u'", WORKLOAD, "[]", "[{'type': 'TCP', 'policies': [%s]}]"),
		 "policies", SELECTION_POLICIES_LIMIT},
		{"{'policy': 'p', 'series': 7}", POD("'u'", WORKLOAD, "[]", "[], 'budgets': [%s]"),
		 "budgets", SELECTION_BUDGETS_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		selected_pod_free(decode(pod_with(cases[i].one, cases[i].limit, cases[i].format)));
		refuses(pod_with(cases[i].one, cases[i].limit + 1, cases[i].format), cases[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(reads_every_member),
		cmocka_unit_test(equals_only_its_like),
		cmocka_unit_test(refuses_malformed_members),
		cmocka_unit_test(bounds_every_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
