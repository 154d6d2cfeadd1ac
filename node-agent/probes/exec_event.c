// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/exec_event.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/utf8.h"
#include "node-agent/probes/event_time.h"
#include "node-agent/probes/redact.h"

/* A record's text in our own hands, with a NUL behind it: arguments may be cut in their middle. */
struct command {
	char text[sizeof(((struct exec_record *)0)->text) + 1];
	char *arguments[EXEC_ARGUMENTS_SIZE]; /* every one takes a byte at least: its NUL */
	size_t count;
};

bool exec_record_valid(const struct exec_record *record, size_t size)
{
	size_t text;

	if (size < EXEC_RECORD_HEADER_SIZE)
		return false;
	text = (size_t)record->binary_size + record->arguments_size;
	return record->binary_size <= EXEC_BINARY_SIZE &&
	       record->arguments_size <= EXEC_ARGUMENTS_SIZE &&
	       size >= EXEC_RECORD_HEADER_SIZE + text;
}

static void split_arguments(struct command *command, const struct exec_record *record)
{
	char *next = command->text;
	char *end = command->text + record->arguments_size;

	memcpy(command->text, record->text + record->binary_size, record->arguments_size);
	*end = '\0';
	command->count = 0;
	while (next < end) {
		command->arguments[command->count++] = next;
		next += strlen(next) + 1;
	}
}

static cJSON *build_arguments(const struct exec_record *record, enum exec_arguments wanted)
{
	cleanup_json cJSON *array = cJSON_CreateArray();
	struct command command;

	split_arguments(&command, record);
	for (size_t i = 0; i < command.count; i++)
		utf8_repair(command.arguments[i]);
	if (wanted == EXEC_ARGUMENTS_REDACTED)
		redact_arguments(command.arguments, command.count);
	for (size_t i = 0; i < command.count; i++)
		if (!json_append_item(array, cJSON_CreateString(command.arguments[i])))
			return NULL;
	return take_pointer(array);
}

static bool add_binary(cJSON *event, const struct exec_record *record)
{
	char binary[EXEC_BINARY_SIZE + 1];

	memcpy(binary, record->text, record->binary_size);
	binary[record->binary_size] = '\0';
	utf8_repair(binary);
	return cJSON_AddStringToObject(event, "binary", binary);
}

static bool add_arguments(cJSON *event, const struct exec_record *record,
			  enum exec_arguments wanted)
{
	if (wanted == EXEC_ARGUMENTS_NONE || !(record->flags & EXEC_HAS_ARGUMENTS))
		return true;
	if (!json_add_item(event, "arguments", build_arguments(record, wanted)))
		return false;
	return cJSON_AddBoolToObject(event, "arguments_truncated",
				     record->flags & EXEC_ARGUMENTS_MORE);
}

cJSON *exec_event_build(const struct exec_record *record, enum exec_arguments arguments,
			int64_t clock_offset)
{
	cleanup_json cJSON *event = cJSON_CreateObject();

	if (!event || !event_time_add(event, record->time, clock_offset) ||
	    !cJSON_AddNumberToObject(event, "pid", record->pid) ||
	    (record->parent_pid &&
	     !cJSON_AddNumberToObject(event, "parent_pid", record->parent_pid)) ||
	    !cJSON_AddNumberToObject(event, "uid", record->uid) || !add_binary(event, record) ||
	    !add_arguments(event, record, arguments) ||
	    !cJSON_AddNumberToObject(event, "return_code", record->result))
		return NULL;
	return take_pointer(event);
}
