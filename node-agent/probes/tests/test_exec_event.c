// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* From records to events, and what stands around them: levels, UTF-8. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "node-agent/probes/exec_event.h"
#include "node-agent/probes/exec_levels.h"

#define CLOCK_OFFSET 1700000000000000000 /* 2023-11-14T22:13:20Z */

static struct exec_record make_record(const char *arguments, size_t size)
{
	struct exec_record record = {
		.time = 1000000001, .pid = 7, .parent_pid = 6, .uid = 1000, .flags = 1};

	record.binary_size = sizeof("/bin/app");
	memcpy(record.text, "/bin/app", record.binary_size);
	record.arguments_size = (uint16_t)size;
	memcpy(record.text + record.binary_size, arguments, size);
	return record;
}

static void assert_event(const struct exec_record *record, enum exec_arguments arguments,
			 const char *expected)
{
	cleanup_json cJSON *event = exec_event_build(record, arguments, CLOCK_OFFSET);
	cleanup_free char *text = cJSON_PrintUnformatted(event);

	assert_string_equal(text, expected);
}

#define START                                                                                      \
	"{\"time\":\"2023-11-14T22:13:21.000000001Z\",\"pid\":7,\"parent_pid\":6,\"uid\":1000,"    \
	"\"binary\":\"/bin/app\","

static void test_event_has_every_member(void **state)
{
	struct exec_record record = make_record("app\0-x\0\0y z", sizeof("app\0-x\0\0y z"));

	(void)state;
	assert_event(&record, EXEC_ARGUMENTS_RAW,
		     START "\"arguments\":[\"app\",\"-x\",\"\",\"y z\"],"
			   "\"arguments_truncated\":false,\"return_code\":0}");
}

static void test_arguments_are_redacted_or_left_out(void **state)
{
	struct exec_record record =
		make_record("app\0--password\0hunter2", sizeof("app\0--password\0hunter2"));

	(void)state;
	assert_event(&record, EXEC_ARGUMENTS_REDACTED,
		     START "\"arguments\":[\"app\",\"--password\",\"***\"],"
			   "\"arguments_truncated\":false,\"return_code\":0}");
	assert_event(&record, EXEC_ARGUMENTS_NONE, START "\"return_code\":0}");
}

/* An argument that was cut has no NUL; what the kernel could not tell is left out. */
static void test_cut_and_unknown(void **state)
{
	struct exec_record record = make_record("app\0lon", 7);

	(void)state;
	record.flags |= EXEC_ARGUMENTS_MORE;
	record.result = -2;
	assert_event(&record, EXEC_ARGUMENTS_RAW,
		     START "\"arguments\":[\"app\",\"lon\"],\"arguments_truncated\":true,"
			   "\"return_code\":-2}");
	record.flags = 0;
	record.parent_pid = 0;
	assert_event(&record, EXEC_ARGUMENTS_RAW,
		     "{\"time\":\"2023-11-14T22:13:21.000000001Z\",\"pid\":7,\"uid\":1000,"
		     "\"binary\":\"/bin/app\",\"return_code\":-2}");
}

static void test_as_many_arguments_as_bytes(void **state)
{
	char nothing[EXEC_ARGUMENTS_SIZE] = {0};
	struct exec_record record = make_record(nothing, sizeof(nothing));
	cleanup_json cJSON *event = exec_event_build(&record, EXEC_ARGUMENTS_REDACTED, 0);

	(void)state;
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(event, "arguments")),
			 EXEC_ARGUMENTS_SIZE);
}

static void test_records_that_do_not_add_up(void **state)
{
	struct exec_record record = make_record("app", 4);
	size_t size = EXEC_RECORD_HEADER_SIZE + record.binary_size + record.arguments_size;

	(void)state;
	assert_true(exec_record_valid(&record, size));
	assert_true(exec_record_valid(&record, sizeof(record)));
	assert_false(exec_record_valid(&record, size - 1));
	assert_false(exec_record_valid(&record, EXEC_RECORD_HEADER_SIZE - 1));
	record.arguments_size = EXEC_ARGUMENTS_SIZE + 1;
	assert_false(exec_record_valid(&record, sizeof(record)));
	record.arguments_size = 0;
	record.binary_size = EXEC_BINARY_SIZE + 1;
	assert_false(exec_record_valid(&record, sizeof(record)));
}

static void test_levels_are_sorted_and_bounded(void **state)
{
	uint64_t levels = 0;

	(void)state;
	assert_true(exec_levels_add(&levels, 3));
	assert_true(exec_levels_add(&levels, 5));
	assert_true(exec_levels_add(&levels, 4));
	assert_true(exec_levels_add(&levels, 5));
	assert_int_equal(levels, 0x030405);
	assert_true(exec_levels_add(&levels, 255));
	assert_true(exec_levels_add(&levels, 1));
	assert_true(exec_levels_add(&levels, 2));
	assert_int_equal(levels, 0x0102030405ff);
	assert_false(exec_levels_add(&levels, 6));
	assert_true(exec_levels_add(&levels, 1));
	assert_false(exec_levels_add(&levels, 0));
	assert_false(exec_levels_add(&levels, 256));
	assert_int_equal(levels, 0x0102030405ff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_has_every_member),
		cmocka_unit_test(test_arguments_are_redacted_or_left_out),
		cmocka_unit_test(test_cut_and_unknown),
		cmocka_unit_test(test_as_many_arguments_as_bytes),
		cmocka_unit_test(test_records_that_do_not_add_up),
		cmocka_unit_test(test_levels_are_sorted_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
