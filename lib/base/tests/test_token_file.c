// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/token_file.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LIMIT 16

struct place {
	char directory[64];
	char file[96];
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->directory, "/tmp/skep-token-test-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->file, sizeof(place->file), "%s/token", place->directory);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	assert_int_equal(unlink(place->file), 0);
	assert_int_equal(rmdir(place->directory), 0);
	free(place);
	return 0;
}

static void reads_a_token_without_what_is_behind_it(void **state)
{
	static const char *const texts[] = {"a.b-c_d~=", "a.b-c_d~=\n", "a.b-c_d~= \t\r\n\n"};
	const struct place *place = *state;

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		char *token = NULL;

		assert_int_equal(file_replace(place->file, texts[i], strlen(texts[i]), NULL), 0);
		assert_int_equal(token_file_read(place->file, LIMIT, &token, NULL), 0);
		assert_string_equal(token, "a.b-c_d~=");
		free(token);
	}
}

/* Each of them would break the header that carries the token, or forge another. */
static void refuses_what_is_no_token(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} cases[] = {
		{"", 0}, {" \n", 2}, {" a", 2}, {"a\nb", 3}, {"a b", 3}, {"a\0b", 3}, {"a\xc3", 2},
	};
	const struct place *place = *state;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *token = NULL;
		struct error error;

		assert_int_equal(file_replace(place->file, cases[i].text, cases[i].length, NULL),
				 0);
		assert_int_equal(token_file_read(place->file, LIMIT, &token, &error), -EINVAL);
		assert_null(token);
		assert_says(error.message, place->file);
		assert_says(error.message, "holds no token");
	}
}

static void bounds_the_file(void **state)
{
	const struct place *place = *state;
	char *token = NULL;

	assert_int_equal(file_replace(place->file, "0123456789abcdefg", LIMIT + 1, NULL), 0);
	assert_int_equal(token_file_read(place->file, LIMIT, &token, NULL), -EFBIG);
	assert_null(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_a_token_without_what_is_behind_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_the_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
