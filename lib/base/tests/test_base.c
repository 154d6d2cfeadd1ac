// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The small tools: endpoints, errors, JSON access, levels, lists of strings, texts. */

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/endpoint.h"
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/strings.h"
#include "lib/base/text.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void reads_endpoints(void **state)
{
	static const struct {
		const char *text, *host;
		int port; /* -1: refused */
	} cases[] = {
		{":8443", "", 8443},
		{"host:1", "host", 1},
		{"127.0.0.1:65535", "127.0.0.1", 65535},
		{"[::1]:80", "::1", 80},
		{"[]:80", "", 80},
		{"", NULL, -1},
		{"8443", NULL, -1},
		{"host:", NULL, -1},
		{"host:0", NULL, -1},
		{"host:65536", NULL, -1},
		{"host:-1", NULL, -1},
		{"host:+80", NULL, -1},
		{"host: 80", NULL, -1},
		{"host:8o", NULL, -1},
		{"host:99999999999999999999", NULL, -1},
		{"::1:80", NULL, -1},
		{"[::1]", NULL, -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct endpoint endpoint = {.host = "kept"};
		struct error error = {0};
		int result = endpoint_parse(cases[i].text, &endpoint, &error);

		if (result != (cases[i].port < 0 ? -EINVAL : 0))
			fail_msg("%s: %d", cases[i].text, result);
		assert_string_equal(endpoint.host, result ? "kept" : cases[i].host);
		if (result == 0)
			assert_int_equal(endpoint.port, cases[i].port);
		else
			assert_true(*error.message);
	}
}

static void bounds_the_host_of_an_endpoint(void **state)
{
	char text[ENDPOINT_HOST_SIZE + 8];
	struct endpoint endpoint;

	(void)state;
	memset(text, 'h', sizeof(text));
	strcpy(text + ENDPOINT_HOST_SIZE - 1, ":80");
	assert_int_equal(endpoint_parse(text, &endpoint, NULL), 0);
	strcpy(text + ENDPOINT_HOST_SIZE - 1, "h:80");
	assert_int_equal(endpoint_parse(text, &endpoint, NULL), -EINVAL);
}

static void tells_errors_with_their_context(void **state)
{
	char longer[2 * ERROR_MESSAGE_SIZE];
	struct error error;

	(void)state;
	assert_int_equal(error_set(&error, EINVAL, "%s: bad", "field"), -EINVAL);
	assert_string_equal(error.message, "field: bad");
	assert_int_equal(error_wrap(&error, -EINVAL, "policy %s", "p"), -EINVAL);
	assert_string_equal(error.message, "policy p: field: bad");
	assert_int_equal(error_set_errno(&error, ENOENT, "open \"%s\"", "/x"), -ENOENT);
	assert_string_equal(error.message, "open \"/x\": No such file or directory");
	assert_int_equal(error_set(NULL, EINVAL, "unheard"), -EINVAL);
	assert_int_equal(error_set_errno(NULL, EINVAL, "unheard"), -EINVAL);
	assert_int_equal(error_wrap(NULL, -EIO, "unheard"), -EIO);
	memset(longer, 'l', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	error_set(&error, EINVAL, "%s", longer);
	assert_int_equal(strlen(error.message), ERROR_MESSAGE_SIZE - 1);
	error_wrap(&error, -EINVAL, "%s", longer);
	assert_int_equal(strlen(error.message), ERROR_MESSAGE_SIZE - 1);
}

static void reads_json_of_any_shape(void **state)
{
	cJSON *json = json_of("{'a': {'s': 'text', 'n': 7, 'f': 1.5, 't': true, 'z': null,"
			      " 'big': 9007199254740993e3, 'minus': -3}, 'l': [1]}");

	(void)state;
	assert_string_equal(json_string(json, "a", "s"), "text");
	assert_null(json_string(json, "a", "n"));
	assert_null(json_string(json, "a", "s", "deeper"));
	assert_string_equal(json_text(json, "a", "none"), "");
	assert_string_equal(json_text(NULL, "a"), "");
	assert_int_equal(json_integer(json, -1, "a", "n"), 7);
	assert_int_equal(json_integer(json, 0, "a", "minus"), -3);
	assert_int_equal(json_integer(json, -1, "a", "f"), -1);
	assert_int_equal(json_integer(json, -1, "a", "s"), -1);
	assert_int_equal(json_integer(json, -1, "a", "big"), -1);
	assert_true(json_boolean(json, false, "a", "t"));
	assert_true(json_boolean(json, true, "a", "n"));
	assert_false(json_boolean(json, false, "a", "z"));
	assert_non_null(json_find(json, "l"));
	assert_null(json_find(json, "l", "a"));
	cJSON_Delete(json);
}

static void builds_json_without_losing_items(void **state)
{
	cJSON *array = cJSON_CreateArray(), *object;

	(void)state;
	assert_null(json_append_object(NULL));
	object = json_append_object(array);
	assert_ptr_equal(cJSON_GetArrayItem(array, 0), object);
	assert_true(json_add_item(object, "n", cJSON_CreateNumber(1)));
	assert_int_equal(json_integer(object, 0, "n"), 1);
	assert_false(json_add_item(object, "none", NULL));
	assert_false(json_add_item(NULL, "lost", cJSON_CreateNumber(1)));
	cJSON_Delete(array);
}

static void reads_levels(void **state)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	enum log_level level;
	struct error error;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(log_level_parse(names[i], &level, &error), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_level_parse("INFO", &level, &error), -EINVAL);
	assert_says(error.message, "use debug, info, warn or error");
	assert_int_equal(log_level_parse("", &level, &error), -EINVAL);
}

static void keeps_lists_of_strings(void **state)
{
	struct strings list = {0}, other = {0};

	(void)state;
	assert_false(strings_contain(&list, "a"));
	strings_sort(&list);
	assert_true(strings_equal(&list, &other));
	assert_int_equal(strings_add(&list, "b"), 0);
	assert_int_equal(strings_add(&list, "a"), 0);
	assert_int_equal(strings_add_unique(&list, "b"), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(strings_add(&other, "a"), 0);
	assert_false(strings_equal(&list, &other));
	assert_int_equal(strings_add(&other, "b"), 0);
	assert_false(strings_equal(&list, &other));
	strings_sort(&list);
	assert_true(strings_equal(&list, &other));
	assert_true(strings_contain(&list, "b"));
	strings_free(&list);
	strings_free(&other);
	assert_int_equal(list.count, 0);
	assert_true(string_equal(NULL, NULL));
	assert_false(string_equal(NULL, ""));
	assert_true(string_equal("x", "x"));
}

static void grows_texts(void **state)
{
	struct text text = TEXT_EMPTY;

	(void)state;
	text_append(&text, "", 0);
	assert_string_equal(text.data, "");
	for (int i = 0; i < 1000; i++)
		text_append_format(&text, "%03d,", i);
	assert_int_equal(text.length, 4000);
	assert_int_equal(strlen(text.data), 4000);
	assert_string_equal(text.data + 3996, "999,");
	text_clear(&text);
	assert_string_equal(text.data, "");
	text_append_string(&text, "again");
	assert_string_equal(text.data, "again");
	assert_false(text.failed);
	text_free(&text);
	assert_null(text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_endpoints),
		cmocka_unit_test(bounds_the_host_of_an_endpoint),
		cmocka_unit_test(tells_errors_with_their_context),
		cmocka_unit_test(reads_json_of_any_shape),
		cmocka_unit_test(builds_json_without_losing_items),
		cmocka_unit_test(reads_levels),
		cmocka_unit_test(keeps_lists_of_strings),
		cmocka_unit_test(grows_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
