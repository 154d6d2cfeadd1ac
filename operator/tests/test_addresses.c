// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "operator/addresses.h"
#include "operator/lookups.h"

#define EARLY "2026-11-21T05:00:00Z"
#define LATE  "2026-11-21T06:00:00Z"

static void assert_whose(const struct addresses *addresses, const char *text, enum peer_kind kind,
			 const char *name)
{
	struct ip_address address = address_of(text);
	struct peer peer = addresses_find(addresses, &address);

	if (peer.kind != kind || strcmp(peer.name, name) != 0)
		fail_msg("%s is of %s %s, not of %s", text, peer_kind_name(peer.kind), peer.name,
			 name);
}

static void knows_whose_an_address_is(void **state)
{
	struct addresses addresses = {0};
	struct cluster_node node = {.name = (char *)"n1"};
	struct pod *pod = pod_at("a", EARLY, "[{'ip': '10.0.0.7'}, {'ip': 'fd00::7'}]");
	struct service *service = service_in(
		"shop", "cart", "{'clusterIP': '10.96.0.9', 'externalIPs': ['1.1.1.1']}");
	cleanup_json cJSON *object = json_of(
		"{'status': {'addresses': [{'type': 'InternalIP', 'address': '192.168.0.1'},"
		" {'type': 'ExternalIP', 'address': '203.0.113.5'},"
		" {'type': 'Hostname', 'address': '192.168.0.2'}]}}");
	struct ip_address address = address_of("fd00::7");
	struct peer peer;

	(void)state;
	assert_false(cluster_node_has_addresses(&node, object));
	assert_int_equal(cluster_set_node_addresses(&node, object), 0);
	assert_true(cluster_node_has_addresses(&node, object));
	assert_int_equal(addresses_add_pod(&addresses, pod), 0);
	assert_int_equal(addresses_add_service(&addresses, service), 0);
	assert_int_equal(addresses_add_node(&addresses, &node), 0);
	assert_whose(&addresses, "10.0.0.7", PEER_POD, "a");
	assert_whose(&addresses, "10.96.0.9", PEER_SERVICE, "cart");
	assert_whose(&addresses, "1.1.1.1", PEER_SERVICE, "cart");
	assert_whose(&addresses, "192.168.0.1", PEER_NODE, "n1");
	assert_whose(&addresses, "203.0.113.5", PEER_NODE, "n1");
	assert_whose(&addresses, "192.168.0.2", PEER_EXTERNAL, "");
	peer = addresses_find(&addresses, &address);
	assert_string_equal(peer.namespace, "shop");
	assert_string_equal(peer.uid, "uid-a");
	assert_string_equal(peer.workload_kind, "Pod");
	assert_string_equal(peer.workload_name, "a");

	addresses_take_pod(&addresses, pod);
	addresses_take_service(&addresses, service);
	addresses_take_node(&addresses, &node);
	assert_int_equal(addresses.holders.count, 0);
	pod_free(pod);
	service_free(service);
	free(node.addresses);
}

/* A pod that is over may still claim the address that its follower has. */
static void gives_an_address_to_the_later_pod(void **state)
{
	for (int turn = 0; turn < 2; turn++) {
		struct addresses addresses = {0};
		struct pod *old = pod_at("z", EARLY, "[{'ip': '10.0.0.7'}]");
		struct pod *new = pod_at("a", LATE, "[{'ip': '10.0.0.7'}]");

		(void)state;
		assert_int_equal(addresses_add_pod(&addresses, turn ? old : new), 0);
		assert_int_equal(addresses_add_pod(&addresses, turn ? new : old), 0);
		assert_whose(&addresses, "10.0.0.7", PEER_POD, "a");
		addresses_take_pod(&addresses, turn ? old : new);
		assert_whose(&addresses, "10.0.0.7", PEER_POD, turn ? "a" : "z");
		addresses_take_pod(&addresses, turn ? new : old);
		assert_whose(&addresses, "10.0.0.7", PEER_EXTERNAL, "");
		pod_free(old);
		pod_free(new);
	}
}

/* Whoever may edit a Service may write any address into it. */
static void lets_nobody_rob_an_address(void **state)
{
	struct addresses addresses = {0};
	struct cluster_node node = {.name = (char *)"n1"};
	struct pod *pod = pod_at("a", EARLY, "[{'ip': '10.0.0.7'}]");
	struct service *first = service_in("shop", "a", "{'clusterIP': '10.96.0.9'}");
	struct service *thief =
		service_in("evil", "0",
			   "{'externalIPs': ['10.0.0.7', '192.168.0.1', '10.96.0.9', '9.9.9.9']}");
	cleanup_json cJSON *object = json_of(
		"{'status': {'addresses': [{'type': 'InternalIP', 'address': '192.168.0.1'}]}}");

	(void)state;
	assert_int_equal(cluster_set_node_addresses(&node, object), 0);
	assert_int_equal(addresses_add_service(&addresses, thief), 0);
	assert_int_equal(addresses_add_pod(&addresses, pod), 0);
	assert_int_equal(addresses_add_service(&addresses, first), 0);
	assert_int_equal(addresses_add_node(&addresses, &node), 0);
	assert_whose(&addresses, "10.0.0.7", PEER_POD, "a");
	assert_whose(&addresses, "192.168.0.1", PEER_NODE, "n1");
	assert_whose(&addresses, "10.96.0.9", PEER_SERVICE, "a");
	assert_whose(&addresses, "9.9.9.9", PEER_SERVICE, "0");
	addresses_clear(&addresses);
	pod_free(pod);
	service_free(first);
	service_free(thief);
	free(node.addresses);
}

/* What agents are told. */

struct bench {
	struct addresses addresses;
	struct lookups lookups;
	struct asker a, b;
};

static void on_changed(void *context, const struct ip_address *address)
{
	lookups_mark(context, address);
}

static struct bench *bench_new(void)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	bench->addresses.changed = on_changed;
	bench->addresses.context = &bench->lookups;
	lookups_join(&bench->lookups, &bench->a);
	lookups_join(&bench->lookups, &bench->b);
	return bench;
}

static void bench_free(struct bench *bench)
{
	lookups_leave(&bench->lookups, &bench->a);
	lookups_leave(&bench->lookups, &bench->b);
	assert_null(bench->lookups.askers);
	addresses_clear(&bench->addresses);
	free(bench);
}

static int ask(struct asker *asker, const char *address)
{
	struct lookup lookup = {.address_count = 1};

	lookup.addresses[0] = address_of(address);
	return lookups_ask(asker, &lookup);
}

static void forget(struct asker *asker, const char *address)
{
	struct lookup lookup = {.forget_count = 1};

	lookup.forget[0] = address_of(address);
	assert_int_equal(lookups_ask(asker, &lookup), 0);
}

/* Fails unless the asker is told of one address, and of whom; NULL: of nothing. */
static void assert_told(struct bench *bench, struct asker *asker, const char *address,
			const char *name)
{
	cleanup_json cJSON *message = lookups_tell(asker, &bench->addresses);
	const cJSON *item = cJSON_GetArrayItem(peers_array(message), 0);

	if (!address) {
		assert_null(message);
		return;
	}
	assert_int_equal(cJSON_GetArraySize(peers_array(message)), 1);
	assert_string_equal(json_text(item, "address"), address);
	assert_string_equal(json_text(item, "name"), name);
	assert_false(asker->due);
}

static void answers_and_tells_of_changes(void **state)
{
	struct bench *bench = bench_new();
	struct pod *pod = pod_at("a", EARLY, "[{'ip': '10.0.0.7'}]");
	struct pod *new = pod_at("b", LATE, "[{'ip': '10.0.0.7'}]");

	(void)state;
	assert_told(bench, &bench->a, NULL, NULL);
	assert_int_equal(ask(&bench->a, "10.0.0.7"), 0);
	assert_told(bench, &bench->a, "10.0.0.7", "");
	assert_told(bench, &bench->a, NULL, NULL);
	addresses_add_pod(&bench->addresses, pod);
	assert_true(bench->a.due);
	assert_false(bench->b.due);
	assert_told(bench, &bench->a, "10.0.0.7", "a");

	/* The address goes to another pod before the first one is seen to be gone. */
	addresses_add_pod(&bench->addresses, new);
	assert_told(bench, &bench->a, "10.0.0.7", "b");
	addresses_take_pod(&bench->addresses, pod);
	assert_told(bench, &bench->a, NULL, NULL);

	assert_int_equal(ask(&bench->a, "10.0.0.7"), 0);
	assert_told(bench, &bench->a, "10.0.0.7", "b");
	forget(&bench->a, "10.0.0.7");
	forget(&bench->a, "10.0.0.8");
	addresses_take_pod(&bench->addresses, new);
	assert_told(bench, &bench->a, NULL, NULL);
	bench_free(bench);
	pod_free(pod);
	pod_free(new);
}

static void says_nothing_when_a_pod_is_only_updated(void **state)
{
	struct bench *bench = bench_new();
	struct pod *pod = pod_at("a", EARLY, "[{'ip': '10.0.0.7'}]");
	struct pod *same = pod_at("a", EARLY, "[{'ip': '10.0.0.7'}]");

	(void)state;
	addresses_add_pod(&bench->addresses, pod);
	ask(&bench->a, "10.0.0.7");
	assert_told(bench, &bench->a, "10.0.0.7", "a");
	assert_true(pod_holds_same(pod, same));
	addresses_renew_pod(&bench->addresses, pod, same);
	pod_free(pod);
	assert_told(bench, &bench->a, NULL, NULL);
	assert_whose(&bench->addresses, "10.0.0.7", PEER_POD, "a");
	addresses_take_pod(&bench->addresses, same);
	assert_int_equal(bench->addresses.holders.count, 0);
	bench_free(bench);
	pod_free(same);
}

static void makes_one_message_of_a_burst(void **state)
{
	struct bench *bench = bench_new();
	struct lookup lookup = {0};
	cJSON *message;
	char text[32];

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d", (i * 37) % 200);
		lookup.addresses[lookup.address_count++] = address_of(text);
	}
	assert_int_equal(lookups_ask(&bench->a, &lookup), 0);
	assert_int_equal(lookups_ask(&bench->a, &lookup), 0);
	message = lookups_tell(&bench->a, &bench->addresses);
	assert_int_equal(cJSON_GetArraySize(peers_array(message)), 200);
	cJSON_Delete(message);
	assert_null(lookups_tell(&bench->a, &bench->addresses));
	bench_free(bench);
}

static void bounds_what_an_agent_may_ask(void **state)
{
	struct bench *bench = bench_new();
	char text[32];

	(void)state;
	for (int i = 0; i < LOOKUPS_LIMIT; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.%d", i % 7, i / 256, i % 256);
		assert_int_equal(ask(&bench->a, text), 0);
	}
	assert_int_equal(ask(&bench->a, "fd00::1"), 1);
	assert_int_equal(ask(&bench->b, "fd00::1"), 0);
	assert_int_equal(ask(&bench->a, "10.0.0.0"), 0);
	forget(&bench->a, "10.0.0.0");
	assert_int_equal(ask(&bench->a, "fd00::1"), 0);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_whose_an_address_is),
		cmocka_unit_test(gives_an_address_to_the_later_pod),
		cmocka_unit_test(lets_nobody_rob_an_address),
		cmocka_unit_test(answers_and_tells_of_changes),
		cmocka_unit_test(says_nothing_when_a_pod_is_only_updated),
		cmocka_unit_test(makes_one_message_of_a_burst),
		cmocka_unit_test(bounds_what_an_agent_may_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
