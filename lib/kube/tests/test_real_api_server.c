// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the client does with objects, against a real API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/kube/access_review.h"
#include "lib/kube/event.h"
#include "lib/kube/tests/follower.h"
#include "lib/kube/tests/real_api_server.h"
#include "lib/kube/token_review.h"

#define WAIT_SECONDS 60

static void follows_a_collection(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct follower follower;

	(void)state;
	need_cluster();
	set_config_map(client, "a", "1");
	set_config_map(client, "b", "1");
	set_config_map(client, "c", "1");
	follow(&follower, 2); /* so that there is a second page */
	await_told(&follower, "+a=1 +b=1 +c=1 synced ");
	set_config_map(client, "d", "1");
	await_told(&follower, "+d=1 ");
	set_config_map(client, "a", "2");
	await_told(&follower, "+a=2 ");
	delete_config_map(client, "b");
	await_told(&follower, "-b ");
	assert_int_equal(kube_informer_stats(follower.informer).objects, 3);
	assert_int_equal(kube_informer_stats(follower.informer).failures, 0);
	unfollow(&follower);
}

static void catches_up_after_a_restart_of_the_api_server(void **state)
{
	struct kube_client *meanwhile = cluster.second.client;
	struct follower follower;

	(void)state;
	need_cluster();
	set_config_map(meanwhile, "kept", "1");
	set_config_map(meanwhile, "gone", "1");
	set_config_map(meanwhile, "again", "1");
	follow(&follower, 500);
	await_told(&follower, "synced ");
	finish(&cluster.first.process, SIGKILL);
	run_for(100);
	set_config_map(meanwhile, "kept", "2");
	set_config_map(meanwhile, "new", "1");
	delete_config_map(meanwhile, "gone");
	delete_config_map(meanwhile, "again");
	set_config_map(meanwhile, "again", "2");
	server_start(&cluster.first);
	for (int i = 0; i < WAIT_SECONDS * 50 && !strstr(follower.told.data, "-gone "); i++)
		run_for(20);
	run_for(500);
	assert_non_null(strstr(follower.told.data, "-gone "));
	assert_non_null(strstr(follower.told.data, "+kept=2 "));
	assert_non_null(strstr(follower.told.data, "+new=1 "));
	assert_non_null(strstr(follower.told.data, "-again +again=2 "));
	assert_null(strstr(follower.told.data, "synced "));
	assert_null(strstr(follower.told.data, "+a=")); /* which did not change */
	assert_true(kube_informer_stats(follower.informer).failures > 0);
	text_clear(&follower.told);
	set_config_map(meanwhile, "after", "1");
	await_told(&follower, "+after=1 ");
	unfollow(&follower);
	await_status(cluster.first.client, "GET", "/readyz", NULL, 200);
}

static const char thing_definition[] =
	"{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
	"\"metadata\":{\"name\":\"things.skep.test\"},\"spec\":{\"group\":\"skep.test\","
	"\"scope\":\"Namespaced\",\"names\":{\"plural\":\"things\",\"singular\":\"thing\","
	"\"kind\":\"Thing\",\"listKind\":\"ThingList\"},\"versions\":[{\"name\":\"v1\","
	"\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},\"schema\":{"
	"\"openAPIV3Schema\":{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\"},"
	"\"status\":{\"type\":\"object\",\"properties\":{\"pods\":{\"type\":\"integer\"}}}}}}}]}}";

#define THINGS_PATH "/apis/skep.test/v1/namespaces/default/things"
#define THING(more)                                                                                \
	"{\"apiVersion\":\"skep.test/v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"t\"}" more "}"

static void applies_the_status_of_a_custom_resource(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct answer answer;

	(void)state;
	need_cluster();
	must(client, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", KUBE_JSON,
	     thing_definition, 201);
	await_status(client, "POST", THINGS_PATH, THING(""), 201);
	must(client, "PATCH", THINGS_PATH "/t/status?fieldManager=skep-operator&force=true",
	     KUBE_APPLY, THING(",\"status\":{\"pods\":12}"), 200);
	answer = call(client, "GET", THINGS_PATH "/t", NULL, NULL);
	assert_int_equal(json_integer(answer.body, 0, "status", "pods"), 12);
	answer_free(&answer);
	answer =
		call(client, "PATCH", THINGS_PATH "/t/status?fieldManager=skep-operator&force=true",
		     KUBE_APPLY, THING(",\"status\":{\"pods\":\"many\"}"));
	/* 1.20 says 500 to what does not fit the schema, later versions 4xx. */
	assert_int_not_equal(answer.status / 100, 2);
	assert_non_null(strstr(answer.reason, "pods"));
	answer_free(&answer);
}

static const char account[] =
	"{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"agent\"}}";
static const char pod[] =
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"agent-1\"},"
	"\"spec\":{\"serviceAccountName\":\"agent\",\"containers\":[{\"name\":\"c\",\"image\":"
	"\"i\"}]}}";

/* A token for the audience "skep-operator", bound to the pod; the caller frees it. */
static char *bound_token(struct kube_client *client, const char *pod_uid)
{
	char *request = format("{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":"
			       "\"TokenRequest\",\"spec\":{\"audiences\":[\"skep-operator\"],"
			       "\"expirationSeconds\":3600,\"boundObjectRef\":{\"kind\":\"Pod\","
			       "\"apiVersion\":\"v1\",\"name\":\"agent-1\",\"uid\":\"%s\"}}}",
			       pod_uid);
	struct answer answer = call(client, "POST", NAMESPACE_PATH "/serviceaccounts/agent/token",
				    KUBE_JSON, request);
	char *token = strdup(json_text(answer.body, "status", "token"));

	assert_string_not_equal(token, "");
	answer_free(&answer);
	free(request);
	return token;
}

struct verdict {
	bool has_come;
	char owner[256];
	char refusal[512];
};

static void on_reviewed(void *context, const struct kube_token_owner *owner, const char *refusal,
			bool answered)
{
	struct verdict *verdict = context;

	assert_true(answered);

	verdict->has_come = true;
	if (owner)
		snprintf(verdict->owner, sizeof(verdict->owner), "%s %s %s", owner->username,
			 owner->pod_name, owner->pod_uid);
	snprintf(verdict->refusal, sizeof(verdict->refusal), "%s", refusal ? refusal : "");
}

static struct verdict review(struct kube_client *client, const char *token, const char *audience)
{
	struct verdict verdict = {0};

	assert_int_equal(kube_token_review(client, token, audience, on_reviewed, &verdict, NULL),
			 0);
	while (!verdict.has_come)
		uv_run(&cluster.loop, UV_RUN_ONCE);
	return verdict;
}

static void reviews_a_bound_token(void **state)
{
	struct kube_client *client = cluster.first.client;
	struct answer answer;
	struct verdict verdict;
	char *token, *owner;

	(void)state;
	need_cluster();
	must(client, "POST", NAMESPACE_PATH "/serviceaccounts", KUBE_JSON, account, 201);
	answer = call(client, "POST", NAMESPACE_PATH "/pods", KUBE_JSON, pod);
	assert_int_equal(answer.status, 201);
	token = bound_token(client, json_text(answer.body, "metadata", "uid"));
	owner = format("system:serviceaccount:default:agent agent-1 %s",
		       json_text(answer.body, "metadata", "uid"));
	answer_free(&answer);
	verdict = review(client, token, "skep-operator");
	assert_string_equal(verdict.refusal, "");
	assert_string_equal(verdict.owner, owner);
	verdict = review(client, token, "another");
	assert_string_equal(verdict.owner, "");
	assert_string_not_equal(verdict.refusal, "");
	verdict = review(client, "nonsense", "skep-operator");
	assert_string_equal(verdict.owner, "");
	assert_string_not_equal(verdict.refusal, "");
	free(token);
	free(owner);
}

static const char reader[] =
	"{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"Role\",\"metadata\":{"
	"\"name\":\"reader\"},\"rules\":[{\"apiGroups\":[\"skep.dev\"],\"resources\":["
	"\"observabilitypolicies\"],\"verbs\":[\"get\"]}]}";
static const char reader_binding[] =
	"{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\","
	"\"metadata\":{\"name\":\"reader\"},\"roleRef\":{\"apiGroup\":"
	"\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"reader\"},\"subjects\":[{"
	"\"kind\":\"Group\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":\"readers\"}]}";

static void on_allowed(void *context, bool allowed, const char *failure)
{
	assert_null(failure);
	*(int *)context = allowed;
}

/* Whether a member of a group may get policies in a namespace. */
static bool may_get(const char *group, const char *namespace)
{
	char *text = format("{\"username\":\"ann\",\"groups\":[\"%s\"]}", group);
	cJSON *user = cJSON_Parse(text);
	const struct kube_access_question question = {.user = user,
						      .verb = "get",
						      .group = "skep.dev",
						      .resource = "observabilitypolicies",
						      .namespace = namespace};
	int allowed = -1;

	assert_int_equal(
		kube_access_review(cluster.first.client, &question, on_allowed, &allowed, NULL), 0);
	while (allowed < 0)
		uv_run(&cluster.loop, UV_RUN_ONCE);
	cJSON_Delete(user);
	free(text);
	return allowed;
}

static void reviews_rights(void **state)
{
	static const char path[] = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
	static const char binding_path[] =
		"/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";

	(void)state;
	need_cluster();
	assert_false(may_get("readers", "default"));
	must(cluster.first.client, "POST", path, KUBE_JSON, reader, 201);
	must(cluster.first.client, "POST", binding_path, KUBE_JSON, reader_binding, 201);
	for (int i = 0; i < 100 && !may_get("readers", "default"); i++)
		run_for(100); /* the server takes a moment to know */
	assert_true(may_get("readers", "default"));
	assert_false(may_get("readers", "kube-system"));
	assert_false(may_get("readers", ""));
	assert_false(may_get("others", "default"));
	assert_true(may_get("system:masters", ""));
}

static void writes_events(void **state)
{
	const struct kube_object_reference object = {"v1", "ConfigMap", "default", "a", "u-1"};
	struct kube_client *client = cluster.first.client;
	int events = 0, count = 0;

	(void)state;
	need_cluster();
	kube_event_send(client, &object, true, "Tested", "it was", "skep-operator");
	kube_event_send(client, &object, true, "Tested", "it was", "skep-operator");
	for (int i = 0; i < WAIT_SECONDS * 10 && count < 2; i++) {
		struct answer answer =
			call(client, "GET", NAMESPACE_PATH "/events?fieldSelector=reason%3DTested",
			     NULL, NULL);
		const cJSON *items = json_find(answer.body, "items");

		events = cJSON_GetArraySize(items);
		count = (int)json_integer(cJSON_GetArrayItem(items, 0), 0, "count");
		answer_free(&answer);
		run_for(100);
	}
	assert_int_equal(events, 1);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_a_collection),
		cmocka_unit_test(catches_up_after_a_restart_of_the_api_server),
		cmocka_unit_test(applies_the_status_of_a_custom_resource),
		cmocka_unit_test(reviews_a_bound_token),
		cmocka_unit_test(reviews_rights),
		cmocka_unit_test(writes_events),
	};

	return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
