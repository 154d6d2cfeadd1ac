// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Lists of routes: what is one, limits, unions, and that there is one of each. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/intent/intent.h"

static struct http_routes *routes_of(const char *json)
{
	cleanup_json cJSON *list = cJSON_Parse(json);
	struct http_routes *routes;
	struct error error;

	if (http_routes_decode(list, &routes, &error) < 0)
		fail_msg("%s: %s", json, error.message);
	return routes;
}

static void sorts_and_leaves_out_what_stands_twice(void **state)
{
	struct http_routes *routes =
		routes_of("[\"/b/{id}\",\"/a\",\"/b/{id}\",\"/\",\"/f/{path...}\",\"/a/\"]");
	cleanup_json cJSON *json = http_routes_encode(routes);
	cleanup_free char *text = cJSON_PrintUnformatted(json);

	(void)state;
	assert_string_equal(text, "[\"/\",\"/a\",\"/a/\",\"/b/{id}\",\"/f/{path...}\"]");
	http_routes_release(routes);
}

static void there_is_one_of_each_list(void **state)
{
	struct http_routes *a = routes_of("[\"/a\",\"/b\"]"), *b = routes_of("[\"/b\",\"/a\"]"),
			   *other = routes_of("[\"/a/b\"]");

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, other);
	http_routes_release(a);
	assert_string_equal(b->items[1], "/b");
	http_routes_release(b);
	http_routes_release(other);
	assert_null(routes_of("[]"));
	assert_null(http_routes_release(NULL));
}

static void refuses_what_is_no_route(void **state)
{
	const char *const cases[] = {
		"\"/a\"",	   "[1]",	   "[\"\"]",	     "[\"a\"]",
		"[\"/a?b\"]",	   "[\"/a b\"]",   "[\"/a//b\"]",    "[\"/{}\"]",
		"[\"/{a\"]",	   "[\"/a}\"]",	   "[\"/x{a}\"]",    "[\"/{...}\"]",
		"[\"/{a...}/b\"]", "[\"/{a b}\"]", "[\"/\\u00e9\"]", "[\"/a;b\"]",
		"[\"/a#b\"]",	   "[\"/{a.b}\"]", "[\"/{{a}}\"]",   "{}",
		"[\"/a\",\"//\"]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_json cJSON *list = cJSON_Parse(cases[i]);
		struct http_routes *routes;
		struct error error = {""};

		if (http_routes_decode(list, &routes, &error) != -EINVAL)
			fail_msg("%s is taken", cases[i]);
		assert_non_null(strstr(error.message, "http.routes"));
	}
}

/* A list of `count` templates that begin with "/<first>" and are `size` bytes long. */
static cJSON *list_of(const char *first, int count, int size)
{
	cJSON *list = cJSON_CreateArray();

	for (int i = 0; i < count; i++) {
		char text[256];
		int written = snprintf(text, sizeof(text), "/%s%03d", first, i);

		memset(text + written, 'x', (size_t)(size - written));
		text[size] = '\0';
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
	return list;
}

static int decode(cJSON *list, struct http_routes **ret_routes)
{
	int result = http_routes_decode(list, ret_routes, NULL);

	cJSON_Delete(list);
	return result;
}

static void holds_to_the_limits(void **state)
{
	struct http_routes *routes;

	(void)state;
	assert_int_equal(decode(list_of("", HTTP_ROUTES_LIMIT + 1, 10), &routes), -EINVAL);
	assert_int_equal(decode(list_of("", 1, HTTP_ROUTE_TEMPLATE_MOST + 1), &routes), -EINVAL);
	assert_int_equal(decode(list_of("", 100, 100), &routes), -EINVAL);
	assert_int_equal(decode(list_of("", 1, HTTP_ROUTE_TEMPLATE_MOST), &routes), 0);
	http_routes_release(routes);
	assert_int_equal(decode(list_of("", HTTP_ROUTES_LIMIT, 39), &routes), 0);
	assert_int_equal(routes->count, HTTP_ROUTES_LIMIT);
	http_routes_release(routes);
}

static struct http_routes *unite(struct http_routes *a, struct http_routes *b)
{
	struct http_routes *routes;

	assert_int_equal(http_routes_unite(a, b, &routes), 0);
	return routes;
}

/* In whatever order policies come, the same is left out. */
static void unites_in_any_order(void **state)
{
	struct http_routes *lists[3], *sums[2], *ab, *cb;

	(void)state;
	assert_int_equal(decode(list_of("b", 120, 10), &lists[0]), 0);
	assert_int_equal(decode(list_of("a", 90, 80), &lists[1]), 0);
	assert_int_equal(decode(list_of("c", 100, 20), &lists[2]), 0);
	ab = unite(lists[0], lists[1]);
	cb = unite(lists[2], lists[1]);
	sums[0] = unite(ab, lists[2]);
	sums[1] = unite(cb, lists[0]);
	assert_ptr_equal(sums[0], sums[1]);
	assert_true(sums[0]->count > 90 && sums[0]->count <= HTTP_ROUTES_LIMIT);
	assert_true(sums[0]->size <= HTTP_ROUTES_TEXT_LIMIT);
	for (int i = 0; i < 3; i++)
		http_routes_release(lists[i]);
	http_routes_release(ab);
	http_routes_release(cb);
	http_routes_release(sums[0]);
	http_routes_release(sums[1]);
}

static void unites_with_nothing(void **state)
{
	struct http_routes *a = routes_of("[\"/a\"]"), *sum;

	(void)state;
	sum = unite(a, NULL);
	assert_ptr_equal(sum, a);
	http_routes_release(sum);
	sum = unite(NULL, a);
	assert_ptr_equal(sum, a);
	http_routes_release(sum);
	assert_null(unite(NULL, NULL));
	http_routes_release(a);
}

static union probe_settings settings_of(const char *json)
{
	cleanup_json cJSON *entry = cJSON_Parse(json);
	union probe_settings settings;

	assert_int_equal(probe_settings_decode(PROBE_HTTP, entry, &settings, NULL), 0);
	return settings;
}

#define SETTINGS(routes) settings_of("{\"type\":\"HTTP\",\"http\":{\"routes\":[" routes "]}}")

static void settings_hold_their_routes(void **state)
{
	union probe_settings a = SETTINGS("\"/a\",\"/b\""), b = SETTINGS("\"/c\""), copy, again;
	cleanup_json cJSON *entry = cJSON_CreateObject();

	(void)state;
	copy = probe_settings_copy(PROBE_HTTP, &a);
	assert_true(probe_settings_equal(PROBE_HTTP, &a, &copy));
	assert_int_equal(probe_settings_merge(PROBE_HTTP, &copy, &b), 0);
	assert_false(probe_settings_equal(PROBE_HTTP, &a, &copy));
	assert_int_equal(copy.http.routes->count, 3);
	assert_int_equal(probe_settings_encode(PROBE_HTTP, &copy, entry), 0);
	assert_int_equal(probe_settings_decode(PROBE_HTTP, entry, &again, NULL), 0);
	assert_true(probe_settings_equal(PROBE_HTTP, &again, &copy));
	probe_settings_free(PROBE_HTTP, &a);
	probe_settings_free(PROBE_HTTP, &b);
	probe_settings_free(PROBE_HTTP, &again);
	assert_string_equal(copy.http.routes->items[2], "/c");
	probe_settings_free(PROBE_HTTP, &copy);
	assert_null(copy.http.routes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_and_leaves_out_what_stands_twice),
		cmocka_unit_test(there_is_one_of_each_list),
		cmocka_unit_test(refuses_what_is_no_route),
		cmocka_unit_test(holds_to_the_limits),
		cmocka_unit_test(unites_in_any_order),
		cmocka_unit_test(unites_with_nothing),
		cmocka_unit_test(settings_hold_their_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
