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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "node-agent/selection/store.h"

#define SNAPSHOT                                                                                   \
	"{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":3,\"pods\":[{\"uid\":\"a1\","         \
	"\"namespace\":\"n\",\"name\":\"x\",\"workload\":{\"kind\":\"Pod\",\"name\":\"w\"},"       \
	"\"probes\":[{\"type\":\"TCP\"}]}]}"

struct place {
	char top[64];	     /* removed in the end */
	char directory[128]; /* of the store */
	char file[256];	     /* of the selection */
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->top, "/tmp/skep-store-test-XXXXXX");
	assert_non_null(mkdtemp(place->top));
	snprintf(place->directory, sizeof(place->directory), "%s/a/b", place->top);
	snprintf(place->file, sizeof(place->file), "%s/selection.json", place->directory);
	assert_int_equal(store_prepare(place->directory, NULL), 0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", place->top);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static void put_file(const char *path, const char *text)
{
	assert_int_equal(file_replace(path, text, strlen(text), NULL), 0);
}

static void test_round_trip(void **state)
{
	const struct place *place = *state;
	struct desired desired = {0}, again = {0};
	struct stat status;

	/* None yet. */
	assert_int_equal(store_load(place->directory, &desired, NULL), 0);
	assert_null(desired.pods);

	put_file(place->file, SNAPSHOT);
	assert_int_equal(store_load(place->directory, &desired, NULL), 0);
	assert_int_equal(store_save(place->directory, &desired, NULL), 0);
	assert_int_equal(store_load(place->directory, &again, NULL), 0);
	assert_int_equal(again.revision, 3);
	assert_string_equal(desired_find(&again, "a1")->name, "x");
	assert_int_equal(stat(place->file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	desired_free(&desired);
	desired_free(&again);
}

static void test_damage(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"7",
		"{\"type\":\"snapshot\"}",
		"{\"type\":\"delta\",\"epoch\":\"\",\"from\":0,\"revision\":1,\"upsert\":[]}",
		"{\"type\":\"snapshot\",\"epoch\":\"e\",\"revision\":3,\"pods\":[{}]}",
	};
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		struct desired desired = {0};
		struct error error = {""};

		put_file(place->file, damaged[i]);
		if (store_load(place->directory, &desired, &error) >= 0)
			fail_msg("%s", damaged[i]);
		assert_non_null(strstr(error.message, place->file));
		assert_null(desired.pods);
		assert_null(desired.epoch);
	}
}

static void test_too_large(void **state)
{
	const struct place *place = *state;
	struct desired desired = {0};

	put_file(place->file, SNAPSHOT);
	assert_int_equal(truncate(place->file, STORE_FILE_LIMIT + 1), 0);
	assert_int_equal(store_load(place->directory, &desired, NULL), -EFBIG);
}

static void test_starts(void **state)
{
	const struct place *place = *state;
	char path[256];
	uint64_t starts = 0;

	assert_int_equal(store_count_start(place->directory, &starts, NULL), 0);
	assert_int_equal(starts, 1);
	assert_int_equal(store_count_start(place->directory, &starts, NULL), 0);
	assert_int_equal(starts, 2);
	snprintf(path, sizeof(path), "%s/starts", place->directory);
	put_file(path, "no number");
	assert_int_equal(store_count_start(place->directory, &starts, NULL), 0);
	assert_int_equal(starts, 1);
}

static void test_no_directory(void **state)
{
	const struct place *place = *state;
	struct error error;
	char path[300];
	uint64_t starts;

	put_file(place->file, "");
	snprintf(path, sizeof(path), "%s/below", place->file);
	assert_int_equal(store_prepare(path, &error), -ENOTDIR);
	assert_non_null(strstr(error.message, place->file));
	assert_true(store_count_start(path, &starts, &error) < 0);
}

/* Written once for many changes, at the end at the latest. */
static void test_writer(void **state)
{
	const struct place *place = *state;
	struct desired desired = {0};
	struct store_writer *writer;
	uv_loop_t loop;

	uv_loop_init(&loop);
	assert_int_equal(store_writer_new(&loop, place->directory, &desired, &writer, NULL), 0);
	for (int i = 0; i < 3; i++)
		store_writer_touch(writer);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_not_equal(access(place->file, F_OK), 0);
	writer = store_writer_free(writer);
	assert_int_equal(access(place->file, F_OK), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
#define store_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		store_test(test_round_trip),   store_test(test_damage),
		store_test(test_too_large),    store_test(test_starts),
		store_test(test_no_directory), store_test(test_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
