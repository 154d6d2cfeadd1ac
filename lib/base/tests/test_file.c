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

#include "lib/base/file.h"

struct place {
	char directory[64];
	char file[128];
	char beside[160]; /* where the next contents are written first */
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->directory, "/tmp/skep-file-test-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->file, sizeof(place->file), "%s/kept", place->directory);
	snprintf(place->beside, sizeof(place->beside), "%s.new", place->file);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	(void)unlink(place->file); /* not every test leaves one */
	assert_int_equal(rmdir(place->directory), 0);
	free(place);
	return 0;
}

static void assert_holds(const char *path, const char *text)
{
	struct text contents;

	assert_int_equal(file_read(path, strlen(text), &contents, NULL), 0);
	assert_int_equal(contents.length, strlen(text));
	assert_string_equal(contents.data ? contents.data : "", text);
	text_free(&contents);
}

static void replaces_whole_and_for_its_owner_alone(void **state)
{
	const struct place *place = *state;
	struct stat status;

	assert_int_equal(file_replace(place->file, "first, longer", 13, NULL), 0);
	assert_int_equal(file_replace(place->file, "second", 6, NULL), 0);
	assert_holds(place->file, "second");
	assert_int_equal(stat(place->file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(access(place->beside, F_OK), -1);
	assert_int_equal(file_replace(place->file, "", 0, NULL), 0);
	assert_holds(place->file, "");
}

static void reads_more_than_one_piece_up_to_the_limit(void **state)
{
	const struct place *place = *state;
	struct text contents = TEXT_EMPTY;
	struct error error;
	char large[10001];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(file_replace(place->file, large, sizeof(large) - 1, NULL), 0);
	assert_holds(place->file, large);
	assert_int_equal(file_read(place->file, sizeof(large) - 2, &contents, &error), -EFBIG);
	assert_null(contents.data);
	assert_non_null(strstr(error.message, place->file));
	assert_non_null(strstr(error.message, "9999 bytes"));
}

static void tells_what_it_cannot_do(void **state)
{
	const struct place *place = *state;
	struct text contents = TEXT_EMPTY;
	struct error error;

	assert_int_equal(file_read(place->file, 1, &contents, &error), -ENOENT);
	assert_non_null(strstr(error.message, place->file));
	assert_int_equal(file_read(place->directory, 1, &contents, &error), -EISDIR);
	assert_int_equal(file_replace("/proc/none/kept", "x", 1, &error), -ENOENT);
	assert_non_null(strstr(error.message, "/proc/none/kept"));
}

/* What stands beside may be a trap: it is not followed. What it leaves is the file as it was. */
static void keeps_the_old_contents_when_it_fails(void **state)
{
	const struct place *place = *state;

	assert_int_equal(file_replace(place->file, "old", 3, NULL), 0);
	assert_int_equal(symlink("elsewhere", place->beside), 0);
	assert_int_equal(file_replace(place->file, "new", 3, NULL), -ELOOP);
	assert_holds(place->file, "old");
	assert_int_equal(unlink(place->beside), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replaces_whole_and_for_its_owner_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(reads_more_than_one_piece_up_to_the_limit, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(tells_what_it_cannot_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_the_old_contents_when_it_fails, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
