// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* From the beginning of a request to its path and host, and from a record to its event. */

#include "lib/base/tests/parse.h"

#include "bpf/lib/http_head.h"
#include "lib/base/cleanup.h"
#include "node-agent/probes/http_event.h"
#include "node-agent/probes/http_request_text.h"

#define CLOCK_OFFSET 1700000000000000000 /* 2023-11-14T22:13:20Z */

static void assert_span(struct http_span span, const char *expected)
{
	assert_int_equal(span.size, strlen(expected));
	if (span.size)
		assert_memory_equal(span.data, expected, span.size);
}

static void test_targets_of_every_form(void **state)
{
	static const struct {
		const char *head, *path, *query, *host;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: shop\r\n\r\n", "/", "", "shop"},
		{"GET /a/b?c=d&e HTTP/1.1\r\nhOsT:shop:8080 \r\n\r\n", "/a/b", "c=d&e", "shop"},
		{"\r\n\nPUT /a HTTP/1.1\nhost:\tshop\n\n", "/a", "", "shop"},
		{"GET /a#b?c HTTP/1.1\r\n\r\n", "/a", "", ""},
		{"GET /a?b#c HTTP/1.1\r\n\r\n", "/a", "b", ""},
		{"GET /a?b?c/d HTTP/1.1\r\n\r\n", "/a", "b?c/d", ""},
		{"GET /?", "/", "", ""},
		{"OPTIONS * HTTP/1.1\r\nHost: shop\r\n\r\n", "*", "", "shop"},
		{"CONNECT shop:443 HTTP/1.1\r\nHost: other\r\n\r\n", "", "", "shop"},
		{"CONNECT [fd00::1]:443 HTTP/1.1\r\n\r\n", "", "", "fd00::1"},
		{"GET http://shop/a/b?c HTTP/1.1\r\nHost: other\r\n\r\n", "/a/b", "c", "shop"},
		{"GET http://u:p@shop:8080/ HTTP/1.1\r\n\r\n", "/", "", "shop"},
		{"GET http://shop HTTP/1.1\r\nHost: other\r\n\r\n", "", "", "shop"},
		{"GET http://shop?a HTTP/1.1\r\n\r\n", "", "a", "shop"},
		{"GET /http://shop/a HTTP/1.1\r\nHost: b\r\n\r\n", "/http://shop/a", "", "b"},
		{"GET / HTTP/1.1\r\nX-Host: no\r\nHost: [::1]:80\r\n\r\n", "/", "", "::1"},
		{"GET / HTTP/1.1\r\nA: b\r\n\r\nHost: body\r\n\r\n", "/", "", ""},
		{"GET / HTTP/1.1\r\nHost:\r\nHost: second\r\n\r\n", "/", "", ""},
		{"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "/", "", "a:b"},
		{"GET /a b HTTP/1.1\r\n\r\n", "/a", "", ""},
		{"GET a HTTP/1.1\r\n\r\n", "a", "", ""},
		{"GET  HTTP/1.1\r\n\r\n", "", "", ""},
		{"", "", "", ""},
		{"\r\n", "", "", ""},
		{"GET", "", "", ""},
		{"GET ", "", "", ""},
		{"GET\r\nHost: a\r\n\r\n", "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request_text text =
			http_request_text_of(cases[i].head, strlen(cases[i].head));

		assert_span(text.path, cases[i].path);
		assert_span(text.query, cases[i].query);
		assert_span(text.host, cases[i].host);
	}
}

/* Wherever the bytes end, what there is is right, and it is said that more may have come. */
static void test_heads_that_end_anywhere(void **state)
{
	static const char head[] =
		"POST http://shop.example:80/a/b?c=d HTTP/1.1\r\nAccept: *\r\nHost: x\r\n\r\n";
	size_t target_end = (size_t)(strstr(head, " HTTP/") - head);

	(void)state;
	for (size_t size = 0; size < sizeof(head); size++) {
		char *copy = malloc(size ? size : 1); /* so that no byte behind it is read */
		struct http_request_text text;

		memcpy(copy, head, size);
		text = http_request_text_of(copy, size);
		assert_int_equal(text.is_cut, size <= target_end);
		assert_true(text.path.size <= strlen("/a/b"));
		assert_true(text.query.size <= strlen("c=d"));
		assert_true(text.host.size == 0 || text.host.size == strlen("shop.example"));
		if (size > target_end) {
			assert_span(text.path, "/a/b");
			assert_span(text.query, "c=d");
			assert_span(text.host, "shop.example");
		}
		free(copy);
	}
}

static void test_host_is_told_as_a_whole_only(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
	size_t line_end = (size_t)(strstr(head, "\r\n\r\n") - head) + 2;

	(void)state;
	for (size_t size = 0; size < sizeof(head); size++)
		assert_span(http_request_text_of(head, size).host,
			    size >= line_end ? "shop.example" : "");
}

static struct http_record make_record(const char *head)
{
	struct http_record record = {
		.time = 1000000001,
		.duration = 250500000,
		.wait = 250123456,
		.sequence = 4000000000,
		.request_bytes = 77,
		.response_bytes = 1234,
		.address = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, [14] = 2, [15] = 3},
		.port = 8080,
		.peer_port = 40000,
		.status = 503,
		.role = HTTP_SERVER,
		.method = HTTP_METHOD_GET,
		.told = HTTP_TOLD_SLOW | HTTP_TOLD_STATUS,
		.flags = HTTP_RECORD_HAS_SEQUENCE | HTTP_RECORD_HAS_HEAD,
		.head_size = (__u16)strlen(head),
	};

	memcpy(record.head, head, strlen(head));
	return record;
}

static cJSON *event_of(const struct http_record *record, enum http_paths paths,
		       const struct peer_identity *peer)
{
	cJSON *event = http_event_build(record, paths, "", peer, CLOCK_OFFSET);

	assert_non_null(event);
	return event;
}

static void test_event_has_every_member(void **state)
{
	static const struct peer_identity peer = {"Deployment", "shop", "front", false};
	const struct http_record record =
		make_record("GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n\r\n");
	cleanup_json cJSON *event = event_of(&record, HTTP_PATHS_RAW, &peer);
	cleanup_free char *text = cJSON_PrintUnformatted(event);

	(void)state;
	assert_string_equal(
		text,
		"{\"time\":\"2023-11-14T22:13:21.000000001Z\",\"role\":\"server\","
		"\"reasons\":[\"slow\",\"status\"],\"http_request_method\":\"GET\","
		"\"url_path\":\"/a\",\"url_query\":\"b=c\",\"server_address\":\"shop.example\","
		"\"http_response_status_code\":503,\"first_byte_ms\":250.123,"
		"\"duration_ms\":250.5,\"request_bytes\":77,\"response_bytes\":1234,"
		"\"server_port\":8080,\"peer_address\":\"10.1.2.3\",\"peer_port\":40000,"
		"\"peer_kind\":\"Deployment\",\"peer_namespace\":\"shop\",\"peer_name\":\"front\","
		"\"sequence\":4000000000}");
}

static void test_what_is_not_known_is_left_out(void **state)
{
	struct http_record record = make_record("GET /a HTTP/1.1\r\n\r\n");
	cleanup_json cJSON *event = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	record.flags = 0;
	record.status = 0;
	record.end = HTTP_ABORTED_BY_CLIENT;
	record.role = HTTP_CLIENT;
	record.method = 200;
	record.told = HTTP_TOLD_SAMPLED;
	event = event_of(&record, HTTP_PATHS_RAW, NULL);
	text = cJSON_PrintUnformatted(event);
	assert_string_equal(text,
			    "{\"time\":\"2023-11-14T22:13:21.000000001Z\",\"role\":\"client\","
			    "\"reasons\":[\"sampled\"],\"http_request_method\":\"_OTHER\","
			    "\"duration_ms\":250.5,\"request_bytes\":77,\"response_bytes\":1234,"
			    "\"aborted_by\":\"client\",\"server_port\":8080,"
			    "\"peer_address\":\"10.1.2.3\",\"peer_port\":40000}");
}

static void assert_path(const char *head, enum http_paths paths, const char *path,
			const char *query)
{
	const struct http_record record = make_record(head);
	cleanup_json cJSON *event = event_of(&record, paths, NULL);
	const char *found = cJSON_GetStringValue(cJSON_GetObjectItem(event, "url_path"));
	const char *found_query = cJSON_GetStringValue(cJSON_GetObjectItem(event, "url_query"));

	assert_string_equal(found ? found : "(none)", path);
	assert_string_equal(found_query ? found_query : "(none)", query);
}

static void test_paths_as_they_are_wanted(void **state)
{
	static const char head[] = "GET /users/4711;v=2/a@b.example?token=s HTTP/1.1\r\n\r\n";

	(void)state;
	assert_path(head, HTTP_PATHS_RAW, "/users/4711;v=2/a@b.example", "token=s");
	assert_path(head, HTTP_PATHS_NORMALIZED, "/users/{number}/{email}", "(none)");
	assert_path(head, HTTP_PATHS_NONE, "(none)", "(none)");
	assert_path("OPTIONS * HTTP/1.1\r\n\r\n", HTTP_PATHS_NORMALIZED, "*", "(none)");
	assert_path("CONNECT a:443 HTTP/1.1\r\n\r\n", HTTP_PATHS_NORMALIZED, "(none)", "(none)");
	assert_path("GET /\xff\xfe%zz\x01 HTTP/1.1\r\n\r\n", HTTP_PATHS_RAW, "/\?\?%zz\x01",
		    "(none)");
	assert_path("GET http://a?b HTTP/1.1\r\n\r\n", HTTP_PATHS_RAW, "(none)", "(none)");
}

/* A segment that is cut may not look like what it is. */
static void test_cut_segments_are_not_told_normalized(void **state)
{
	static const char head[] = "GET /files/0123456789ab";

	(void)state;
	assert_path(head, HTTP_PATHS_RAW, "/files/0123456789ab", "(none)");
	assert_path(head, HTTP_PATHS_NORMALIZED, "/files/{rest...}", "(none)");
	assert_path("GET /files/a?0123", HTTP_PATHS_NORMALIZED, "/files/a", "(none)");
	assert_path("GET /fi", HTTP_PATHS_NORMALIZED, "/{rest...}", "(none)");
}

static void test_cut_is_said(void **state)
{
	const struct http_record record = make_record("GET /files/a?0123");
	cleanup_json cJSON *event = event_of(&record, HTTP_PATHS_NORMALIZED, NULL);

	(void)state;
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(event, "url_truncated")));
}

static void test_records_are_checked(void **state)
{
	struct http_record record = make_record("");

	(void)state;
	assert_true(http_record_valid(&record, sizeof(record)));
	assert_false(http_record_valid(&record, sizeof(record) - 1));
	record.head_size = HTTP_HEAD_KEPT;
	assert_true(http_record_valid(&record, sizeof(record)));
	record.head_size++;
	assert_false(http_record_valid(&record, sizeof(record)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_of_every_form),
		cmocka_unit_test(test_heads_that_end_anywhere),
		cmocka_unit_test(test_host_is_told_as_a_whole_only),
		cmocka_unit_test(test_event_has_every_member),
		cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_paths_as_they_are_wanted),
		cmocka_unit_test(test_cut_segments_are_not_told_normalized),
		cmocka_unit_test(test_cut_is_said),
		cmocka_unit_test(test_records_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
