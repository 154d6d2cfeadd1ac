// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include <errno.h>

#include "lib/base/text.h"
#include "operator/selector.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIB		   (1 << 20)

static bool matches(const char *selector_text, const char *labels_text)
{
	cleanup_json cJSON *json = json_of(selector_text);
	struct labels labels = labels_of(labels_text);
	struct selector selector;
	struct error error = {0};
	bool result;

	if (selector_decode(json, "spec.selector", &selector, &error) < 0)
		fail_msg("%s: %s", selector_text, error.message);
	result = selector_matches(&selector, &labels);
	selector_free(&selector);
	labels_free(&labels);
	return result;
}

static void matches_as_kubernetes_says(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool matches;
	} cases[] = {
		{"{}", "{}", true},
		{"{}", "{'app': 'web'}", true},
		{"{'matchLabels': {}, 'matchExpressions': []}", "{}", true},
		{"{'matchLabels': {'app': 'web'}}", "{'app': 'web', 'b': 'c'}", true},
		{"{'matchLabels': {'app': 'web'}}", "{'app': 'webb'}", false},
		{"{'matchLabels': {'app': 'web'}}", "{}", false},
		{"{'matchLabels': {'app': ''}}", "{'app': ''}", true},
		{"{'matchLabels': {'app': ''}}", "{}", false},
		{"{'matchLabels': {'a': '1', 'b': '2'}}", "{'a': '1'}", false},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'In', 'values': ['1', '2']}]}",
		 "{'a': '2'}", true},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'In', 'values': ['1', '2']}]}",
		 "{'a': '3'}", false},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'NotIn', 'values': ['1']}]}",
		 "{'a': '2'}", true},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'NotIn', 'values': ['1']}]}", "{}",
		 true},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'NotIn', 'values': ['1']}]}",
		 "{'a': '1'}", false},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'Exists'}]}", "{'a': ''}", true},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'Exists'}]}", "{'b': ''}", false},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'DoesNotExist', 'values': []}]}",
		 "{}", true},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'DoesNotExist'}]}", "{'a': '1'}",
		 false},
		{"{'matchLabels': {'a': '1'}, 'matchExpressions': ["
		 "{'key': 'b', 'operator': 'Exists'}]}",
		 "{'a': '1'}", false},
		{"{'matchLabels': {'example.com/a': '1'}}", "{'example.com/a': '1'}", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (matches(cases[i].selector, cases[i].labels) != cases[i].matches)
			fail_msg("%s on %s", cases[i].selector, cases[i].labels);
}

static void takes_no_selector_for_the_empty_one(void **state)
{
	struct selector selector;
	const struct labels labels = {0};

	(void)state;
	assert_int_equal(selector_decode(NULL, "s", &selector, NULL), 0);
	assert_true(selector_matches(&selector, &labels));
	selector_free(&selector);
}

static void refuses(const char *text, const char *start, const char *part)
{
	cleanup_json cJSON *json = json_of(text);
	struct selector selector;
	struct error error = {0};

	assert_int_equal(selector_decode(json, "s", &selector, &error), -EINVAL);
	if (strncmp(error.message, start, strlen(start)) != 0)
		fail_msg("\"%s\" does not start with \"%s\"", error.message, start);
	assert_says(error.message, part);
}

static void names_the_field_that_is_wrong(void **state)
{
	static const struct {
		const char *text, *start, *part;
	} cases[] = {
		{"'app=web'", "s: ", "must be an object"},
		{"{'matchLabels': []}", "s.matchLabels: ", "map"},
		{"{'matchLabels': {'a': 1}}", "s.matchLabels[a]: ", "string"},
		{"{'matchLabels': {'a': null}}", "s.matchLabels[a]: ", "string"},
		{"{'matchLabels': {'-a': '1'}}", "s.matchLabels: ", "label key"},
		{"{'matchLabels': {'': '1'}}", "s.matchLabels: ", "label key"},
		{"{'matchLabels': {'/a': '1'}}", "s.matchLabels: ", "label key"},
		{"{'matchLabels': {'a/b/c': '1'}}", "s.matchLabels: ", "label key"},
		{"{'matchLabels': {'a b': '1'}}", "s.matchLabels: ", "label key"},
		{"{'matchLabels': {'a': 'x y'}}", "s.matchLabels[a]: ", "label value"},
		{"{'matchLabels': {'a': 'x-'}}", "s.matchLabels[a]: ", "label value"},
		{"{'matchExpressions': 'a'}", "s.matchExpressions: ", "list"},
		{"{'matchExpressions': {}}", "s.matchExpressions: ", "list"},
		{"{'matchExpressions': ['a']}", "s.matchExpressions[0].operator: ", "In, NotIn"},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'Exists'},"
		 "{'key': 'a', 'operator': 'Is'}]}",
		 "s.matchExpressions[1].operator: ", "\"Is\""},
		{"{'matchExpressions': [{'operator': 'Exists'}]}",
		 "s.matchExpressions[0]: ", "label key"},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'In'}]}",
		 "s.matchExpressions[0].values: ", "must be given"},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'In', 'values': 'x'}]}",
		 "s.matchExpressions[0].values: ", "list"},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'In', 'values': [1]}]}",
		 "s.matchExpressions[0].values: ", "strings"},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'NotIn', 'values': ['!']}]}",
		 "s.matchExpressions[0][a]: ", "label value"},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'Exists', 'values': ['x']}]}",
		 "s.matchExpressions[0].values: ", "left out"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		refuses(cases[i].text, cases[i].start, cases[i].part);
}

/* A selector of `count` labels or expressions, or of one expression with `count` values. */
static char *many(const char *before, const char *one, const char *after, int count)
{
	struct text text = TEXT_EMPTY;

	text_append_string(&text, before);
	for (int i = 0; i < count; i++) {
		text_append_string(&text, i ? "," : "");
		text_append_format(&text, one, i);
	}
	text_append_string(&text, after);
	return text.data;
}

static void bounds_every_list(void **state)
{
	static const struct {
		const char *before, *one, *after, *start;
		int limit;
	} cases[] = {
		{"{'matchLabels': {", "'a%d': 'x'", "}}",
		 "s.matchLabels: ", SELECTOR_REQUIREMENTS_LIMIT},
		{"{'matchExpressions': [", "{'key': 'a%d', 'operator': 'Exists'}", "]}",
		 "s.matchExpressions: ", SELECTOR_REQUIREMENTS_LIMIT},
		{"{'matchExpressions': [{'key': 'a', 'operator': 'In', 'values': [", "'x%d'",
		 "]}]}", "s.matchExpressions[0].values: ", SELECTOR_VALUES_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_free char *most =
			many(cases[i].before, cases[i].one, cases[i].after, cases[i].limit);
		cleanup_free char *more =
			many(cases[i].before, cases[i].one, cases[i].after, cases[i].limit + 1);

		(void)matches(most, "{}");
		refuses(more, cases[i].start, "at most");
	}
}

static void refuses_a_huge_value_in_few_words(void **state)
{
	cleanup_json cJSON *json = cJSON_CreateObject();
	cleanup_free char *value = malloc(MIB + 1);
	struct selector selector;
	struct error error = {0};

	(void)state;
	assert_non_null(value);
	memset(value, 'v', MIB);
	value[MIB] = '\0';
	cJSON_AddStringToObject(cJSON_AddObjectToObject(json, "matchLabels"), "app", value);
	assert_int_equal(selector_decode(json, "spec.selector", &selector, &error), -EINVAL);
	assert_says(error.message, "spec.selector.matchLabels[app]: ");
	assert_says(error.message, "at most 63");
	cJSON_DeleteItemFromObject(json, "matchLabels");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(json, "matchLabels"), value, "v");
	assert_int_equal(selector_decode(json, "spec.selector", &selector, &error), -EINVAL);
	assert_says(error.message, "spec.selector.matchLabels: ");
	assert_says(error.message, "at most 63");
}

static void decodes_a_node_selector(void **state)
{
	cleanup_json cJSON *json = json_of("{'pool': 'canary'}");
	cleanup_json cJSON *wrong = json_of("['pool']");
	struct labels canary = labels_of("{'pool': 'canary'}"), none = {0};
	struct selector selector;
	struct error error = {0};

	(void)state;
	assert_int_equal(selector_decode_labels(json, "n", &selector, &error), 0);
	assert_true(selector_matches(&selector, &canary));
	assert_false(selector_matches(&selector, &none));
	selector_free(&selector);
	assert_int_equal(selector_decode_labels(wrong, "n", &selector, &error), -EINVAL);
	assert_says(error.message, "n: must be a map");
	labels_free(&canary);
}

static void keeps_labels_by_key(void **state)
{
	struct labels labels = labels_of("{'z': '1', 'a': '2', 'number': 3, 'm': ''}");
	struct labels same = labels_of("{'m': '', 'a': '2', 'z': '1'}");
	struct labels other = labels_of("{'m': '', 'a': '2', 'z': '2'}");

	(void)state;
	assert_int_equal(labels.count, 3);
	assert_string_equal(labels_get(&labels, "z"), "1");
	assert_string_equal(labels_get(&labels, "m"), "");
	assert_null(labels_get(&labels, "number"));
	assert_true(labels_equal(&labels, &same));
	assert_false(labels_equal(&labels, &other));
	labels_free(&labels);
	labels_free(&same);
	labels_free(&other);
	assert_null(labels_get(&labels, "z"));
}

static void sets_a_label_whether_it_is_there_or_not(void **state)
{
	struct labels labels = labels_of("{'z': '1'}"), none = {0};

	(void)state;
	assert_int_equal(labels_set(&labels, "a", "2"), 0);
	assert_int_equal(labels_set(&labels, "z", "3"), 0);
	assert_int_equal(labels.count, 2);
	assert_string_equal(labels_get(&labels, "a"), "2");
	assert_string_equal(labels_get(&labels, "z"), "3");
	assert_int_equal(labels_set(&none, "a", ""), 0);
	assert_string_equal(labels_get(&none, "a"), "");
	labels_free(&labels);
	labels_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_as_kubernetes_says),
		cmocka_unit_test(takes_no_selector_for_the_empty_one),
		cmocka_unit_test(names_the_field_that_is_wrong),
		cmocka_unit_test(bounds_every_list),
		cmocka_unit_test(refuses_a_huge_value_in_few_words),
		cmocka_unit_test(decodes_a_node_selector),
		cmocka_unit_test(keeps_labels_by_key),
		cmocka_unit_test(sets_a_label_whether_it_is_there_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
