// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_event.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/utf8.h"
#include "lib/net/address.h"
#include "node-agent/probes/event_time.h"
#include "node-agent/probes/http_methods.h"
#include "node-agent/probes/http_path.h"
#include "node-agent/probes/http_request_text.h"

bool http_record_valid(const struct http_record *record, size_t size)
{
	return size >= sizeof(*record) && record->head_size <= sizeof(record->head);
}

static bool add_number(cJSON *event, const char *member, uint64_t number)
{
	return cJSON_AddNumberToObject(event, member, (double)number);
}

/* Bytes of a stranger's: any of them may be there. */
static bool add_bytes(cJSON *event, const char *member, struct http_span span)
{
	char text[HTTP_HEAD_KEPT + 1];

	for (size_t i = 0; i < span.size; i++)
		text[i] = span.data[i] ? span.data[i] : '?';
	text[span.size] = '\0';
	utf8_repair(text);
	return cJSON_AddStringToObject(event, member, text);
}

static bool add_raw_path(cJSON *event, const struct http_request_text *text)
{
	return add_bytes(event, "url_path", text->path) &&
	       (!text->has_query || add_bytes(event, "url_query", text->query));
}

static bool add_normalized_path(cJSON *event, const struct http_request_text *text)
{
	char path[HTTP_PATH_SIZE] = "*"; /* of OPTIONS: it stands for the whole server */

	if (text->path.size != 1 || text->path.data[0] != '*')
		http_path_normalize(text->path.data, text->path.size,
				    text->is_cut && !text->has_query, path);
	return !path[0] || cJSON_AddStringToObject(event, "url_path", path);
}

static bool add_path(cJSON *event, const struct http_request_text *text, enum http_paths paths)
{
	if (!text->path.size)
		return true;
	return paths == HTTP_PATHS_RAW ? add_raw_path(event, text)
				       : add_normalized_path(event, text);
}

/* What the beginning of the request said. */
static bool add_target(cJSON *event, const struct http_record *record, enum http_paths paths)
{
	const struct http_request_text text =
		http_request_text_of((const char *)record->head, record->head_size);

	if (!(record->flags & HTTP_RECORD_HAS_HEAD) || paths == HTTP_PATHS_NONE)
		return true;
	return add_path(event, &text, paths) &&
	       (!text.is_cut || cJSON_AddTrueToObject(event, "url_truncated")) &&
	       (!text.host.size || add_bytes(event, "server_address", text.host));
}

static bool add_milliseconds(cJSON *event, const char *member, uint64_t ns)
{
	uint64_t microseconds = ns / 1000;

	return cJSON_AddNumberToObject(event, member, (double)microseconds / 1000);
}

static bool add_response(cJSON *event, const struct http_record *record)
{
	if (!record->status)
		return true;
	return add_number(event, "http_response_status_code", record->status) &&
	       add_milliseconds(event, "first_byte_ms", record->wait);
}

static bool add_end(cJSON *event, const struct http_record *record)
{
	const char *by = record->end == HTTP_ABORTED_BY_CLIENT ? "client" : "server";

	return record->end == HTTP_COMPLETE || cJSON_AddStringToObject(event, "aborted_by", by);
}

static bool add_figures(cJSON *event, const struct http_record *record)
{
	return add_response(event, record) &&
	       add_milliseconds(event, "duration_ms", record->duration) &&
	       add_number(event, "request_bytes", record->request_bytes) &&
	       add_number(event, "response_bytes", record->response_bytes) &&
	       add_end(event, record);
}

static bool add_peer(cJSON *event, const struct http_record *record,
		     const struct peer_identity *peer)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address address;

	memcpy(address.bytes, record->address, sizeof(address.bytes));
	if (!add_number(event, "server_port", record->port) ||
	    !cJSON_AddStringToObject(event, "peer_address", ip_address_format(&address, text)) ||
	    !add_number(event, "peer_port", record->peer_port))
		return false;
	if (!peer)
		return true;
	return cJSON_AddStringToObject(event, "peer_kind", peer->kind) &&
	       cJSON_AddStringToObject(event, "peer_namespace", peer->namespace) &&
	       cJSON_AddStringToObject(event, "peer_name", peer->name);
}

static bool add_reasons(cJSON *event, const struct http_record *record)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} reasons[] = {
		{HTTP_TOLD_SLOW, "slow"},
		{HTTP_TOLD_STATUS, "status"},
		{HTTP_TOLD_SAMPLED, "sampled"},
	};
	cJSON *array = cJSON_AddArrayToObject(event, "reasons");

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (record->told & reasons[i].bit &&
		    !json_append_item(array, cJSON_CreateString(reasons[i].name)))
			return false;
	return array != NULL;
}

cJSON *http_event_build(const struct http_record *record, enum http_paths paths, const char *route,
			const struct peer_identity *peer, int64_t clock_offset)
{
	cleanup_json cJSON *event = cJSON_CreateObject();
	const char *role = record->role == HTTP_SERVER ? "server" : "client";

	if (!event || !event_time_add(event, record->time, clock_offset) ||
	    !cJSON_AddStringToObject(event, "role", role) || !add_reasons(event, record) ||
	    !cJSON_AddStringToObject(event, "http_request_method",
				     http_method_name(record->method)) ||
	    (*route && !cJSON_AddStringToObject(event, "http_route", route)) ||
	    !add_target(event, record, paths) || !add_figures(event, record) ||
	    !add_peer(event, record, peer))
		return NULL;
	if (record->flags & HTTP_RECORD_HAS_SEQUENCE &&
	    !add_number(event, "sequence", record->sequence))
		return NULL;
	return take_pointer(event);
}
