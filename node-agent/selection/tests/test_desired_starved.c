// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * A selection that cannot be taken in whole for want of memory is none: no version is told, so that
 * the operator sends all of it again. What was there and is to go on, goes on.
 */

#include "lib/base/tests/starve.h"

#include "lib/base/tests/parse.h"

#include "lib/base/json.h"
#include "node-agent/selection/desired.h"

#define POD(uid, name)                                                                             \
	"{'uid': '" uid "', 'namespace': 'n', 'name': '" name                                      \
	"', 'workload': {'kind': 'Pod', 'name': 'w'}, 'containers': [{'name': 'c', 'id': 'i'}],"   \
	" 'probes': [{'type': 'TCP', 'policies': ['n/p']}]}"

/* Of these pods, a1 goes, b2 stays as it is, c3 changes, d4 is new, e5 cannot be read. */
static const char before[] = "{'type': 'snapshot', 'epoch': 'e', 'revision': 1, 'pods': [" POD(
	"a1", "x") ", " POD("b2", "x") ", " POD("c3", "x") "]}";
static const char after[] = "{'type': 'snapshot', 'epoch': 'e', 'revision': 2, 'pods': [" POD(
	"b2", "x") ", " POD("c3", "y") ", " POD("d4", "x") ", {'uid': 'e5'}]}";
static const char delta[] =
	"{'type': 'delta', 'epoch': 'e', 'from': 1, 'revision': 2,"
	" 'upsert': [" POD("c3", "y") ", " POD("d4", "x") ", {'uid': 'e5'}], 'remove': ['a1']}";

static int apply(struct desired *desired, const cJSON *message)
{
	struct strings changed = {0}, complaints = {0};
	struct selection_change change;
	struct error error;
	int result = selection_change_decode(message, &change, &error);

	if (result == 0)
		result = desired_apply(desired, &change, &changed, &complaints, &error);
	desired_release_retired(desired);
	strings_free(&changed);
	strings_free(&complaints);
	return result;
}

static void check_whole(const struct desired *desired)
{
	assert_int_equal(desired_version(desired).revision, 2);
	assert_int_equal(HASH_COUNT(desired->pods), 3);
	assert_string_equal(desired_find(desired, "c3")->name, "y");
	assert_int_equal(desired->unreadable.count, 1);
}

struct messages {
	cJSON *before, *change, *after;
};

static bool apply_change(void *context)
{
	const struct messages *messages = context;
	struct desired desired = {0};
	bool done;

	starve_pause();
	assert_int_equal(apply(&desired, messages->before), 0);
	starve_resume();
	done = apply(&desired, messages->change) == 0;
	starve_pause();
	assert_non_null(desired_find(&desired, "b2"));
	/* A change that was not begun for want of memory leaves the version as it was. */
	if (done)
		check_whole(&desired);
	else if (desired_version(&desired).revision != 1) {
		assert_string_equal(desired_version(&desired).epoch, "");
		assert_int_equal(desired_version(&desired).revision, 0);
	}
	assert_int_equal(apply(&desired, messages->after), 0);
	check_whole(&desired);
	desired_free(&desired);
	return done;
}

static bool encode(void *context)
{
	cJSON *message = desired_encode(context);
	bool done = message != NULL;

	cJSON_Delete(message);
	return done;
}

static bool report_unreadable(void *context)
{
	struct report report = {0};
	bool done = desired_report_unreadable(context, &report) == 0;

	report_free(&report);
	return done;
}

static void survives_without_memory(void **state)
{
	struct messages messages = {json_of(before), json_of(after), json_of(after)};
	struct desired desired = {0};

	(void)state;
	/* That a pod cannot be read is told to the operator; the line in the log may be lost. */
	assert_true(starve_degrading(apply_change, &messages) > 20);
	cJSON_Delete(messages.change);
	messages.change = json_of(delta);
	assert_true(starve_degrading(apply_change, &messages) > 20);
	assert_int_equal(apply(&desired, messages.after), 0);
	assert_true(starve(encode, &desired) > 30);
	assert_true(starve(report_unreadable, &desired) > 10);
	desired_free(&desired);
	cJSON_Delete(messages.before);
	cJSON_Delete(messages.change);
	cJSON_Delete(messages.after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
