// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "lib/link/message.h"
#include "operator/fleet.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UIDS		   12 /* pods of the random test */
#define ROUNDS		   3000

static struct fleet fleet_new(void)
{
	return (struct fleet){.epoch = strdup("e1")};
}

/* The pod `uid` as a policy asks for it; each variant asks for something else. */
static struct selected_pod *selected_of(const char *uid, int variant)
{
	static const char *const probes[] = {
		"{'type': 'TCP', 'policies': ['s/p']}",
		"{'type': 'TCP', 'policies': ['s/p', 's/q']}",
		"{'type': 'TCP', 'policies': ['s/p']}, {'type': 'Exec', 'policies': ['s/p']}",
	};
	cleanup_json cJSON *json =
		json_format("{'uid': '%s', 'namespace': 's', 'name': 'pod',"
			    " 'workload': {'kind': 'Pod', 'name': 'pod'}, 'probes': [%s]}",
			    uid, probes[variant]);
	struct selected_pod *pod = NULL;

	assert_int_equal(selected_pod_decode(json, &pod, NULL), 0);
	return pod;
}

#define VARIANTS 3

static int pick(struct fleet_node *node, const char *uid, int variant)
{
	return fleet_node_select(node, uid, variant < 0 ? NULL : selected_of(uid, variant));
}

static void report(const struct fleet *fleet, struct fleet_node *node, const char *text)
{
	cleanup_json cJSON *json = json_of(text);
	struct report report;
	struct error error = {0};

	if (report_decode(json, &report, &error) < 0)
		fail_msg("%s", error.message);
	fleet_node_take_report(fleet, node, &report);
}

static void counts_revisions_by_change(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);
	cJSON *message;

	(void)state;
	fleet_node_connect(node, true, 0);
	message = fleet_node_snapshot(&fleet, node);
	assert_string_equal(json_text(message, "type"), "snapshot");
	assert_string_equal(json_text(message, "epoch"), "e1");
	assert_int_equal(json_integer(message, -1, "revision"), 0);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "pods")), 0);
	cJSON_Delete(message);
	assert_null(fleet_node_delta(&fleet, node));

	assert_int_equal(pick(node, "a", 0), true);
	assert_int_equal(pick(node, "b", 0), true);
	assert_int_equal(pick(node, "stays", 0), true);
	message = fleet_node_delta(&fleet, node);
	assert_int_equal(json_integer(message, -1, "from"), 0);
	assert_int_equal(json_integer(message, -1, "revision"), 1);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "upsert")), 3);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "remove")), 0);
	cJSON_Delete(message);

	assert_int_equal(pick(node, "a", 1), true);
	assert_int_equal(pick(node, "b", -1), true);
	message = fleet_node_delta(&fleet, node);
	assert_int_equal(json_integer(message, -1, "from"), 1);
	assert_int_equal(json_integer(message, -1, "revision"), 2);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "upsert")), 1);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "remove")), 1);
	cJSON_Delete(message);
	fleet_clear(&fleet);
}

static void says_nothing_when_nothing_changed(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);

	(void)state;
	fleet_node_connect(node, true, 0);
	assert_int_equal(pick(node, "a", 0), true);
	cJSON_Delete(fleet_node_delta(&fleet, node));
	assert_int_equal(pick(node, "a", 0), false);
	assert_int_equal(pick(node, "ghost", -1), false);
	assert_null(fleet_node_delta(&fleet, node));
	assert_ptr_equal(fleet_ensure_node(&fleet, "n1", 99), node);
	assert_null(fleet_find_node(&fleet, "n2"));
	fleet_clear(&fleet);
}

/* A node without an agent sees pods come and go for months; that must not add up. */
static void keeps_no_removals_for_an_agent_that_is_away(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);
	cJSON *message;

	(void)state;
	pick(node, "a", 0);
	pick(node, "a", -1);
	assert_int_equal(node->removed.count, 0);
	fleet_node_connect(node, true, 0);
	pick(node, "a", 0);
	pick(node, "a", -1);
	assert_int_equal(node->removed.count, 1);
	message = fleet_node_snapshot(&fleet, node);
	assert_int_equal(cJSON_GetArraySize(json_find(message, "pods")), 0);
	assert_int_equal(node->removed.count, 0);
	cJSON_Delete(message);
	assert_null(fleet_node_delta(&fleet, node));
	fleet_clear(&fleet);
}

static enum probe_standing stands(const struct fleet_node *node, enum probe_type type,
				  uint64_t now_ms)
{
	return fleet_node_standing(node, "a", type, now_ms).standing;
}

/* A probe is pending until a report covers the revision that brought it as it is now. */
static void waits_for_the_revision_of_each_probe(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);

	(void)state;
	fleet_node_connect(node, true, 0);
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_PENDING);
	pick(node, "a", 0);
	cJSON_Delete(fleet_node_delta(&fleet, node));
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_PENDING);
	report(&fleet, node, "{'epoch': 'e1', 'revision': 0, 'pods': []}");
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_PENDING);
	report(&fleet, node, "{'epoch': 'e0', 'revision': 7, 'pods': []}");
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_PENDING);
	report(&fleet, node, "{'epoch': 'e1', 'revision': 1, 'pods': []}");
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_ATTACHED);

	pick(node, "a", 2); /* Exec as well; TCP stays as it was */
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_ATTACHED);
	assert_int_equal(stands(node, PROBE_EXEC, 0), STANDING_PENDING);
	cJSON_Delete(fleet_node_delta(&fleet, node));
	report(&fleet, node, "{'epoch': 'e1', 'revision': 2, 'pods': []}");
	assert_int_equal(stands(node, PROBE_EXEC, 0), STANDING_ATTACHED);

	pick(node, "a", 1);
	assert_int_equal(stands(node, PROBE_TCP, 0), STANDING_PENDING);
	fleet_clear(&fleet);
}

static void stands_as_the_agent_says(void **state)
{
	static const struct {
		const char *state;
		enum probe_standing standing;
	} cases[] = {
		{"Attached", STANDING_ATTACHED},
		{"Waiting", STANDING_WAITING},
		{"Failed", STANDING_FAILED},
		{"Unsupported", STANDING_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct fleet fleet = fleet_new();
		struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);
		struct standing standing;
		char text[256];

		fleet_node_connect(node, true, 0);
		pick(node, "a", 2);
		cJSON_Delete(fleet_node_delta(&fleet, node));
		snprintf(text, sizeof(text),
			 "{'epoch': 'e1', 'revision': 1, 'pods': [{'uid': 'a', 'probe': 'TCP',"
			 " 'state': '%s', 'reason': 'Why', 'message': 'what'}]}",
			 cases[i].state);
		report(&fleet, node, text);
		standing = fleet_node_standing(node, "a", PROBE_TCP, 0);
		assert_int_equal(standing.standing, cases[i].standing);
		assert_string_equal(standing.reason, "Why");
		assert_string_equal(standing.message, "what");
		assert_int_equal(stands(node, PROBE_EXEC, 0), STANDING_ATTACHED);
		fleet_clear(&fleet);
	}
}

static void trusts_the_last_word_for_a_while(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 500);

	(void)state;
	pick(node, "a", 0);
	assert_int_equal(stands(node, PROBE_TCP, 500), STANDING_PENDING);
	assert_int_equal(stands(node, PROBE_TCP, 500 + FLEET_AGENT_GRACE_MS - 1), STANDING_PENDING);
	assert_int_equal(stands(node, PROBE_TCP, 500 + FLEET_AGENT_GRACE_MS), STANDING_FAILED);
	fleet_node_connect(node, true, 20000);
	cJSON_Delete(fleet_node_snapshot(&fleet, node));
	report(&fleet, node, "{'epoch': 'e1', 'revision': 1, 'pods': []}");
	assert_int_equal(stands(node, PROBE_TCP, 90000), STANDING_ATTACHED);
	fleet_node_connect(node, false, 90000);
	assert_int_equal(stands(node, PROBE_TCP, 90000 + FLEET_AGENT_GRACE_MS - 1),
			 STANDING_ATTACHED);
	assert_int_equal(stands(node, PROBE_TCP, 90000 + FLEET_AGENT_GRACE_MS), STANDING_FAILED);
	assert_string_equal(
		fleet_node_standing(node, "a", PROBE_TCP, 90000 + FLEET_AGENT_GRACE_MS).reason,
		"AgentNotConnected");
	fleet_node_connect(node, true, 200000);
	assert_int_equal(stands(node, PROBE_TCP, 200000), STANDING_FAILED);
	report(&fleet, node, "{'epoch': 'e1', 'revision': 1, 'pods': []}");
	assert_int_equal(stands(node, PROBE_TCP, 200000), STANDING_ATTACHED);
	fleet_clear(&fleet);
}

/* The agent greets anew, while the operator still takes the connection before for a good one. */
static void trusts_the_last_word_of_who_greets_again(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);

	(void)state;
	pick(node, "a", 0);
	fleet_node_connect(node, true, 0);
	cJSON_Delete(fleet_node_snapshot(&fleet, node));
	report(&fleet, node, "{'epoch': 'e1', 'revision': 1, 'pods': []}");
	fleet_node_connect(node, true, 90000);
	assert_int_equal(stands(node, PROBE_TCP, 90000), STANDING_PENDING);
	assert_int_equal(stands(node, PROBE_TCP, 90000 + FLEET_AGENT_GRACE_MS), STANDING_FAILED);
	fleet_clear(&fleet);
}

static void trusts_no_agent_that_only_comes_and_goes(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);
	uint64_t now_ms;

	(void)state;
	pick(node, "a", 0);
	fleet_node_connect(node, true, 0);
	cJSON_Delete(fleet_node_snapshot(&fleet, node));
	report(&fleet, node, "{'epoch': 'e1', 'revision': 1, 'pods': []}");
	fleet_node_connect(node, false, 1000);
	for (now_ms = 1000; now_ms < 1000 + FLEET_AGENT_GRACE_MS; now_ms += 1000) {
		fleet_node_connect(node, true, now_ms);
		assert_int_equal(stands(node, PROBE_TCP, now_ms), STANDING_PENDING);
		fleet_node_connect(node, false, now_ms);
	}
	assert_int_equal(stands(node, PROBE_TCP, now_ms), STANDING_FAILED);
	fleet_clear(&fleet);
}

static void select_crowded(struct fleet_node *node, const char *uid, int variant)
{
	struct selected_pod *pod = selected_of(uid, variant);

	pod->crowded = true;
	assert_int_equal(fleet_node_select(node, uid, pod), true);
}

static void knows_whom_a_crowded_pod_leaves_out(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);

	(void)state;
	pick(node, "roomy", 0);
	assert_false(fleet_node_leaves_out(node, "roomy", "s/q"));
	assert_false(fleet_node_leaves_out(node, "unknown", "s/q"));
	select_crowded(node, "a", 0);
	select_crowded(node, "b", 0); /* of the same form */
	assert_false(fleet_node_leaves_out(node, "a", "s/p"));
	assert_true(fleet_node_leaves_out(node, "a", "s/q"));
	assert_true(fleet_node_leaves_out(node, "b", "s/q"));
	select_crowded(node, "a", 1);
	assert_false(fleet_node_leaves_out(node, "a", "s/q"));
	assert_true(fleet_node_leaves_out(node, "b", "s/q"));
	fleet_clear(&fleet);
}

/* An agent as far as selections go: applies messages, holds pods by UID "0", "1", ... */
struct agent {
	struct selected_pod *pods[UIDS];
	uint64_t revision;
};

static void agent_clear(struct agent *agent)
{
	for (int i = 0; i < UIDS; i++)
		agent->pods[i] = selected_pod_free(agent->pods[i]);
}

static void agent_apply(struct agent *agent, cJSON *message)
{
	struct selection_change change;
	const cJSON *item;

	assert_int_equal(selection_change_decode(message, &change, NULL), 0);
	if (change.snapshot)
		agent_clear(agent);
	else
		assert_int_equal(change.from, agent->revision);
	assert_true(change.version.revision >= agent->revision);
	cJSON_ArrayForEach(item, change.remove) {
		int uid = atoi(item->valuestring);

		agent->pods[uid] = selected_pod_free(agent->pods[uid]);
	}
	cJSON_ArrayForEach(item, change.upsert) {
		int uid = atoi(json_text(item, "uid"));

		agent->pods[uid] = selected_pod_free(agent->pods[uid]);
		assert_int_equal(selected_pod_decode(item, &agent->pods[uid], NULL), 0);
	}
	agent->revision = change.version.revision;
	cJSON_Delete(message);
}

static void assert_agent_has(const struct agent *agent, const int variants[UIDS])
{
	for (int i = 0; i < UIDS; i++) {
		struct selected_pod *wanted;
		char uid[16];

		snprintf(uid, sizeof(uid), "%d", i);
		if (variants[i] < 0) {
			assert_null(agent->pods[i]);
			continue;
		}
		wanted = selected_of(uid, variants[i]);
		assert_non_null(agent->pods[i]);
		assert_true(selected_pod_equal(wanted, agent->pods[i]));
		selected_pod_free(wanted);
	}
}

/* xorshift: the same numbers in every run. */
static unsigned int next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* The agent leaves and comes back, and is told everything anew. */
static void reconnect(const struct fleet *fleet, struct fleet_node *node, struct agent *agent)
{
	if (node->connected) {
		fleet_node_connect(node, false, 0);
		return;
	}
	fleet_node_connect(node, true, 0);
	agent_apply(agent, fleet_node_snapshot(fleet, node));
}

static void change_one(struct fleet_node *node, int variants[UIDS], uint32_t *seed)
{
	int pod = (int)(next_random(seed) % UIDS);
	int variant = (int)(next_random(seed) % (VARIANTS + 1)) - 1;
	char uid[16];

	snprintf(uid, sizeof(uid), "%d", pod);
	assert_int_equal(pick(node, uid, variant), variant != variants[pod]);
	variants[pod] = variant;
}

/* Whatever happens in whatever order, an agent that applies what it is told has what holds. */
static void keeps_agents_in_step(void **state)
{
	struct fleet fleet = fleet_new();
	struct fleet_node *node = fleet_ensure_node(&fleet, "n1", 0);
	struct agent agent = {0};
	uint32_t seed = 20260726;
	int variants[UIDS];

	(void)state;
	for (int i = 0; i < UIDS; i++)
		variants[i] = -1;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int act = next_random(&seed) % 10;
		cJSON *delta;

		if (act == 0)
			reconnect(&fleet, node, &agent);
		else if (act < 8)
			change_one(node, variants, &seed);
		if (act < 8 || !node->connected)
			continue;
		delta = fleet_node_delta(&fleet, node);
		if (delta)
			agent_apply(&agent, delta);
		assert_agent_has(&agent, variants);
	}
	agent_clear(&agent);
	fleet_clear(&fleet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_revisions_by_change),
		cmocka_unit_test(says_nothing_when_nothing_changed),
		cmocka_unit_test(keeps_no_removals_for_an_agent_that_is_away),
		cmocka_unit_test(waits_for_the_revision_of_each_probe),
		cmocka_unit_test(stands_as_the_agent_says),
		cmocka_unit_test(trusts_the_last_word_for_a_while),
		cmocka_unit_test(trusts_the_last_word_of_who_greets_again),
		cmocka_unit_test(trusts_no_agent_that_only_comes_and_goes),
		cmocka_unit_test(knows_whom_a_crowded_pod_leaves_out),
		cmocka_unit_test(keeps_agents_in_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
