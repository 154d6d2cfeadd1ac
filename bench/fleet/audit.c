// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/audit.h"

#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

static enum api_count count_of(const cJSON *event)
{
	const char *verb = json_text(event, "verb");
	const char *resource = json_text(event, "objectRef", "resource");

	if (strcmp(verb, "list") == 0)
		return API_PAGES;
	if (strcmp(verb, "watch") == 0)
		return API_WATCHES;
	if (strcmp(json_text(event, "objectRef", "subresource"), "status") == 0)
		return API_STATUSES;
	if (strcmp(resource, "nodeprobereports") == 0)
		return API_NODE_REPORTS;
	if (strcmp(resource, "tokenreviews") == 0)
		return API_REVIEWS;
	return strcmp(resource, "events") == 0 ? API_EVENTS : API_OTHERS;
}

/* Counts the whole lines of a text, and returns how long they are together. */
static size_t count_lines(const char *text, uint64_t counts[API_COUNTS])
{
	const char *line = text, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		cleanup_json cJSON *event = cJSON_ParseWithLength(line, (size_t)(end - line));

		counts[count_of(event)]++;
	}
	return (size_t)(line - text);
}

void audit_read(int log, uint64_t counts[API_COUNTS])
{
	static char room[1 << 20]; /* more than any line */
	ssize_t count = read(log, room, sizeof(room) - 1);
	size_t whole;

	while (count > 0) {
		room[count] = '\0';
		whole = count_lines(room, counts);
		lseek(log, (off_t)whole - count, SEEK_CUR); /* the last line is not whole yet */
		count = whole ? read(log, room, sizeof(room) - 1) : 0;
	}
}
