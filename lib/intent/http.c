// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The settings of the HTTP probe: {"http": {"ports": [8080], "slowThreshold": "250ms",
 * "report": ["5xx"], "sampleOneIn": 100, "paths": "Normalized", "byRoute": true,
 * "routes": ["/users/{id}"]}}.
 */

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/intent/probe_kind.h"
#include "lib/intent/threshold.h"

#define PORT_MOST 65535

static const struct threshold_bounds slow_bounds = {
	.field = "http.slowThreshold",
	.least = HTTP_SLOW_LEAST,
	.most = HTTP_SLOW_MOST,
	.remedy = "use 1ms to 10m",
};

static const char *const path_names[] = {
	[HTTP_PATHS_NONE] = "None",
	[HTTP_PATHS_NORMALIZED] = "Normalized",
	[HTTP_PATHS_RAW] = "Raw",
};
#define PATH_NAMES (sizeof(path_names) / sizeof(path_names[0]))

/* --- ports --- */

/* Puts a port in its place; false where there is no room for one more. */
static bool ports_add(struct http_settings *http, uint16_t port)
{
	size_t at = 0;

	while (at < http->port_count && http->ports[at] < port)
		at++;
	if (at < http->port_count && http->ports[at] == port)
		return true;
	if (http->port_count == HTTP_PORTS_LIMIT)
		return false;
	memmove(&http->ports[at + 1], &http->ports[at],
		(http->port_count - at) * sizeof(http->ports[0]));
	http->ports[at] = port;
	http->port_count++;
	return true;
}

static int decode_ports(const cJSON *list, struct http_settings *http, struct error *error)
{
	int count = cJSON_GetArraySize(list);
	const cJSON *item;

	if (list && (!cJSON_IsArray(list) || count < 1 || count > HTTP_PORTS_LIMIT))
		return error_set(error, EINVAL,
				 "http.ports: must list 1 to %d ports; leave it out for all",
				 HTTP_PORTS_LIMIT);
	cJSON_ArrayForEach(item, list) {
		int64_t port = json_integer_of(item, 0);

		if (port < 1 || port > PORT_MOST)
			return error_set(error, EINVAL,
					 "http.ports: each must be a number from 1 to %d",
					 PORT_MOST);
		(void)ports_add(http, (uint16_t)port); /* there is room for as many */
	}
	return 0;
}

static bool encode_ports(const struct http_settings *http, cJSON *json)
{
	cJSON *array = http->port_count ? cJSON_AddArrayToObject(json, "ports") : NULL;

	for (size_t i = 0; i < http->port_count; i++)
		if (!json_append_item(array, cJSON_CreateNumber(http->ports[i])))
			return false;
	return true;
}

/* None means every port, and so do more than there is room for: what was asked for is among them.
 */
static void merge_ports(struct http_settings *http, const struct http_settings *other)
{
	bool fits = http->port_count && other->port_count;

	for (size_t i = 0; fits && i < other->port_count; i++)
		fits = ports_add(http, other->ports[i]);
	if (fits)
		return;
	memset(http->ports, 0, sizeof(http->ports));
	http->port_count = 0;
}

/* --- statuses to report, samples, paths --- */

static int decode_report(const cJSON *list, struct http_status_set *ret_set, struct error *error)
{
	const cJSON *item;

	if (list && (!cJSON_IsArray(list) || cJSON_GetArraySize(list) < 1))
		return error_set(error, EINVAL,
				 "http.report: must list statuses; leave it out for none");
	cJSON_ArrayForEach(item, list) {
		if (!http_status_set_add(ret_set, json_string_of(item)))
			return error_set(error, EINVAL,
					 "http.report: \"%.40s\" is no class (\"5xx\") and no "
					 "status (\"404\"), as text",
					 json_text_of(item));
	}
	return 0;
}

static int decode_sample(const cJSON *item, uint32_t *ret_one_in, struct error *error)
{
	int64_t one_in = json_integer_of(item, 0);

	if (item && (one_in < 1 || one_in > HTTP_SAMPLE_MOST))
		return error_set(error, EINVAL,
				 "http.sampleOneIn: must be a number from 1 to %d; leave it out "
				 "for no samples",
				 HTTP_SAMPLE_MOST);
	*ret_one_in = (uint32_t)one_in;
	return 0;
}

static int decode_paths(const cJSON *item, enum http_paths *ret_paths, struct error *error)
{
	const char *name = json_text_of(item);

	for (size_t i = 0; i < PATH_NAMES; i++) {
		if (strcmp(name, path_names[i]) == 0) {
			*ret_paths = (enum http_paths)i;
			return 0;
		}
	}
	if (!item)
		return 0;
	return error_set(error, EINVAL,
			 "http.paths: \"%.40s\" is not known; use None, Normalized or Raw", name);
}

static int decode_by_route(const cJSON *item, bool *ret_by_route, struct error *error)
{
	if (item && !cJSON_IsBool(item))
		return error_set(error, EINVAL, "http.byRoute: must be true or false");
	*ret_by_route = cJSON_IsTrue(item);
	return 0;
}

/* --- all of them --- */

static int decode_members(const cJSON *given, struct http_settings *http, struct error *error)
{
	int result = decode_ports(json_find(given, "ports"), http, error);

	if (result == 0)
		result = threshold_decode(json_find(given, "slowThreshold"), &slow_bounds,
					  &http->slow_ns, error);
	if (result == 0)
		result = decode_report(json_find(given, "report"), &http->report, error);
	if (result == 0)
		result =
			decode_sample(json_find(given, "sampleOneIn"), &http->sample_one_in, error);
	if (result == 0)
		result = decode_paths(json_find(given, "paths"), &http->paths, error);
	if (result == 0)
		result = decode_by_route(json_find(given, "byRoute"), &http->by_route, error);
	if (result == 0) /* the last one: it holds something */
		result = http_routes_decode(json_find(given, "routes"), &http->routes, error);
	return result;
}

static int http_decode(const cJSON *entry, union probe_settings *ret_settings, struct error *error)
{
	const cJSON *given = json_find(entry, "http");
	struct http_settings http = {.paths = HTTP_PATHS_NORMALIZED};
	int result;

	if (given && !cJSON_IsObject(given))
		return error_set(error, EINVAL, "http: must be an object");
	result = decode_members(given, &http, error);
	if (result < 0)
		return result;
	memset(ret_settings, 0, sizeof(*ret_settings));
	ret_settings->http = http;
	return 0;
}

static bool encode_report(const struct http_status_set *set, cJSON *json)
{
	return http_status_set_is_empty(set) ||
	       json_add_item(json, "report", http_status_set_encode(set));
}

static int http_encode(const union probe_settings *settings, cJSON *entry)
{
	const struct http_settings *http = &settings->http;
	cJSON *json = cJSON_AddObjectToObject(entry, "http");

	if (!json || !encode_ports(http, json) || !threshold_encode(http->slow_ns, json) ||
	    !encode_report(&http->report, json) ||
	    (http->sample_one_in &&
	     !cJSON_AddNumberToObject(json, "sampleOneIn", http->sample_one_in)) ||
	    !cJSON_AddStringToObject(json, "paths", path_names[http->paths]) ||
	    !cJSON_AddBoolToObject(json, "byRoute", http->by_route) ||
	    (http->routes && !json_add_item(json, "routes", http_routes_encode(http->routes))))
		return -ENOMEM;
	return 0;
}

static void merge_sample(uint32_t *one_in, uint32_t other)
{
	if (other && (!*one_in || other < *one_in))
		*one_in = other;
}

static int http_merge(union probe_settings *settings, const union probe_settings *other)
{
	struct http_settings *http = &settings->http;
	struct http_routes *routes;

	if (http_routes_unite(http->routes, other->http.routes, &routes) < 0)
		return -ENOMEM;
	http_routes_release(http->routes);
	http->routes = routes;
	merge_ports(http, &other->http);
	threshold_merge(&http->slow_ns, other->http.slow_ns);
	http_status_set_merge(&http->report, &other->http.report);
	merge_sample(&http->sample_one_in, other->http.sample_one_in);
	if (other->http.paths > http->paths)
		http->paths = other->http.paths;
	http->by_route |= other->http.by_route;
	return 0;
}

static bool ports_equal(const struct http_settings *a, const struct http_settings *b)
{
	return a->port_count == b->port_count &&
	       memcmp(a->ports, b->ports, a->port_count * sizeof(a->ports[0])) == 0;
}

static bool http_equal(const union probe_settings *a, const union probe_settings *b)
{
	return ports_equal(&a->http, &b->http) && a->http.slow_ns == b->http.slow_ns &&
	       http_status_set_equal(&a->http.report, &b->http.report) &&
	       a->http.sample_one_in == b->http.sample_one_in && a->http.paths == b->http.paths &&
	       a->http.by_route == b->http.by_route && a->http.routes == b->http.routes;
}

static void http_hold(const union probe_settings *settings)
{
	http_routes_hold(settings->http.routes);
}

static void http_release(union probe_settings *settings)
{
	http_routes_release(settings->http.routes);
}

/* Routes that are found by themselves are paths without their values. */
static enum probe_text http_text(const union probe_settings *settings)
{
	static const enum probe_text text_of[] = {
		[HTTP_PATHS_NONE] = PROBE_TEXT_NONE,
		[HTTP_PATHS_NORMALIZED] = PROBE_TEXT_NORMALIZED,
		[HTTP_PATHS_RAW] = PROBE_TEXT_RAW,
	};
	enum probe_text text = text_of[settings->http.paths];

	return settings->http.by_route && text == PROBE_TEXT_NONE ? PROBE_TEXT_NORMALIZED : text;
}

static bool http_text_is_given(const cJSON *given)
{
	return json_find(given, "paths") || json_boolean(given, false, "byRoute");
}

static void http_cap_text(union probe_settings *settings, enum probe_text most)
{
	struct http_settings *http = &settings->http;

	http->by_route &= most > PROBE_TEXT_NONE;
	while (http_text(settings) > most)
		http->paths--;
}

const struct intent_kind http_intent = {
	.name = "HTTP",
	.member = "http",
	.decode = http_decode,
	.encode = http_encode,
	.merge = http_merge,
	.equal = http_equal,
	.text_field = "http.paths and byRoute",
	.text = http_text,
	.text_is_given = http_text_is_given,
	.cap_text = http_cap_text,
	.hold = http_hold,
	.release = http_release,
};
