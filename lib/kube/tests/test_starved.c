// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Memory runs out at every single allocation in turn: nothing crashes, leaks or claims success. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sanitizer/lsan_interface.h>

#include "lib/base/tests/starve.h"

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/collection_path.h"
#include "lib/kube/config.h"
#include "lib/kube/event.h"
#include "lib/kube/kubeconfig.h"
#include "lib/kube/list_decoder.h"
#include "lib/kube/object_table.h"
#include "lib/kube/watch_decoder.h"

#define FILL "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const char page[] =
	"{\"metadata\":{\"resourceVersion\":\"9\",\"continue\":\"c\"},\"items\":["
	"{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"1\"}},"
	"{\"metadata\":{\"name\":\"b\",\"uid\":\"v\",\"resourceVersion\":\"2\"}}]}";

/* Reads a page and keeps the objects in a table. */
static bool read_page(void *context)
{
	struct list_decoder decoder = {.object_limit = 1000};
	struct object_table table = {0};
	struct list_part part = {0};
	unsigned int kept = 0;
	int result = list_decoder_push(&decoder, page, strlen(page));
	bool is_whole = false;

	(void)context;
	while (result == 0 && (result = list_decoder_next(&decoder, &part, NULL)) > 0) {
		struct object_identity identity;

		is_whole |= part.type == LIST_PART_END;
		if (part.type == LIST_PART_OBJECT)
			kept += object_identity_read(part.json, &identity, NULL) == 0 &&
				object_table_put(&table, &identity) == 0;
		cJSON_Delete(part.json);
		result = 0;
		if (is_whole)
			break;
	}
	object_table_free(&table);
	list_decoder_reset(&decoder);
	return is_whole && kept == 2;
}

static const char large_page[] =
	"{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":["
	"{\"metadata\":{\"name\":\"l\"},\"spec\":\"" FILL FILL FILL "\"}]}";

/* A giant is told in any case, by name where there is memory for that. */
static bool read_large_page(void *context)
{
	struct list_decoder decoder = {.object_limit = 150};
	struct list_part part = {0};
	bool is_named = false;

	(void)context;
	for (size_t i = 0; i < strlen(large_page); i += 50) {
		size_t left = strlen(large_page) - i;

		if (list_decoder_push(&decoder, large_page + i, left < 50 ? left : 50) < 0)
			break;
		while (list_decoder_next(&decoder, &part, NULL) > 0) {
			is_named |= part.type == LIST_PART_OVERSIZED && part.json;
			cJSON_Delete(part.json);
		}
	}
	list_decoder_reset(&decoder);
	return is_named;
}

static bool read_events(void *context)
{
	struct watch_decoder decoder = {.line_limit = 150};
	struct watch_event event;
	unsigned int count = 0;

	if (watch_decoder_push(&decoder, context, strlen(context)) == 0)
		while (watch_decoder_next(&decoder, &event, NULL) > 0) {
			count++;
			watch_event_free(&event);
		}
	watch_decoder_reset(&decoder);
	return count == 2;
}

static const char kubeconfig[] =
	"current-context: c\n"
	"contexts: [{name: c, context: {cluster: k, user: u}}]\n"
	"clusters: [{name: k, cluster: {server: 'https://h:1', certificate-authority: ca.pem}}]\n"
	"users: [{name: u, user: {client-certificate-data: aGVsbG8=, token: t}}]\n";

/* Without memory libyaml leaks a stack of its own; that nothing else leaks, test_kubeconfig shows.
 */
static bool read_kubeconfig(void *context)
{
	struct kube_config config = {0}, copy = {0};
	bool done = kubeconfig_parse(kubeconfig, strlen(kubeconfig), "/d", &config, NULL) == 0 &&
		    kube_config_copy(&config, &copy) == 0;

	(void)context;
	kube_config_free(&config);
	kube_config_free(&copy);
	return done;
}

static bool make_paths(void *context)
{
	char *list = collection_list_path("/api/v1/pods", "a=b", 500, "t/2");
	char *watch = collection_watch_path("/api/v1/pods", "a=b", "v/9", 300);
	bool done = list && watch;

	(void)context;
	free(list);
	free(watch);
	return done;
}

static bool make_event(void *context)
{
	const struct kube_object_reference object = {"v1", "Pod", "n", "p", "u"};
	cJSON *event = kube_event_json(&object, true, "R", "m", "c", 0, 1);
	bool done = event != NULL;

	(void)context;
	cJSON_Delete(event);
	return done;
}

static bool make_event_again(void *context)
{
	cJSON *event = kube_event_again(context, 7, 0, 1);
	bool done = event && json_integer(event, 0, "count") == 7;

	cJSON_Delete(event);
	return done;
}

static void survives_without_memory(void **state)
{
	static char events[] = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n"
			       "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"l\"},"
			       "\"spec\":\"" FILL FILL "\"}}\n";

	(void)state;
	assert_true(starve(read_page, NULL) > 20);
	assert_true(starve_degrading(read_large_page, NULL) > 5);
	assert_true(starve(read_events, events) > 10);
	__lsan_disable();
	assert_true(starve(read_kubeconfig, NULL) > 20);
	__lsan_enable();
	assert_true(starve(make_paths, NULL) > 3);
	assert_true(starve(make_event, NULL) > 10);
	assert_true(starve(make_event_again,
			   "{\"message\":\"m\",\"involvedObject\":{\"name\":\"p\"}}") > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
