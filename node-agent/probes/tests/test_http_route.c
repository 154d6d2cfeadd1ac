// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Routes of request lines: cut at every place, by templates, and as text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/base/cleanup.h"
#include "node-agent/probes/http_path.h"
#include "node-agent/probes/tests/http_route_reader.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct http_route read_whole(const char *line)
{
	struct http_route_reading reading = http_route_reading_begin(NULL);

	http_route_read(&reading, line, strlen(line));
	return reading.route;
}

/* --- lines --- */

#define LONG_SEGMENT "a-segment-that-is-longer-than-any-line-that-is-kept-and-than-any-word-is-"

static const struct {
	const char *line;
	const char *path; /* where it is in the line; NULL: it has none */
	const char *text;
} lines[] = {
	{"GET / HTTP/1.1\r\n", "/", "/"},
	{"GET /users/17 HTTP/1.1\r\n", "/users/17", "/users/{number}"},
	{"GET /users/17/orders?page=2/3 HTTP/1.1\r\n", "/users/17/orders?",
	 "/users/{number}/orders"},
	{"\r\n\nGET /a HTTP/1.1\r\n", "/a", "/a"},
	{"GET //a///b/ HTTP/1.1\n", "//a///b/", "/a/b"},
	{"PROPFIND /a;v=1/b;w=2/;x HTTP/1.1\r\n", "/a;v=1/b;w=2/;x", "/a/b"},
	{"GET http://host:80/a/5#b HTTP/1.1\r\n", "/a/5#", "/a/{number}"},
	{"GET http://host HTTP/1.1\r\n", "", "/"},
	{"GET http://host?a=/b HTTP/1.1\r\n", "", "/"},
	{"GET  /two HTTP/1.1\r\n", "/two", "/two"},
	{"GET /a\r\n", "/a", "/a"},
	{"GET /a\n", "/a", "/a"},
	{"OPTIONS * HTTP/1.1\r\n", NULL, ""},
	{"CONNECT host:443 HTTP/1.1\r\n", NULL, ""},
	{"GET ?a=b HTTP/1.1\r\n", NULL, ""},
	{"GET /4e05a2e7-2ed3-4fb6-b2f9-312236fd8288 HTTP/1.1\r\n",
	 "/4e05a2e7-2ed3-4fb6-b2f9-312236fd8288", "/{uuid}"},
	{"GET /4E05A2E7-2ED3-4FB6-B2F9-312236FD8288 HTTP/1.1\r\n",
	 "/4E05A2E7-2ED3-4FB6-B2F9-312236FD8288", "/{uuid}"},
	{"GET /4e05a2e-72ed3-4fb6-b2f9-312236fd8288 HTTP/1.1\r\n",
	 "/4e05a2e-72ed3-4fb6-b2f9-312236fd8288", "/{token}"},
	{"GET /deadbeefdeadbeef/0 HTTP/1.1\r\n", "/deadbeefdeadbeef/0", "/{hash}/{number}"},
	{"GET /deadbeefdeadbee HTTP/1.1\r\n", "/deadbeefdeadbee", "/deadbeefdeadbee"},
	{"GET /me@example.org/mail HTTP/1.1\r\n", "/me@example.org/mail", "/{email}/mail"},
	{"GET /bob%40example.org HTTP/1.1\r\n", "/bob%40example.org", "/{token}"},
	{"GET /2026-11-21/52.5,13.4/v1.2 HTTP/1.1\r\n", "/2026-11-21/52.5,13.4/v1.2",
	 "/{number}/{number}/v1.2"},
	{"GET /static/main.3f2a9c1b7d6e5f40.js HTTP/1.1\r\n", "/static/main.3f2a9c1b7d6e5f40.js",
	 "/static/{token}"},
	{"GET /{number}/\xc3\xa9/\"a\" HTTP/1.1\r\n", "/{number}/\xc3\xa9/\"a\"",
	 "/{token}/{token}/{token}"},
	{"GET /" LONG_SEGMENT "/x HTTP/1.1\r\n", "/" LONG_SEGMENT "/x", "/{token}/x"},
	{"GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14 HTTP/1.1\r\n", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14",
	 "/{number}/{number}/{number}/{number}/{number}/{number}/{number}/{number}/{number}"
	 "/{number}/{number}/{number}/{rest...}"},
};

static void check_place(const struct http_route *route, size_t index)
{
	const char *line = lines[index].line, *path = lines[index].path;

	if (!path) {
		assert_int_equal(route->phase, HTTP_ROUTE_NONE);
		return;
	}
	assert_int_equal(route->phase, HTTP_ROUTE_END);
	if (*path)
		assert_int_equal(route->start, strstr(line, path) - line);
	assert_int_equal(route->size, strcspn(path, "?#"));
}

static void finds_the_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct http_route route = read_whole(lines[i].line);

		check_place(&route, i);
	}
}

/* However a line is cut, nothing differs. */
static void finds_the_same_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		const char *line = lines[i].line + strspn(lines[i].line, "\r\n");
		const size_t size = strlen(line);
		const struct http_route whole = read_whole(line);

		for (size_t first = 0; first <= size; first++) {
			for (size_t second = first; second <= size; second++) {
				struct http_route_reading reading = http_route_reading_begin(NULL);

				http_route_read(&reading, line, first);
				http_route_read(&reading, line + first, second - first);
				http_route_read(&reading, line + second, size - second);
				assert_memory_equal(&reading.route, &whole, sizeof(whole));
			}
		}
	}
}

static void writes_the_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		const char *line = lines[i].line + strspn(lines[i].line, "\r\n");
		const char *target = strchr(line, ' ') + 1;
		char text[HTTP_PATH_SIZE];

		target += strspn(target, " ");
		assert_int_equal(http_path_normalize(target, strcspn(target, " \r\n"), false, text),
				 strlen(lines[i].text));
		assert_string_equal(text, lines[i].text);
	}
}

static void writes_what_is_whole_of_a_cut_path(void **state)
{
	static const char *const cases[][2] = {
		{"/users/17/ord", "/users/{number}/{rest...}"},
		{"/users/17/orders?pa", "/users/{number}/orders"},
		{"/", "/{rest...}"},
		{"/a/", "/a/{rest...}"},
		{"/a;b", "/a/{rest...}"},
		{"http://ho", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[HTTP_PATH_SIZE];

		http_path_normalize(cases[i][0], strlen(cases[i][0]), true, text);
		assert_string_equal(text, cases[i][1]);
	}
}

static uint64_t hash_of_path(const char *path)
{
	char line[512];

	snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", path);
	return read_whole(line).path;
}

static void one_route_has_one_hash(void **state)
{
	static const char *const same[][2] = {
		{"/users/1", "/users/4711?x"},
		{"/a/b", "http://h//a/b/;c"},
		{"/x/deadbeefdeadbeef", "/x/0123456789abcdef0123456789abcdef"},
		{"/1/2/3/4/5/6/7/8/9/10/11/12/a", "/1/2/3/4/5/6/7/8/9/10/11/12/b/c"},
	};
	static const char *const different[][2] = {
		{"/users/1", "/users/a"},
		{"/a/b", "/b/a"},
		{"/a/b", "/ab"},
		{"/", "/a"},
		{"/1", "/1/2"},
		{"/1/2/3/4/5/6/7/8/9/10/11/12", "/1/2/3/4/5/6/7/8/9/10/11/12/13"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++)
		assert_true(hash_of_path(same[i][0]) == hash_of_path(same[i][1]));
	for (size_t i = 0; i < COUNT(different); i++)
		assert_true(hash_of_path(different[i][0]) != hash_of_path(different[i][1]));
}

/* A path of `size` bytes. */
static struct http_route read_long(size_t size, size_t piece)
{
	struct http_route_reading reading = http_route_reading_begin(NULL);
	char line[2 * HTTP_ROUTE_PATH_LIMIT];
	size_t length = 5 + size;

	memset(line, 'a', sizeof(line));
	memcpy(line, "GET /", 5);
	line[length - 1] = ' ';
	for (size_t at = 0; at < length; at += piece)
		http_route_read(&reading, line + at, piece < length - at ? piece : length - at);
	return reading.route;
}

static void a_path_that_is_too_long_has_no_route(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 20; piece++) {
		assert_int_equal(read_long(HTTP_ROUTE_PATH_LIMIT, piece).phase, HTTP_ROUTE_END);
		assert_int_equal(read_long(HTTP_ROUTE_PATH_LIMIT + 1, piece).phase,
				 HTTP_ROUTE_NONE);
		assert_int_equal(read_long(HTTP_ROUTE_PATH_LIMIT + 20, piece).phase,
				 HTTP_ROUTE_NONE);
	}
}

/* --- templates --- */

#define FIRST 100

static struct http_routes *routes_of(const char *json)
{
	cleanup_json cJSON *list = cJSON_Parse(json);
	struct http_routes *routes;
	struct error error;

	if (http_routes_decode(list, &routes, &error) < 0)
		fail_msg("%s", error.message);
	return routes;
}

static const char *route_of(const struct http_templates *templates,
			    const struct http_routes *routes, const char *path)
{
	struct http_route_reading reading = http_route_reading_begin(templates);
	char line[512];

	snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", path);
	http_route_read(&reading, line, strlen(line));
	assert_int_equal(reading.route.phase, HTTP_ROUTE_END);
	return reading.route.number ? routes->items[reading.route.number - FIRST] : "";
}

static void check_routes(const char *json, const char *const (*cases)[2], size_t count)
{
	struct http_routes *routes = routes_of(json);
	struct http_templates templates;

	assert_int_equal(http_templates_compile(routes, FIRST, &templates), 0);
	assert_false(templates.truncated);
	for (size_t i = 0; i < count; i++)
		if (strcmp(route_of(&templates, routes, cases[i][0]), cases[i][1]) != 0)
			fail_msg("%s goes to \"%s\", not to \"%s\"", cases[i][0],
				 route_of(&templates, routes, cases[i][0]), cases[i][1]);
	http_templates_free(&templates);
	http_routes_release(routes);
}

static void finds_templates(void **state)
{
	static const char *const cases[][2] = {
		{"/", "/"},
		{"/?a", "/"},
		{"/users", "/users"},
		{"/users/", "/users"},
		{"/users/17", "/users/{id}"},
		{"/users/me", "/users/me"},
		{"/users/17/orders", "/users/{id}/orders"},
		{"/users/17/order", ""},
		{"/user", ""},
		{"/users/17/orders/5", ""},
		{"/files/a", "/files/{path...}"},
		{"/files/a/b/c/d/e/f/g/h/i/j/k/l/m/n", "/files/{path...}"},
		{"/files", ""},
		{"/files/", ""},
	};

	(void)state;
	check_routes("[\"/\",\"/users\",\"/users/{id}\",\"/users/me\",\"/users/{id}/orders\","
		     "\"/files/{path...}\"]",
		     cases, COUNT(cases));
}

/* A literal that leads nowhere does not hide what a {name} would have found. */
static void follows_all_that_may_match(void **state)
{
	static const char *const cases[][2] = {
		{"/users/me/orders", "/users/{id}/orders"},
		{"/users/me", "/users/me"},
		{"/users/me/settings", "/users/me/settings"},
		{"/users/you/settings", "/users/{rest...}"},
		{"/users/me/orders/5", "/users/{rest...}"},
		{"/a/x/c", "/{b}/x/{d}"},
		{"/a/b/c", "/a/b/c"},
		{"/z/x/c", "/{b}/x/{d}"},
		{"/z/y/c", ""},
	};

	(void)state;
	check_routes("[\"/users/me\",\"/users/{id}/orders\",\"/users/me/settings\","
		     "\"/users/{rest...}\",\"/a/b/c\",\"/{b}/x/{d}\"]",
		     cases, COUNT(cases));
}

/* Decided from the left. */
static void a_literal_goes_before_a_name(void **state)
{
	static const char *const cases[][2] = {
		{"/a/b", "/a/{y}"},
		{"/x/b", "/{x}/b"},
		{"/x/y", "/{z...}"},
		{"/a/b/c", "/{z...}"},
	};

	(void)state;
	check_routes("[\"/a/{y}\",\"/{x}/b\",\"/{z...}\"]", cases, COUNT(cases));
}

static void of_two_that_are_the_same_the_first_is_the_route(void **state)
{
	static const char *const cases[][2] = {{"/a/1", "/a/{b}"}};

	(void)state;
	check_routes("[\"/a/{c}\",\"/a/{b}\",\"/a/{b}/\"]", cases, COUNT(cases));
}

/* --- templates and paths by chance, against a plain matcher --- */

#define SEGMENTS 5
#define TRIES	 3000

static uint32_t chance = 1; /* the same at each run */

static unsigned int draw(unsigned int limit)
{
	chance = chance * 1664525 + 1013904223;
	return (chance >> 16) % limit;
}

/* How a template takes a path: "l" for a literal, "n" for a {name}, "r" for what a rest takes. */
static bool take_plainly(const char *template, const char *path, char *ret_ways)
{
	size_t count = 0;

	while (*template == '/' && *path == '/') {
		const char *segment = template + 1;
		size_t size = strcspn(path + 1, "/");
		bool rest = strstr(segment, "...}") == segment + 2;

		ret_ways[count++] = rest ? 'r' : *segment == '{' ? 'n' : 'l';
		if (!rest && *segment != '{' && strncmp(segment, path + 1, size) != 0)
			return false;
		path += 1 + size;
		if (!rest)
			template = segment + strcspn(segment, "/");
		else if (!*path)
			template = path;
	}
	ret_ways[count] = '\0';
	return !*template && !*path;
}

/* The template that takes the path in the first way, from the left; "" for none. */
static const char *find_plainly(const struct http_routes *routes, const char *path)
{
	char best[SEGMENTS + 2] = "z", ways[SEGMENTS + 2];
	const char *found = "";

	for (size_t i = 0; i < routes->count; i++) {
		if (take_plainly(routes->items[i], path, ways) && strcmp(ways, best) < 0) {
			strcpy(best, ways);
			found = routes->items[i];
		}
	}
	return found;
}

static void draw_path(char *ret_path)
{
	*ret_path = '\0';
	for (unsigned int i = 1 + draw(SEGMENTS); i > 0; i--)
		strcat(ret_path, draw(2) ? "/a" : "/b");
}

static void draw_template(char *ret_template)
{
	static const char *const segments[] = {"/a", "/b", "/{n}", "/{n}"};

	*ret_template = '\0';
	for (unsigned int i = 1 + draw(SEGMENTS); i > 0; i--)
		strcat(ret_template, i == 1 && draw(4) == 0 ? "/{r...}" : segments[draw(4)]);
}

static struct http_routes *draw_routes(void)
{
	cleanup_json cJSON *list = cJSON_CreateArray();
	char template[SEGMENTS * 8];
	struct http_routes *routes;

	for (unsigned int i = 1 + draw(8); i > 0; i--) {
		draw_template(template);
		cJSON_AddItemToArray(list, cJSON_CreateString(template));
	}
	assert_int_equal(http_routes_decode(list, &routes, NULL), 0);
	return routes;
}

static void agrees_with_a_plain_matcher(void **state)
{
	char path[SEGMENTS * 2 + 1];

	(void)state;
	for (int i = 0; i < TRIES; i++) {
		struct http_routes *routes = draw_routes();
		struct http_templates templates;

		assert_int_equal(http_templates_compile(routes, FIRST, &templates), 0);
		for (int j = 0; j < 10; j++) {
			draw_path(path);
			assert_string_equal(route_of(&templates, routes, path),
					    find_plainly(routes, path));
		}
		http_templates_free(&templates);
		http_routes_release(routes);
	}
}

/* Templates that overlap in 2^14 ways: {name} and a literal in turn at each of 14 places. */
static void holds_to_the_limit_of_steps(void **state)
{
	cleanup_json cJSON *list = cJSON_CreateArray();
	struct http_templates templates;
	struct http_routes *routes;

	(void)state;
	for (int place = 0; place < 14; place++) {
		char text[128] = "";

		for (int i = 0; i < 14; i++)
			strcat(text, i == place ? "/a" : "/{x}");
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
	assert_int_equal(http_routes_decode(list, &routes, NULL), 0);
	assert_int_equal(http_templates_compile(routes, FIRST, &templates), 0);
	assert_true(templates.truncated);
	assert_true(templates.count <= HTTP_TEMPLATES_STEPS_LIMIT);
	http_templates_free(&templates);
	http_routes_release(routes);
}

/* All that "a" or {x} at `places` of six segments can make: behind six times "a", each may match.
 */
static bool is_truncated_with(int places)
{
	cleanup_json cJSON *list = cJSON_CreateArray();
	struct http_templates templates;
	struct http_routes *routes;
	bool truncated;

	for (int choice = 0; choice < 1 << places; choice++) {
		char text[64] = "";

		for (int i = 0; i < 6; i++)
			strcat(text, choice >> i & 1 ? "/a" : "/{x}");
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
	assert_int_equal(http_routes_decode(list, &routes, NULL), 0);
	assert_int_equal(http_templates_compile(routes, FIRST, &templates), 0);
	truncated = templates.truncated;
	http_templates_free(&templates);
	http_routes_release(routes);
	return truncated;
}

/* 32 templates are followed at once; that there are more is told. */
static void tells_of_templates_that_are_not_followed(void **state)
{
	(void)state;
	assert_false(is_truncated_with(5));
	assert_true(is_truncated_with(6));
}

/* What a policy may ask at most, without overlaps, is within the limits. */
static void holds_all_templates_of_a_policy(void **state)
{
	cleanup_json cJSON *list = cJSON_CreateArray();
	struct http_templates templates;
	struct http_routes *routes;

	(void)state;
	for (int i = 0; i < HTTP_ROUTES_LIMIT; i++) {
		char text[128];

		snprintf(text, sizeof(text), "/%d/b/c/{d}/e/f/g/h/i/{k...}", i);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
	assert_int_equal(http_routes_decode(list, &routes, NULL), 0);
	assert_int_equal(http_templates_compile(routes, FIRST, &templates), 0);
	assert_false(templates.truncated);
	assert_string_equal(route_of(&templates, routes, "/199/b/c/x/e/f/g/h/i/y/z"),
			    "/199/b/c/{d}/e/f/g/h/i/{k...}");
	http_templates_free(&templates);
	http_routes_release(routes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_path),
		cmocka_unit_test(finds_the_same_however_it_is_cut),
		cmocka_unit_test(writes_the_path),
		cmocka_unit_test(writes_what_is_whole_of_a_cut_path),
		cmocka_unit_test(one_route_has_one_hash),
		cmocka_unit_test(a_path_that_is_too_long_has_no_route),
		cmocka_unit_test(finds_templates),
		cmocka_unit_test(follows_all_that_may_match),
		cmocka_unit_test(a_literal_goes_before_a_name),
		cmocka_unit_test(of_two_that_are_the_same_the_first_is_the_route),
		cmocka_unit_test(agrees_with_a_plain_matcher),
		cmocka_unit_test(holds_to_the_limit_of_steps),
		cmocka_unit_test(tells_of_templates_that_are_not_followed),
		cmocka_unit_test(holds_all_templates_of_a_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
