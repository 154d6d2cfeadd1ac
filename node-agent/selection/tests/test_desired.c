// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "node-agent/selection/desired.h"

#define POD(uid, name)                                                                             \
	"{\"uid\":\"" uid "\",\"namespace\":\"n\",\"name\":\"" name                                \
	"\",\"workload\":{\"kind\":\"Pod\",\"name\":\"w\"},\"containers\":[],"                     \
	"\"probes\":[{\"type\":\"TCP\",\"policies\":[\"n/p\"]}]}"

/* Applies a message; returns the result, the changed UIDs in *ret_changed joined by spaces. */
static int apply(struct desired *desired, const char *text, char ret_changed[256])
{
	cleanup_json cJSON *json = cJSON_Parse(text);
	struct strings changed = {0}, complaints = {0};
	struct selection_change change;
	struct error error;
	size_t used = 0;
	int result;

	assert_non_null(json);
	assert_int_equal(selection_change_decode(json, &change, &error), 0);
	result = desired_apply(desired, &change, &changed, &complaints, &error);
	strings_sort(&changed);
	ret_changed[0] = '\0';
	for (size_t i = 0; i < changed.count; i++)
		used += (size_t)snprintf(ret_changed + used, 256 - used, "%s%s", i ? " " : "",
					 changed.items[i]);
	strings_free(&changed);
	strings_free(&complaints);
	return result;
}

static void test_snapshots(void **state)
{
	struct desired desired = {0};
	char changed[256];

	(void)state;
	assert_string_equal(desired_version(&desired).epoch, "");
	assert_int_equal(
		apply(&desired,
		      "{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":5,\"pods\":[" POD(
			      "a1", "x") "," POD("b2", "y") "]}",
		      changed),
		0);
	assert_string_equal(changed, "a1 b2");
	assert_string_equal(desired_version(&desired).epoch, "e");
	assert_int_equal(desired_version(&desired).revision, 5);
	assert_string_equal(desired_find(&desired, "a1")->name, "x");

	/* The next run of an operator: one is the same, one is not, one is gone, one is new. */
	assert_int_equal(
		apply(&desired,
		      "{\"type\":\"snapshot\",\"epoch\":\"f\",\"revision\":1,\"pods\":[" POD(
			      "a1", "x") "," POD("b2", "z") "," POD("c3", "c") "]}",
		      changed),
		0);
	assert_string_equal(changed, "b2 c3");
	assert_int_equal(
		apply(&desired,
		      "{\"type\":\"snapshot\",\"epoch\":\"f\",\"revision\":2,\"pods\":[" POD(
			      "c3", "c") "]}",
		      changed),
		0);
	assert_string_equal(changed, "a1 b2");
	assert_null(desired_find(&desired, "a1"));
	desired_free(&desired);
}

static void test_deltas(void **state)
{
	struct desired desired = {0};
	char changed[256];

	(void)state;
	/* There is nothing to build on. */
	assert_int_equal(apply(&desired,
			       "{\"type\":\"delta\",\"epoch\":\"\",\"from\":0,\"revision\":1,"
			       "\"upsert\":[],\"remove\":[]}",
			       changed),
			 -ESTALE);
	apply(&desired,
	      "{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":5,\"pods\":[" POD("a1",
										     "x") "]}",
	      changed);
	assert_int_equal(apply(&desired,
			       "{\"type\":\"delta\",\"epoch\":\"e\",\"from\":5,\"revision\":6,"
			       "\"upsert\":[" POD("b2", "y") "],\"remove\":[\"a1\",\"zz\",7]}",
			       changed),
			 0);
	assert_string_equal(changed, "a1 b2");
	assert_int_equal(desired.revision, 6);
	/* Of another revision, of another epoch: nothing is done. */
	assert_int_equal(apply(&desired,
			       "{\"type\":\"delta\",\"epoch\":\"e\",\"from\":5,\"revision\":7,"
			       "\"upsert\":[],\"remove\":[\"b2\"]}",
			       changed),
			 -ESTALE);
	assert_int_equal(apply(&desired,
			       "{\"type\":\"delta\",\"epoch\":\"f\",\"from\":6,\"revision\":7,"
			       "\"upsert\":[],\"remove\":[\"b2\"]}",
			       changed),
			 -ESTALE);
	assert_non_null(desired_find(&desired, "b2"));
	assert_int_equal(desired.revision, 6);
	desired_free(&desired);
}

static void test_bad_pods(void **state)
{
	struct desired desired = {0};
	char changed[256];

	(void)state;
	assert_int_equal(apply(&desired,
			       "{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":5,\"pods\":["
			       "{},7,null," POD("../x", "x") "," POD("a1", "x") "]}",
			       changed),
			 0);
	assert_string_equal(changed, "a1");
	desired_free(&desired);
}

/* What is replaced stays readable until it is released. */
static void test_retired(void **state)
{
	struct desired desired = {0};
	const struct selected_pod *old;
	char changed[256];

	(void)state;
	apply(&desired,
	      "{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":1,\"pods\":[" POD("a1",
										     "x") "]}",
	      changed);
	old = desired_find(&desired, "a1");
	apply(&desired,
	      "{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":2,\"pods\":[" POD(
		      "a1", "y") "," POD("a1", "z") "]}",
	      changed);
	assert_string_equal(old->name, "x");
	assert_string_equal(desired_find(&desired, "a1")->name, "z");
	desired_release_retired(&desired);
	assert_null(desired.retired);
	desired_free(&desired);
}

static void test_encode(void **state)
{
	struct desired desired = {0}, again = {0};
	cleanup_free char *text = NULL;
	cleanup_json cJSON *json = NULL;
	char changed[256];

	(void)state;
	apply(&desired,
	      "{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":9,\"pods\":[" POD(
		      "a1", "x") "," POD("b2", "y") "]}",
	      changed);
	json = desired_encode(&desired);
	text = cJSON_PrintUnformatted(json);
	assert_int_equal(apply(&again, text, changed), 0);
	assert_string_equal(changed, "a1 b2");
	assert_int_equal(again.revision, 9);
	assert_true(selected_pod_equal(desired_find(&desired, "b2"), desired_find(&again, "b2")));
	desired_free(&desired);
	desired_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshots), cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_bad_pods),  cmocka_unit_test(test_retired),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
