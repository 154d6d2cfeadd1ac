// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The settings of the Exec probe: {"exec": {"arguments": "Redacted", "failures": false}}. */

#include <errno.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/intent/probe_kind.h"

static const char *const argument_names[] = {
	[EXEC_ARGUMENTS_NONE] = "None",
	[EXEC_ARGUMENTS_REDACTED] = "Redacted",
	[EXEC_ARGUMENTS_RAW] = "Raw",
};
#define ARGUMENT_NAMES (sizeof(argument_names) / sizeof(argument_names[0]))

static int decode_arguments(const cJSON *item, enum exec_arguments *ret_arguments,
			    struct error *error)
{
	const char *name = json_text_of(item);

	for (size_t i = 0; i < ARGUMENT_NAMES; i++) {
		if (strcmp(name, argument_names[i]) == 0) {
			*ret_arguments = (enum exec_arguments)i;
			return 0;
		}
	}
	return error_set(error, EINVAL,
			 "exec.arguments: \"%.40s\" is not known; use None, Redacted or Raw", name);
}

static int exec_decode(const cJSON *entry, union probe_settings *ret_settings, struct error *error)
{
	struct exec_settings exec = {.arguments = EXEC_ARGUMENTS_REDACTED};
	const cJSON *given = json_find(entry, "exec");
	const cJSON *arguments = json_find(given, "arguments");
	const cJSON *failures = json_find(given, "failures");
	int result;

	if (given && !cJSON_IsObject(given))
		return error_set(error, EINVAL, "exec: must be an object");
	if (failures && !cJSON_IsBool(failures))
		return error_set(error, EINVAL, "exec.failures: must be true or false");
	if (arguments) {
		result = decode_arguments(arguments, &exec.arguments, error);
		if (result < 0)
			return result;
	}
	exec.failures = cJSON_IsTrue(failures);
	memset(ret_settings, 0, sizeof(*ret_settings));
	ret_settings->exec = exec;
	return 0;
}

static int exec_encode(const union probe_settings *settings, cJSON *entry)
{
	cJSON *exec = cJSON_AddObjectToObject(entry, "exec");
	const char *arguments = argument_names[settings->exec.arguments];

	if (!cJSON_AddStringToObject(exec, "arguments", arguments) ||
	    !cJSON_AddBoolToObject(exec, "failures", settings->exec.failures))
		return -ENOMEM;
	return 0;
}

static int exec_merge(union probe_settings *settings, const union probe_settings *other)
{
	if (other->exec.arguments > settings->exec.arguments)
		settings->exec.arguments = other->exec.arguments;
	settings->exec.failures |= other->exec.failures;
	return 0;
}

static bool exec_equal(const union probe_settings *a, const union probe_settings *b)
{
	return a->exec.arguments == b->exec.arguments && a->exec.failures == b->exec.failures;
}

/* Arguments that are redacted are what others call normalized. */
static const enum probe_text text_of[] = {
	[EXEC_ARGUMENTS_NONE] = PROBE_TEXT_NONE,
	[EXEC_ARGUMENTS_REDACTED] = PROBE_TEXT_NORMALIZED,
	[EXEC_ARGUMENTS_RAW] = PROBE_TEXT_RAW,
};

static enum probe_text exec_text(const union probe_settings *settings)
{
	return text_of[settings->exec.arguments];
}

static bool exec_text_is_given(const cJSON *given)
{
	return json_find(given, "arguments") != NULL;
}

static void exec_cap_text(union probe_settings *settings, enum probe_text most)
{
	while (text_of[settings->exec.arguments] > most)
		settings->exec.arguments--;
}

const struct intent_kind exec_intent = {
	.name = "Exec",
	.member = "exec",
	.decode = exec_decode,
	.encode = exec_encode,
	.merge = exec_merge,
	.equal = exec_equal,
	.text_field = "exec.arguments",
	.text = exec_text,
	.text_is_given = exec_text_is_given,
	.cap_text = exec_cap_text,
};
