// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Events are made of records and go their way whole, or are none: never half of one. */

#include "lib/base/tests/starve.h"

#include "lib/base/json.h"
#include "node-agent/export/enrich.h"
#include "node-agent/export/pending.h"
#include "node-agent/probes/dns_event.h"
#include "node-agent/probes/exec_event.h"
#include "node-agent/probes/http_event.h"

static bool exists(cJSON *event)
{
	bool done = event != NULL;

	cJSON_Delete(event);
	return done;
}

static bool build_exec(void *context)
{
	return exists(exec_event_build(context, EXEC_ARGUMENTS_REDACTED, 0));
}

static bool build_dns(void *context)
{
	return exists(dns_event_build(context, 0));
}

static bool build_http(void *context)
{
	static const struct peer_identity peer = {"Deployment", "shop", "cart", false};

	return exists(http_event_build(context, HTTP_PATHS_RAW, "/cart", &peer, 0));
}

static char *policy_names[] = {"shop/p"};
static struct selected_container containers[] = {{.name = (char *)"server", .id = (char *)"i1"}};
static struct selected_pod pod = {
	.uid = (char *)"u1",
	.namespace = (char *)"shop",
	.name = (char *)"web-1",
	.workload_kind = (char *)"Deployment",
	.workload_name = (char *)"web",
	.containers = containers,
	.container_count = 1,
	.probes = {[PROBE_EXEC] = {.wanted = true, .policies = {policy_names, 1}}},
};

static bool enrich(void *context)
{
	cJSON *event = exec_event_build(context, EXEC_ARGUMENTS_RAW, 0);

	return event && exists(event_enrich(event, PROBE_EXEC, "n1", &pod, NULL, "i1", NULL));
}

/* Events that came out of waiting, and of these, those with the name of their container. */
struct released {
	unsigned int count, named;
};

static void release(void *context, cJSON *event)
{
	struct released *released = context;

	released->count++;
	released->named += strcmp(json_text(event, "container"), "server") == 0;
	cJSON_Delete(event);
}

/* Each event goes, once, if need be without a name. */
static bool wait_for_name(void *context)
{
	struct released released = {0};
	struct pending pending = {.release = release, .context = &released};
	unsigned int given = 0;

	(void)context;
	for (int i = 0; i < 2; i++) {
		cJSON *event = cJSON_CreateObject();

		if (!cJSON_AddNullToObject(event, "container")) {
			cJSON_Delete(event);
			continue;
		}
		given++;
		pending_add(&pending, "u1", "i1", event, 0);
	}
	pending_resolve(&pending, &pod);
	starve_pause();
	pending_flush(&pending);
	assert_int_equal(released.count, given);
	return released.named == 2;
}

static void survives_without_memory(void **state)
{
	static const char command[] = "app\0--password\0hunter2";
	static const char head[] = "GET /a?b=c HTTP/1.1\r\nHost: shop\r\n\r\n";
	struct exec_record exec = {.pid = 7, .parent_pid = 6, .flags = 1, .binary_size = 4};
	struct dns_lookup dns = {.name = "a.shop.svc", .search = 1, .duration = 1000000};
	struct http_record http = {.status = 500,
				   .told = HTTP_TOLD_SLOW | HTTP_TOLD_STATUS,
				   .flags = HTTP_RECORD_HAS_HEAD | HTTP_RECORD_HAS_SEQUENCE,
				   .end = HTTP_ABORTED_BY_CLIENT,
				   .head_size = sizeof(head) - 1};

	(void)state;
	memcpy(exec.text, "/a/b", 4);
	memcpy(exec.text + 4, command, sizeof(command));
	exec.arguments_size = sizeof(command);
	memcpy(http.head, head, sizeof(head) - 1);
	assert_true(starve(build_exec, &exec) > 20);
	assert_true(starve(build_dns, &dns) > 20);
	assert_true(starve(build_http, &http) > 40);
	assert_true(starve(enrich, &exec) > 50);
	assert_true(starve(wait_for_name, NULL) > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
