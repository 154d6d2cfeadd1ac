// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/utf8.h"

static const char *const state_names[] = {
	[PROBE_ATTACHED] = "Attached",
	[PROBE_WAITING] = "Waiting",
	[PROBE_FAILED] = "Failed",
	[PROBE_UNSUPPORTED] = "Unsupported",
};
#define STATE_NAMES (sizeof(state_names) / sizeof(state_names[0]))

/* What an agent may say of one exception, in bytes; more is cut. */
#define REPORT_REASON_LIMIT  64
#define REPORT_MESSAGE_LIMIT 512
#define REPORT_POLICY_LIMIT  507 /* "namespace/name" */

const char *probe_state_name(enum probe_state state)
{
	return state_names[state];
}

static int state_parse(const char *name, enum probe_state *ret_state)
{
	for (size_t i = 0; i < STATE_NAMES; i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*ret_state = (enum probe_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

int report_add(struct report *report, const char *pod_uid, enum probe_type probe,
	       enum probe_state state, const char *reason, const char *message)
{
	struct report_exception *exceptions, *exception;

	if (report->exception_count >= REPORT_EXCEPTIONS_LIMIT) {
		report->truncated = true;
		return 0;
	}
	exceptions =
		reallocarray(report->exceptions, report->exception_count + 1, sizeof(*exceptions));
	if (!exceptions)
		return -ENOMEM;
	report->exceptions = exceptions;
	exception = &exceptions[report->exception_count++];
	*exception = (struct report_exception){
		.pod_uid = strdup(pod_uid),
		.probe = probe,
		.state = state,
		.reason = strndup(reason, REPORT_REASON_LIMIT),
		.message = strndup(message, REPORT_MESSAGE_LIMIT),
	};
	if (!exception->pod_uid || !exception->reason || !exception->message)
		return -ENOMEM;
	utf8_make_printable(exception->reason);
	utf8_make_printable(exception->message);
	return 0;
}

int report_add_throttle(struct report *report, const struct report_throttle *throttle)
{
	struct report_throttle *throttles;

	if (report->throttle_count >= REPORT_THROTTLES_LIMIT)
		return 0;
	throttles = reallocarray(report->throttles, report->throttle_count + 1, sizeof(*throttles));
	if (!throttles)
		return -ENOMEM;
	report->throttles = throttles;
	throttles[report->throttle_count] = *throttle;
	throttles[report->throttle_count].policy = strdup(throttle->policy);
	if (!throttles[report->throttle_count].policy)
		return -ENOMEM;
	report->throttle_count++;
	return 0;
}

const struct report_throttle *report_find_throttle(const struct report *report, const char *policy)
{
	for (size_t i = 0; i < report->throttle_count; i++)
		if (strcmp(report->throttles[i].policy, policy) == 0)
			return &report->throttles[i];
	return NULL;
}

/* What an agent tells of itself may be more than can be asked for: what fits on its node. */
static uint32_t decode_figure(const cJSON *item, const char *field)
{
	int64_t value = json_integer(item, 0, field);

	if (value < 0)
		return 0;
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static int decode_throttle(const cJSON *item, struct report *report, struct error *error)
{
	struct report_throttle throttle = {
		.policy = (char *)json_text(item, "policy"), /* copied by report_add_throttle() */
		.shed_per_second = decode_figure(item, "shedPerSecond"),
	};

	for (int part = 0; part < BUDGET_PARTS; part++)
		throttle.beyond.most[part] =
			decode_figure(item, budget_part_field((enum budget_part)part));
	if (strlen(throttle.policy) > REPORT_POLICY_LIMIT)
		return error_set(error, EINVAL, "throttled: policy: is longer than %d bytes",
				 REPORT_POLICY_LIMIT);
	if (!*throttle.policy || budget_is_open(&throttle.beyond))
		return error_set(error, EINVAL,
				 "throttled: a policy and one of its bounds must be given");
	if (report_add_throttle(report, &throttle) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

static int decode_throttles(const cJSON *array, struct report *report, struct error *error)
{
	const cJSON *item;
	int result = 0;

	if (array && !cJSON_IsArray(array))
		return error_set(error, EINVAL, "throttled: must be an array");
	cJSON_ArrayForEach(item, array) {
		if (result == 0)
			result = decode_throttle(item, report, error);
	}
	return result;
}

static int decode_exception(const cJSON *item, struct report *report, struct error *error)
{
	enum probe_type probe;
	enum probe_state state;
	int result;

	if (probe_type_parse(json_string(item, "probe"), &probe) < 0)
		return error_set(error, EINVAL, "pods: probe \"%.40s\" is not known",
				 json_text(item, "probe"));
	if (state_parse(json_text(item, "state"), &state) < 0)
		return error_set(error, EINVAL, "pods: state \"%.40s\" is not known",
				 json_text(item, "state"));
	if (state > PROBE_WAITING && !*json_text(item, "reason"))
		return error_set(error, EINVAL, "pods: a probe that failed without a reason");
	result = report_add(report, json_text(item, "uid"), probe, state, json_text(item, "reason"),
			    json_text(item, "message"));
	return result < 0 ? error_set(error, -result, "out of memory") : 0;
}

int report_decode(const cJSON *json, struct report *ret_report, struct error *error)
{
	struct report report = {
		.revision = (uint64_t)json_integer(json, 0, "revision"),
		.truncated = json_boolean(json, false, "truncated"),
	};
	const cJSON *pods = json_find(json, "pods"), *item;
	int result = 0;

	if (!cJSON_IsArray(pods))
		return error_set(error, EINVAL, "pods: must be an array");
	if (json_integer(json, -1, "revision") < 0)
		return error_set(error, EINVAL, "revision: must be a whole number from 0");
	report.epoch = strdup(json_text(json, "epoch"));
	if (!report.epoch)
		return error_set(error, ENOMEM, "out of memory");
	cJSON_ArrayForEach(item, pods) {
		if (result == 0)
			result = decode_exception(item, &report, error);
	}
	if (result == 0)
		result = decode_throttles(json_find(json, "throttled"), &report, error);
	if (result < 0) {
		report_free(&report);
		return result;
	}
	*ret_report = report;
	return 0;
}

static bool encode_exception(cJSON *array, const struct report_exception *exception)
{
	cJSON *item = json_append_object(array);

	return cJSON_AddStringToObject(item, "uid", exception->pod_uid) &&
	       cJSON_AddStringToObject(item, "probe", probe_type_name(exception->probe)) &&
	       cJSON_AddStringToObject(item, "state", state_names[exception->state]) &&
	       cJSON_AddStringToObject(item, "reason", exception->reason) &&
	       cJSON_AddStringToObject(item, "message", exception->message);
}

static bool encode_throttle(cJSON *array, const struct report_throttle *throttle)
{
	cJSON *item = json_append_object(array);

	return cJSON_AddStringToObject(item, "policy", throttle->policy) &&
	       budget_encode(&throttle->beyond, item) &&
	       (!throttle->shed_per_second ||
		cJSON_AddNumberToObject(item, "shedPerSecond", throttle->shed_per_second));
}

static bool encode_throttles(cJSON *json, const struct report *report)
{
	cJSON *array = report->throttle_count ? cJSON_AddArrayToObject(json, "throttled") : NULL;

	for (size_t i = 0; i < report->throttle_count; i++)
		if (!encode_throttle(array, &report->throttles[i]))
			return false;
	return true;
}

cJSON *report_encode(const struct report *report)
{
	cleanup_json cJSON *json = cJSON_CreateObject();
	cJSON *pods = NULL;

	if (!cJSON_AddStringToObject(json, "type", "report") ||
	    !cJSON_AddStringToObject(json, "epoch", report->epoch) ||
	    !cJSON_AddNumberToObject(json, "revision", (double)report->revision) ||
	    !cJSON_AddBoolToObject(json, "truncated", report->truncated))
		return NULL;
	pods = cJSON_AddArrayToObject(json, "pods");
	for (size_t i = 0; i < report->exception_count; i++)
		if (!encode_exception(pods, &report->exceptions[i]))
			return NULL;
	return pods && encode_throttles(json, report) ? take_pointer(json) : NULL;
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->exception_count; i++) {
		free(report->exceptions[i].pod_uid);
		free(report->exceptions[i].reason);
		free(report->exceptions[i].message);
	}
	free(report->exceptions);
	for (size_t i = 0; i < report->throttle_count; i++)
		free(report->throttles[i].policy);
	free(report->throttles);
	free(report->epoch);
	*report = (struct report){0};
}
