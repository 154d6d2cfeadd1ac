// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Aggregation, conditions and status together: from what agents report to what an owner reads. */

#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "lib/base/text.h"
#include "operator/cluster.h"
#include "operator/compile.h"
#include "operator/conditions.h"
#include "operator/expiry.h"
#include "operator/fleet.h"
#include "operator/status.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TCP		   "{'selector': {}, 'probes': [{'type': 'TCP'}]}"

/* A cluster, its agents, and the clock. */
struct scene {
	struct cluster cluster;
	struct fleet fleet;
	struct policy *policy;
	uint64_t now_ms;
};

static void add_node(struct scene *scene, const char *name, const char *label_text)
{
	struct labels labels = labels_of(label_text);
	struct fleet_node *node;
	bool changed;

	assert_int_equal(cluster_set_node(&scene->cluster, name, &labels, &changed), 0);
	node = fleet_ensure_node(&scene->fleet, name, scene->now_ms);
	assert_non_null(node);
	fleet_node_connect(node, true, scene->now_ms);
}

/* Adds a pod and selects it on its node, as the operator does. */
static void add_pod_in(struct scene *scene, const char *namespace, const char *name,
		       const char *node_name)
{
	const struct cluster_node *cluster_node = cluster_find_node(&scene->cluster, node_name);
	struct fleet_node *node = fleet_find_node(&scene->fleet, node_name);
	const struct policy_lists policies = {.of_namespace = scene->policy};
	struct pod *pod = pod_in(namespace, name, node_name, "{}");
	struct selected_pod *selected = NULL;

	assert_int_equal(cluster_add_pod(&scene->cluster, pod), 0);
	assert_int_equal(compile_pod(&policies, pod, &cluster_node->labels, &selected), 0);
	assert_true(fleet_node_select(node, pod->uid, selected) >= 0);
}

static void add_pod(struct scene *scene, const char *name, const char *node_name)
{
	add_pod_in(scene, "shop", name, node_name);
}

static struct scene scene_with(struct policy *policy)
{
	struct scene scene = {.fleet = {.epoch = strdup("e")}, .policy = policy};

	assert_int_equal(cluster_add_policy(&scene.cluster, policy), 0);
	add_node(&scene, "n1", "{'pool': 'main'}");
	add_node(&scene, "n2", "{'pool': 'canary'}");
	return scene;
}

static struct scene scene_of(const char *spec)
{
	return scene_with(policy_in("shop", "p", spec));
}

static void scene_end(struct scene *scene)
{
	cluster_clear(&scene->cluster);
	fleet_clear(&scene->fleet);
}

/* The agent of the node has done all that it was told, except for what stands in `pods`. */
static void answer(struct scene *scene, const char *node_name, const char *pods)
{
	struct fleet_node *node = fleet_find_node(&scene->fleet, node_name);
	cleanup_json cJSON *json = NULL;
	struct report report;
	struct error error = {0};

	cJSON_Delete(fleet_node_delta(&scene->fleet, node));
	json = json_format("{'epoch': 'e', 'revision': %d, 'pods': [%s]}", (int)node->revision,
			   pods);
	if (report_decode(json, &report, &error) < 0)
		fail_msg("%s", error.message);
	fleet_node_take_report(&scene->fleet, node, &report);
}

#define EXCEPTION(pod, state)                                                                      \
	"{'uid': 'uid-" pod "', 'probe': 'TCP', 'state': '" state "', 'reason': 'Some" state       \
	"', 'message': 'do something'}"

static cJSON *status_of(const struct scene *scene, const cJSON *previous, time_t now)
{
	struct aggregate aggregate =
		aggregate_policy(scene->policy, &scene->cluster, &scene->fleet, scene->now_ms);
	cJSON *status = status_make(scene->policy, &aggregate, previous, now);

	assert_non_null(status);
	return status;
}

/* "Ready=True Attached ..." of every condition, in order. */
static void describe(const cJSON *status, char *out, size_t size)
{
	static const char *const types[] = {"Ready",	"Reconciling", "Stalled", "Accepted",
					    "Degraded", "Throttled",   "Expired"};
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		const cJSON *condition = condition_find(json_find(status, "conditions"), types[i]);

		assert_non_null(condition);
		assert_int_equal(json_integer(condition, 0, "observedGeneration"), 3);
		assert_true(*json_text(condition, "reason") && *json_text(condition, "message"));
		length += (size_t)snprintf(out + length, size - length, "%s%s=%s:%s", i ? " " : "",
					   types[i], json_text(condition, "status"),
					   json_text(condition, "reason"));
	}
}

static const char *message_of(const cJSON *status, const char *type)
{
	return json_text(condition_find(json_find(status, "conditions"), type), "message");
}

/*
 * What kstatus makes of the conditions (cli-utils, pkg/kstatus/status/generic.go): Reconciling
 * means InProgress, Stalled means Failed, then Ready=False means InProgress.
 */
static const char *kstatus_of(const cJSON *status)
{
	const cJSON *conditions = json_find(status, "conditions");

	if (strcmp(json_text(condition_find(conditions, "Reconciling"), "status"), "True") == 0)
		return "InProgress";
	if (strcmp(json_text(condition_find(conditions, "Stalled"), "status"), "True") == 0)
		return "Failed";
	if (strcmp(json_text(condition_find(conditions, "Ready"), "status"), "True") == 0)
		return "Current";
	return "InProgress";
}

#define WITHIN	    "Throttled=False:WithinBounds "
#define NOT_EXPIRED WITHIN "Expired=False:NotExpired"

/* What one pod `a` on node n1 comes to. */
struct verdict_case {
	const char *spec;
	bool pod;
	const char *answer; /* NULL: the agent has not answered */
	const char *conditions, *kstatus, *pods, *nodes, *state;
};

static const struct verdict_case verdict_cases[] = {
	{"{'probes': []}", true, NULL,
	 "Ready=False:InvalidSpec Reconciling=False:Settled Stalled=True:InvalidSpec "
	 "Accepted=False:InvalidSpec Degraded=False:NoFailures " NOT_EXPIRED,
	 "Failed", "0/0", "0/0", ""},
	{"{'selector': {}, 'suspend': true, 'probes': [{'type': 'TCP'}]}", true, "",
	 "Ready=True:Suspended Reconciling=False:Settled Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "Current", "0/0", "0/0", "Idle"},
	{"{'selector': {}, 'mode': 'Preview', 'probes': [{'type': 'TCP'}]}", true, "",
	 "Ready=True:Preview Reconciling=False:Settled Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "Current", "0/1", "0/1", "Idle"},
	{TCP, false, "",
	 "Ready=True:NoMatchingPods Reconciling=False:Settled Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "Current", "0/0", "0/0", "Idle"},
	{"{'selector': {}, 'nodeSelector': {'pool': 'canary'}, 'probes': [{'type': 'TCP'}]}", true,
	 "",
	 "Ready=True:NoMatchingNodes Reconciling=False:Settled Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "Current", "0/0", "0/0", "Idle"},
	{TCP, true, NULL,
	 "Ready=False:Progressing Reconciling=True:Progressing Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "InProgress", "0/1", "0/1", "Progressing"},
	{TCP, true, "",
	 "Ready=True:Attached Reconciling=False:Settled Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "Current", "1/1", "1/1", "Attached"},
	{TCP, true, EXCEPTION("a", "Waiting"),
	 "Ready=True:WaitingForContainers Reconciling=False:Settled Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=False:NoFailures " NOT_EXPIRED,
	 "Current", "0/1", "1/1", "Waiting"},
	{TCP, true, EXCEPTION("a", "Failed"),
	 "Ready=False:SomeFailed Reconciling=True:Retrying Stalled=False:Settled "
	 "Accepted=True:Valid Degraded=True:SomeFailed " NOT_EXPIRED,
	 "InProgress", "0/1", "0/1", "Failed"},
	{TCP, true, EXCEPTION("a", "Unsupported"),
	 "Ready=False:SomeUnsupported Reconciling=False:Settled Stalled=True:SomeUnsupported "
	 "Accepted=True:Valid Degraded=True:SomeUnsupported " NOT_EXPIRED,
	 "Failed", "0/1", "0/1", "Unsupported"},
};

static void check_verdict(const struct verdict_case *test)
{
	struct scene scene = scene_of(test->spec);
	cJSON *status;
	char conditions[512];

	if (test->pod)
		add_pod(&scene, "a", "n1");
	if (test->answer)
		answer(&scene, "n1", test->answer);
	status = status_of(&scene, NULL, 0);
	describe(status, conditions, sizeof(conditions));
	assert_string_equal(conditions, test->conditions);
	assert_string_equal(kstatus_of(status), test->kstatus);
	assert_string_equal(json_text(status, "summary", "pods"), test->pods);
	assert_string_equal(json_text(status, "summary", "nodes"), test->nodes);
	assert_string_equal(json_text(json_find(status, "probes")->child, "state"), test->state);
	assert_int_equal(json_integer(status, 0, "observedGeneration"), 3);
	cJSON_Delete(status);
	scene_end(&scene);
}

static void judges_every_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(verdict_cases); i++)
		check_verdict(&verdict_cases[i]);
}

/* It ends its probes by itself, and says when and how to go on. */
static void tells_of_expiry(void **state)
{
	struct scene scene = scene_of("{'selector': {}, 'expiresAfter': '90m',"
				      " 'probes': [{'type': 'TCP'}]}");
	cJSON *status;
	char conditions[512];

	(void)state;
	add_pod(&scene, "a", "n1");
	answer(&scene, "n1", "");
	expiry_begin(scene.policy, NULL, 0);
	status = status_of(&scene, NULL, 0);
	assert_string_equal(json_text(status, "expiresAt"), "1970-01-01T01:30:00Z");
	assert_says(message_of(status, "Expired"), "1970-01-01T01:30:00Z");
	assert_string_equal(kstatus_of(status), "Current");
	cJSON_Delete(status);

	assert_true(expiry_check(scene.policy, 5400));
	status = status_of(&scene, NULL, 5400);
	describe(status, conditions, sizeof(conditions));
	assert_string_equal(conditions,
			    "Ready=False:Expired Reconciling=False:Settled Stalled=True:Expired "
			    "Accepted=True:Valid Degraded=False:NoFailures " WITHIN
			    "Expired=True:Expired");
	assert_says(message_of(status, "Ready"), "1970-01-01T01:30:00Z, 90m after");
	assert_says(message_of(status, "Ready"), "change spec.expiresAfter");
	assert_string_equal(kstatus_of(status), "Failed");
	assert_string_equal(json_text(status, "summary", "pods"), "0/0");
	cJSON_Delete(status);
	scene_end(&scene);
}

static void tells_what_quotas_say(void **state)
{
	struct scene scene = scene_of(TCP);
	cJSON *status;
	char conditions[512];

	(void)state;
	add_pod(&scene, "a", "n1");
	answer(&scene, "n1", "");
	error_set(&scene.policy->quota_note, 0, "no text leaves");
	status = status_of(&scene, NULL, 0);
	assert_string_equal(message_of(status, "Accepted"),
			    "the policy can be carried out; no text leaves");
	cJSON_Delete(status);
	scene.policy->over_quota = true;
	error_set(&scene.policy->quota_refusal, 0, "too many");
	status = status_of(&scene, NULL, 0);
	describe(status, conditions, sizeof(conditions));
	assert_string_equal(
		conditions,
		"Ready=False:QuotaExceeded Reconciling=False:Settled Stalled=True:QuotaExceeded "
		"Accepted=False:QuotaExceeded Degraded=False:NoFailures " NOT_EXPIRED);
	assert_string_equal(message_of(status, "Accepted"), "too many");
	assert_string_equal(kstatus_of(status), "Failed");
	cJSON_Delete(status);
	scene_end(&scene);
}

/* The agent of the node has done all that it was told, and says who is beyond a bound. */
static void answer_throttled(struct scene *scene, const char *node_name, const char *throttled)
{
	struct fleet_node *node = fleet_find_node(&scene->fleet, node_name);
	cleanup_json cJSON *json = NULL;
	struct report report;

	cJSON_Delete(fleet_node_delta(&scene->fleet, node));
	json = json_format("{'epoch': 'e', 'revision': %d, 'pods': [], 'throttled': [%s]}",
			   (int)node->revision, throttled);
	assert_int_equal(report_decode(json, &report, NULL), 0);
	fleet_node_take_report(&scene->fleet, node, &report);
}

static void expect_throttled(struct scene *scene, const char *reason, const char *message)
{
	cleanup_json cJSON *status = status_of(scene, NULL, 0);
	const cJSON *throttled = condition_find(json_find(status, "conditions"), "Throttled");

	assert_string_equal(json_text(throttled, "status"), reason ? "True" : "False");
	assert_string_equal(json_text(throttled, "reason"), reason ? reason : "WithinBounds");
	if (message)
		assert_string_equal(json_text(throttled, "message"), message);
	assert_string_equal(
		json_text(condition_find(json_find(status, "conditions"), "Ready"), "status"),
		"True");
}

static void tells_who_is_beyond_a_bound(void **state)
{
	struct scene scene = scene_of(TCP);
	struct policy_bound *bounds = scene.policy->bounds;

	(void)state;
	add_pod(&scene, "a", "n1");
	add_pod(&scene, "b", "n2");
	answer_throttled(&scene, "n1", "{'policy': 'shop/other', 'eventsPerSecond': 5}");
	answer_throttled(&scene, "n2", "");
	expect_throttled(&scene, NULL, NULL);
	bounds[BUDGET_EVENTS] = (struct policy_bound){5, "tenants"};
	answer_throttled(&scene, "n1", "{'policy': 'shop/p', 'eventsPerSecond': 5}");
	expect_throttled(&scene, "EventsShed",
			 "1 of 2 nodes sheds events beyond 5 a second on each (ProbeQuota "
			 "\"tenants\"); ask for fewer, or ask whoever runs the cluster for more");
	bounds[BUDGET_EVENTS] = (struct policy_bound){5, ""};
	bounds[BUDGET_SERIES] = (struct policy_bound){100, "tenants"};
	answer_throttled(&scene, "n1",
			 "{'policy': 'shop/p', 'eventsPerSecond': 5, 'shedPerSecond': 200}");
	answer_throttled(&scene, "n2",
			 "{'policy': 'shop/p', 'eventsPerSecond': 5, 'shedPerSecond': 30,"
			 " 'series': 100}");
	expect_throttled(
		&scene, "EventsShed",
		"2 of 2 nodes shed events, about 230 a second, beyond 5 a second on each "
		"(spec.budget.eventsPerSecond); raise that, or ask for fewer; 1 of 2 nodes adds up "
		"what is beyond 100 series in overflow series (ProbeQuota \"tenants\"); tell fewer "
		"apart (routes, selector), or ask whoever runs the cluster for more");
	answer_throttled(&scene, "n1", "");
	answer_throttled(&scene, "n2", "{'policy': 'shop/p', 'series': 50000}");
	expect_throttled(&scene, "SeriesOverflowed",
			 "1 of 2 nodes adds up what is beyond 50000 series in overflow series "
			 "(of all policies of a node, each namespace has its share); tell fewer "
			 "apart (routes, selector)");
	bounds[BUDGET_SERIES] = (struct policy_bound){0};
	answer_throttled(&scene, "n2", "{'policy': 'shop/p', 'series': 10000}");
	expect_throttled(&scene, "SeriesOverflowed",
			 "1 of 2 nodes adds up what is beyond 10000 series in overflow series (as "
			 "many as any policy may have); tell fewer apart (routes, selector)");
	answer_throttled(&scene, "n2", "");
	expect_throttled(&scene, NULL, NULL);
	scene_end(&scene);
}

/* A pod can have so many policies: one that is left out says so, on which pod and what to do. */
static void tells_of_a_crowded_pod(void **state)
{
	struct scene scene = scene_of(TCP);
	struct policy *first = policy_of("a", TCP);
	struct fleet_node *node = fleet_find_node(&scene.fleet, "n1");
	struct selected_pod *selected = NULL;
	const struct labels none = {0};
	struct policy_lists lists = {.of_namespace = first};
	cJSON *status;

	(void)state;
	add_pod(&scene, "a", "n1");
	assert_int_equal(
		compile_pod(&lists, cluster_find_pod(&scene.cluster, "uid-a"), &none, &selected),
		0);
	selected->crowded = true;
	assert_true(fleet_node_select(node, "uid-a", selected) > 0);
	answer(&scene, "n1", "");
	status = status_of(&scene, NULL, 0);
	assert_string_equal(json_text(json_find(status, "failures")->child, "reason"),
			    "TooManyPolicies");
	assert_says(message_of(status, "Degraded"), "a pod can have 256, with names of 8192 bytes");
	assert_says(message_of(status, "Stalled"), "join or delete some of them");
	assert_string_equal(message_of(status, "Reconciling"), "nothing is under way");
	cJSON_Delete(status);
	scene.policy = first; /* which is named */
	assert_int_equal(cluster_add_policy(&scene.cluster, first), 0);
	status = status_of(&scene, NULL, 0);
	assert_says(message_of(status, "Ready"), "1 pod on 1 node is observed");
	cJSON_Delete(status);
	scene_end(&scene);
}

/* Policies of which a report says otherwise than the one before. */
static void marks_policies_that_are_throttled_otherwise(void **state)
{
	struct scene scene = scene_of(TCP);
	struct fleet_node *node = fleet_find_node(&scene.fleet, "n1");

	(void)state;
	add_pod(&scene, "a", "n1");
	answer_throttled(&scene, "n1", "");
	assert_int_equal(node->throttle_news.count, 0);
	answer_throttled(&scene, "n1",
			 "{'policy': 'a', 'series': 7}, {'policy': 'b', 'series': 7}");
	assert_int_equal(node->throttle_news.count, 2);
	strings_free(&node->throttle_news);
	answer_throttled(&scene, "n1",
			 "{'policy': 'b', 'series': 7}, {'policy': 'a', 'series': 7}");
	assert_int_equal(node->throttle_news.count, 0);
	answer_throttled(&scene, "n1", "{'policy': 'a', 'series': 8}");
	assert_true(strings_contain(&node->throttle_news, "a"));
	assert_true(strings_contain(&node->throttle_news, "b"));
	scene_end(&scene);
}

static void previews_what_would_be(void **state)
{
	struct scene scene = scene_of("{'selector': {}, 'mode': 'Preview', 'nodeSelector':"
				      " {'pool': 'main'}, 'probes': [{'type': 'TCP'}]}");
	cJSON *status = status_of(&scene, NULL, 0);

	(void)state;
	assert_says(message_of(status, "Ready"), "nothing would be attached: no scheduled pod");
	cJSON_Delete(status);
	add_pod(&scene, "a", "n1");
	add_pod(&scene, "b", "n2");
	assert_int_equal(fleet_find_node(&scene.fleet, "n1")->entries.count, 0);
	status = status_of(&scene, NULL, 0);
	assert_says(message_of(status, "Ready"), "1 pod on 1 node would be observed");
	assert_int_equal(json_integer(status, -1, "nodes", "matched"), 1);
	assert_int_equal(json_integer(status, -1, "nodes", "ready"), 0);
	assert_int_equal(json_integer(status, -1, "nodes", "skipped"), 1);
	cJSON_Delete(status);
	scene_end(&scene);
}

static void counts_nodes_that_are_left_out(void **state)
{
	struct scene scene = scene_of("{'selector': {}, 'nodeSelector': {'pool': 'canary'},"
				      " 'probes': [{'type': 'TCP'}, {'type': 'Exec'}]}");
	cJSON *status;

	(void)state;
	add_pod(&scene, "a", "n1");
	add_pod(&scene, "b", "n2");
	answer(&scene, "n2", "");
	status = status_of(&scene, NULL, 0);
	assert_int_equal(json_integer(status, -1, "nodes", "skipped"), 1);
	assert_int_equal(json_integer(status, -1, "nodes", "matched"), 1);
	assert_int_equal(json_integer(status, -1, "nodes", "ready"), 1);
	assert_int_equal(json_integer(status, -1, "pods", "matched"), 1);
	assert_string_equal(json_text(status, "summary", "probes"), "TCP,Exec");
	cJSON_Delete(status);
	scene_end(&scene);
}

static void notices_an_agent_that_is_away(void **state)
{
	struct scene scene = scene_of(TCP);
	cJSON *status;

	(void)state;
	add_pod(&scene, "a", "n1");
	add_pod(&scene, "b", "n2");
	answer(&scene, "n1", "");
	answer(&scene, "n2", "");
	fleet_node_connect(fleet_find_node(&scene.fleet, "n2"), false, 0);
	scene.now_ms = FLEET_AGENT_GRACE_MS;
	status = status_of(&scene, NULL, 0);
	assert_int_equal(json_integer(status, -1, "nodes", "failed"), 1);
	assert_int_equal(json_integer(status, -1, "nodes", "ready"), 1);
	assert_string_equal(json_text(json_find(status, "failures")->child, "reason"),
			    "AgentNotConnected");
	assert_says(message_of(status, "Ready"), "1 of 2 pods");
	assert_says(message_of(status, "Ready"), "node n2, pod shop/b, probe TCP");
	cJSON_Delete(status);
	scene_end(&scene);
}

/* What Ready says of the policy, 20 s after the agents of so many nodes went. */
static void says_of_the_unheard(struct scene *scene, const char *said)
{
	cJSON *status;

	scene->now_ms = 2ULL * FLEET_AGENT_GRACE_MS;
	status = status_of(scene, NULL, 0);
	if (said)
		assert_says(message_of(status, "Ready"), said);
	else
		assert_null(strstr(message_of(status, "Ready"), "may go on"));
	cJSON_Delete(status);
}

/* An agent that is away knows nothing of a policy's end: what it attached stays. */
static void tells_who_has_not_heard_of_the_end(void **state)
{
	static const char one[] = "(but node n2 may go on as before until its agent, which is not "
				  "connected, hears of it)";
	static const char both[] = "(but node n1 and 1 other may go on as before until their "
				   "agents, which are not connected, hear of it)";
	struct scene scene = scene_of("{'selector': {}, 'nodeSelector': {}, 'expiresAfter': '1s',"
				      " 'probes': [{'type': 'TCP'}]}");

	(void)state;
	add_pod(&scene, "a", "n1");
	add_pod(&scene, "b", "n2");
	answer(&scene, "n1", "");
	answer(&scene, "n2", "");
	scene.policy->suspend = true;
	says_of_the_unheard(&scene, NULL);
	fleet_node_connect(fleet_find_node(&scene.fleet, "n2"), false, 0);
	says_of_the_unheard(&scene, one);
	scene.policy->suspend = false;
	scene.policy->mode = POLICY_PREVIEW;
	says_of_the_unheard(&scene, one);
	scene.policy->mode = POLICY_ACTIVE;
	scene.policy->expires_at = 1;
	assert_true(expiry_check(scene.policy, 2));
	says_of_the_unheard(&scene, one);
	fleet_remove_node(&scene.fleet, fleet_find_node(&scene.fleet, "n1"));
	says_of_the_unheard(&scene, both);
	scene.fleet.settled_ms = 2ULL * FLEET_AGENT_GRACE_MS + 1; /* it may be on its way */
	says_of_the_unheard(&scene, one);
	scene_end(&scene);
}

/* Two pods of one name on one node: each is told with its namespace. */
static void counts_the_pods_of_all_namespaces_that_a_policy_takes(void **state)
{
	struct policy *policy = cluster_policy_of(
		"p", "{'namespaceSelector': {'matchLabels': {'team': 'a'}}, 'selector': {},"
		     " 'probes': [{'type': 'TCP'}]}");
	static const char *const namespaces[] = {"shop", "bank", "other"};
	struct scene scene = scene_with(policy);
	const cJSON *failure;
	cJSON *status;

	(void)state;
	status = status_of(&scene, NULL, 0);
	assert_says(message_of(status, "Ready"), "spec.namespaceSelector");
	cJSON_Delete(status);
	for (size_t i = 0; i < ARRAY_COUNT(namespaces); i++) {
		struct labels labels = labels_of(i < 2 ? "{'team': 'a'}" : "{'team': 'b'}");
		bool changed;

		assert_int_equal(
			cluster_set_namespace(&scene.cluster, namespaces[i], &labels, &changed), 0);
		add_pod_in(&scene, namespaces[i], "a", "n1");
	}
	fleet_node_connect(fleet_find_node(&scene.fleet, "n1"), false, 0);
	scene.now_ms = FLEET_AGENT_GRACE_MS;
	status = status_of(&scene, NULL, 0);
	assert_string_equal(json_text(status, "summary", "pods"), "0/2");
	failure = json_find(status, "failures")->child;
	assert_string_equal(json_text(failure, "namespace"), "bank");
	assert_string_equal(json_text(failure->next, "namespace"), "shop");
	assert_null(failure->next->next);
	cJSON_Delete(status);
	scene_end(&scene);
}

static void tells_ten_failures_at_most(void **state)
{
	struct scene scene = scene_of(TCP);
	struct text pods = TEXT_EMPTY;
	struct aggregate aggregate;
	cJSON *status;

	(void)state;
	for (int i = 0; i < 12; i++) {
		char name[16];

		snprintf(name, sizeof(name), "pod%d", i);
		add_pod(&scene, name, "n1");
		text_append_format(&pods,
				   "%s{'uid': 'uid-%s', 'probe': 'TCP', 'state': 'Failed',"
				   " 'reason': 'NoRoom'}",
				   i ? "," : "", name);
	}
	answer(&scene, "n1", pods.data);
	aggregate = aggregate_policy(scene.policy, &scene.cluster, &scene.fleet, 0);
	assert_int_equal(aggregate.failure_total, 12);
	assert_int_equal(aggregate.failure_count, AGGREGATE_FAILURES_LIMIT);
	assert_int_equal(aggregate_totals(&aggregate).failed, 12);
	status = status_of(&scene, NULL, 0);
	assert_int_equal(cJSON_GetArraySize(json_find(status, "failures")), 10);
	cJSON_Delete(status);
	text_free(&pods);
	scene_end(&scene);
}

static void names_the_field_of_a_refusal(void **state)
{
	struct scene scene = scene_of("{'probes': [{'type': 'SMTP'}]}");
	cJSON *status = status_of(&scene, NULL, 0);

	(void)state;
	assert_says(message_of(status, "Accepted"), "spec.probes[0]");
	assert_says(message_of(status, "Ready"), "spec.probes[0]");
	cJSON_Delete(status);
	scene_end(&scene);
}

static const char *since(const cJSON *status, const char *type)
{
	return json_text(condition_find(json_find(status, "conditions"), type),
			 "lastTransitionTime");
}

static void keeps_the_time_of_the_last_change(void **state)
{
	struct scene scene = scene_of(TCP);
	cJSON *first, *second, *third;

	(void)state;
	add_pod(&scene, "a", "n1");
	first = status_of(&scene, NULL, 1000);
	assert_string_equal(since(first, "Ready"), "1970-01-01T00:16:40Z");
	answer(&scene, "n1", "");
	second = status_of(&scene, first, 2000);
	assert_string_equal(since(second, "Ready"), "1970-01-01T00:33:20Z");
	assert_string_equal(since(second, "Accepted"), "1970-01-01T00:16:40Z");
	third = status_of(&scene, second, 3000);
	assert_true(cJSON_Compare(second, third, true));
	assert_false(status_conditions_differ(second, third));
	assert_true(status_conditions_differ(first, second));
	cJSON_Delete(first);
	cJSON_Delete(second);
	cJSON_Delete(third);
	scene_end(&scene);
}

static void knows_what_passes_and_what_settles(void **state)
{
	struct scene scene = scene_of(TCP);
	cJSON *status;

	(void)state;
	add_pod(&scene, "a", "n1");
	status = status_of(&scene, NULL, 0);
	assert_true(status_is_passing(status, NULL));
	assert_false(status_is_settled(status, scene.policy));
	cJSON_Delete(status);
	answer(&scene, "n1", "");
	status = status_of(&scene, NULL, 0);
	assert_false(status_is_passing(status, NULL));
	assert_true(status_is_settled(status, scene.policy));
	scene.policy->generation++;
	assert_false(status_is_settled(status, scene.policy));
	cJSON_Delete(status);
	answer(&scene, "n1", EXCEPTION("a", "Failed"));
	status = status_of(&scene, NULL, 0);
	assert_false(status_is_passing(status, NULL));
	assert_true(status_is_settled(status, scene.policy));
	cJSON_Delete(status);
	assert_false(status_is_passing(NULL, NULL));
	assert_false(status_is_settled(NULL, scene.policy));
	scene_end(&scene);
}

/* One node says that it failed, the one that said Throttled has not spoken again yet. */
static void takes_no_bound_for_kept_too_soon(void **state)
{
	cJSON *throttled = json_of("{'conditions': [{'type': 'Throttled', 'status': 'True'}]}");
	cJSON *failed = json_of("{'conditions': [{'type': 'Reconciling', 'status': 'True'},"
				" {'type': 'Degraded', 'status': 'True'},"
				" {'type': 'Throttled', 'status': 'False'}]}");

	(void)state;
	assert_true(status_is_passing(failed, throttled));
	assert_false(status_is_passing(failed, failed));
	assert_false(status_is_passing(throttled, throttled));
	cJSON_Delete(throttled);
	cJSON_Delete(failed);
}

/* "Ready- Degraded-" and so on: what would become an Event. */
static void assert_told(const cJSON *previous, const cJSON *status, const char *wanted)
{
	struct status_transition transitions[STATUS_TRANSITIONS_LIMIT];
	size_t count = status_transitions(previous, status, transitions);
	char told[256] = "";

	for (size_t i = 0; i < count; i++) {
		assert_true(*transitions[i].reason);
		snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s%s", i ? " " : "",
			 transitions[i].type, transitions[i].good ? "+" : "-");
	}
	assert_string_equal(told, wanted);
}

static void tells_changes_and_nothing_else(void **state)
{
	struct scene scene = scene_of(TCP), refused = scene_of("{}");
	cJSON *progressing, *ready, *failed, *bad, *throttled;

	(void)state;
	add_pod(&scene, "a", "n1");
	progressing = status_of(&scene, NULL, 0);
	answer(&scene, "n1", "");
	ready = status_of(&scene, progressing, 0);
	answer(&scene, "n1", EXCEPTION("a", "Failed"));
	failed = status_of(&scene, ready, 0);
	bad = status_of(&refused, NULL, 0);
	answer_throttled(&scene, "n1", "{'policy': 'shop/p', 'series': 7}");
	throttled = status_of(&scene, ready, 0);
	assert_told(NULL, throttled, "Ready+ Throttled-");
	assert_told(ready, throttled, "Throttled-");
	assert_told(throttled, throttled, "");
	assert_told(throttled, ready, "Throttled+");
	cJSON_Delete(throttled);
	assert_told(NULL, progressing, "");
	assert_told(NULL, ready, "Ready+");
	assert_told(NULL, failed, "Degraded-");
	assert_told(NULL, bad, "Accepted-");
	assert_told(progressing, ready, "Ready+");
	assert_told(ready, ready, "");
	assert_told(ready, failed, "Ready-");
	assert_told(failed, ready, "Ready+ Degraded+");
	assert_told(ready, bad, "Accepted-");
	assert_told(bad, ready, "Accepted+ Ready+");
	cJSON_Delete(progressing);
	cJSON_Delete(ready);
	cJSON_Delete(failed);
	cJSON_Delete(bad);
	scene_end(&scene);
	scene_end(&refused);
}

/* An agent's words end up in the status; odd bytes in them must not spoil it. */
static void passes_on_only_printable_words(void **state)
{
	struct scene scene = scene_of(TCP);
	cJSON *status;

	(void)state;
	add_pod(&scene, "a", "n1");
	answer(&scene, "n1",
	       "{'uid': 'uid-a', 'probe': 'TCP', 'state': 'Failed', 'reason': 'R',"
	       " 'message': 'bad \\u009b \x7f ü'}");
	status = status_of(&scene, NULL, 0);
	assert_string_equal(json_text(json_find(status, "failures")->child, "message"),
			    "bad ?? ? ü");
	cJSON_Delete(status);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judges_every_state),
		cmocka_unit_test(tells_of_expiry),
		cmocka_unit_test(tells_what_quotas_say),
		cmocka_unit_test(tells_who_is_beyond_a_bound),
		cmocka_unit_test(tells_of_a_crowded_pod),
		cmocka_unit_test(marks_policies_that_are_throttled_otherwise),
		cmocka_unit_test(previews_what_would_be),
		cmocka_unit_test(counts_nodes_that_are_left_out),
		cmocka_unit_test(notices_an_agent_that_is_away),
		cmocka_unit_test(tells_who_has_not_heard_of_the_end),
		cmocka_unit_test(counts_the_pods_of_all_namespaces_that_a_policy_takes),
		cmocka_unit_test(tells_ten_failures_at_most),
		cmocka_unit_test(names_the_field_of_a_refusal),
		cmocka_unit_test(keeps_the_time_of_the_last_change),
		cmocka_unit_test(knows_what_passes_and_what_settles),
		cmocka_unit_test(takes_no_bound_for_kept_too_soon),
		cmocka_unit_test(tells_changes_and_nothing_else),
		cmocka_unit_test(passes_on_only_printable_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
