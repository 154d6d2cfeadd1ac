// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Fuzzes http_event_build(): the input is what a stranger sent as the beginning of a request,
 * behind a byte that says how much of paths is wanted. The event can always be written, in UTF-8;
 * normalized, it has neither a query string nor a character that begins one.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE \
 *	node-agent/probes/fuzz/fuzz_http_event.c node-agent/probes/http_event.c \
 *	node-agent/probes/http_request_text.c node-agent/probes/http_path.c \
 *	node-agent/probes/http_methods.c node-agent/probes/event_time.c lib/base/utf8.c \
 *	lib/base/json.c lib/net/address.c -lcjson -o build/fuzz_http_event
 * build/fuzz_http_event build/corpus node-agent/probes/fuzz/corpus_http_event
 */

#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "node-agent/probes/http_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(cJSON *event, enum http_paths paths)
{
	const char *path = cJSON_GetStringValue(cJSON_GetObjectItem(event, "url_path"));
	char *line = cJSON_PrintUnformatted(event);

	if (!line || !utf8_is_valid(line, strlen(line)))
		abort();
	if (paths == HTTP_PATHS_NONE && path)
		abort();
	if (paths != HTTP_PATHS_RAW &&
	    (cJSON_GetObjectItem(event, "url_query") || (path && strpbrk(path, "?#;@"))))
		abort();
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_record record = {.flags = HTTP_RECORD_HAS_HEAD};
	enum http_paths paths;
	cJSON *event;

	if (size < 1 || size > HTTP_HEAD_KEPT + 1)
		return 0;
	paths = (enum http_paths)(data[0] % (HTTP_PATHS_RAW + 1));
	record.head_size = (uint16_t)(size - 1);
	memcpy(record.head, data + 1, size - 1);
	event = http_event_build(&record, paths, "", NULL, 0);
	if (!event)
		abort();
	check(event, paths);
	cJSON_Delete(event);
	return 0;
}
