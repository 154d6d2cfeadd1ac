// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/event_memory.h"

static const struct kube_object_reference policy = {
	.api_version = "skep.dev/v1alpha1",
	.kind = "ObservabilityPolicy",
	.namespace = "shop",
	.name = "checkout",
	.uid = "u-1",
};

static cJSON *event_of(const struct kube_object_reference *object, const char *message,
		       unsigned int serial)
{
	return kube_event_json(object, true, "Attached", message, "skep-operator", 86400, serial);
}

static void tells_about_the_object(void **state)
{
	cJSON *event = event_of(&policy, "12 pods", 255);

	(void)state;
	assert_string_equal(json_text(event, "kind"), "Event");
	assert_string_equal(json_text(event, "apiVersion"), "v1");
	assert_string_equal(json_text(event, "metadata", "name"), "checkout.15180-ff");
	assert_string_equal(json_text(event, "metadata", "namespace"), "shop");
	assert_string_equal(json_text(event, "involvedObject", "kind"), "ObservabilityPolicy");
	assert_string_equal(json_text(event, "involvedObject", "namespace"), "shop");
	assert_string_equal(json_text(event, "involvedObject", "uid"), "u-1");
	assert_string_equal(json_text(event, "type"), "Warning");
	assert_string_equal(json_text(event, "reason"), "Attached");
	assert_string_equal(json_text(event, "message"), "12 pods");
	assert_string_equal(json_text(event, "source", "component"), "skep-operator");
	assert_string_equal(json_text(event, "firstTimestamp"), "1970-01-02T00:00:00Z");
	assert_int_equal(json_integer(event, 0, "count"), 1);
	cJSON_Delete(event);
}

static void puts_the_cluster_scoped_into_default(void **state)
{
	struct kube_object_reference node = {.api_version = "v1", .kind = "Node", .name = "n"};
	cJSON *event = event_of(&node, "", 1);

	(void)state;
	assert_string_equal(json_text(event, "metadata", "namespace"), "default");
	assert_null(json_find(event, "involvedObject", "namespace"));
	cJSON_Delete(event);
}

static void keeps_to_the_limits_of_the_api(void **state)
{
	struct kube_object_reference object = policy;
	char name[254], message[1100];
	cJSON *event;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(message, 'm', sizeof(message));
	memcpy(message + 1022, "\xe2\x82\xac", 3); /* a character across the limit */
	message[sizeof(message) - 1] = '\0';
	object.name = name;
	event = event_of(&object, message, 1);
	assert_int_equal(strlen(json_text(event, "metadata", "name")), 253);
	assert_non_null(strstr(json_text(event, "metadata", "name"), "nn.15180-1"));
	assert_int_equal(strlen(json_text(event, "message")), 1022);
	cJSON_Delete(event);
}

static void remembers_what_happened_lately(void **state)
{
	static struct event_memory memory;
	struct kube_object_reference other = policy;
	uint64_t key = event_key(&policy, true, "R", "m");
	struct remembered_event *event = event_memory_take(&memory, key, 1000);

	(void)state;
	assert_non_null(event);
	assert_ptr_equal(event_memory_find(&memory, key, 1000 + EVENT_MEMORY_SECONDS), event);
	assert_null(event_memory_find(&memory, key, 1001 + EVENT_MEMORY_SECONDS));
	other.uid = "u-2";
	assert_null(event_memory_find(&memory, event_key(&other, true, "R", "m"), 1000));
	assert_null(event_memory_find(&memory, event_key(&policy, false, "R", "m"), 1000));
	assert_null(event_memory_find(&memory, event_key(&policy, true, "Rm", ""), 1000));
}

static void forgets_the_oldest_that_is_not_under_way(void **state)
{
	static struct event_memory memory;

	(void)state;
	for (time_t i = 0; i < EVENT_MEMORY_LIMIT; i++)
		event_memory_take(&memory, (uint64_t)i + 1, 1000 + i);
	event_memory_find(&memory, 1, 1000)->is_under_way = true;
	assert_non_null(event_memory_take(&memory, 100, 2000));
	assert_non_null(event_memory_find(&memory, 1, 1000));
	assert_null(event_memory_find(&memory, 2, 1000));
	for (int i = 0; i < EVENT_MEMORY_LIMIT; i++)
		memory.events[i].is_under_way = true;
	assert_null(event_memory_take(&memory, 101, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_about_the_object),
		cmocka_unit_test(puts_the_cluster_scoped_into_default),
		cmocka_unit_test(keeps_to_the_limits_of_the_api),
		cmocka_unit_test(remembers_what_happened_lately),
		cmocka_unit_test(forgets_the_oldest_that_is_not_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
