// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/message.h"
#include "lib/link/peers.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct ip_address address_of(const char *text)
{
	struct ip_address address;

	assert_true(ip_address_parse(text, &address));
	return address;
}

static void carries_a_lookup(void **state)
{
	struct lookup lookup = {
		.addresses = {address_of("10.0.0.7"), address_of("fd00::7")},
		.address_count = 2,
		.forget = {address_of("10.0.0.8")},
		.forget_count = 1,
	};
	struct lookup decoded;
	cleanup_json cJSON *message = lookup_encode(&lookup);
	enum message_type type;

	(void)state;
	assert_int_equal(message_type_decode(message, &type, NULL), 0);
	assert_int_equal(type, MESSAGE_LOOKUP);
	assert_string_equal(cJSON_GetArrayItem(json_find(message, "addresses"), 0)->valuestring,
			    "10.0.0.7");
	assert_int_equal(lookup_decode(message, &decoded, NULL), 0);
	assert_int_equal(decoded.address_count, 2);
	assert_int_equal(decoded.forget_count, 1);
	assert_memory_equal(decoded.addresses, lookup.addresses, 2 * sizeof(lookup.addresses[0]));
	assert_memory_equal(decoded.forget, lookup.forget, sizeof(lookup.forget[0]));
}

static void bounds_a_lookup(void **state)
{
	static struct lookup lookup = {.address_count = LOOKUP_LIMIT};
	cleanup_json cJSON *message = lookup_encode(&lookup);
	struct error error;

	(void)state;
	assert_int_equal(lookup_decode(message, &lookup, NULL), 0);
	cJSON_AddItemToArray(cJSON_GetObjectItem(message, "addresses"), cJSON_CreateString("::1"));
	assert_int_equal(lookup_decode(message, &lookup, &error), -EINVAL);
	assert_says(error.message, "at most 512");
}

static void refuses_a_malformed_lookup(void **state)
{
	static const char *const texts[][2] = {
		{"null", "addresses"},
		{"{'addresses': ['::1']}", "forget"},
		{"{'addresses': '::1', 'forget': []}", "addresses"},
		{"{'addresses': ['here'], 'forget': []}", "\"here\""},
		{"{'addresses': [], 'forget': [7]}", "forget"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		cleanup_json cJSON *message = json_of(texts[i][0]);
		struct lookup lookup;
		struct error error = {0};

		assert_int_equal(lookup_decode(message, &lookup, &error), -EINVAL);
		assert_says(error.message, texts[i][1]);
	}
}

static void carries_peers_of_every_kind(void **state)
{
	const struct peer peers[] = {
		{address_of("10.0.0.7"), PEER_POD, "shop", "web-1", "u1", "Deployment", "web"},
		{address_of("10.96.0.1"), PEER_SERVICE, "default", "kubernetes", "", "", ""},
		{address_of("fd00::1"), PEER_NODE, "", "node-a", "", "", ""},
		{address_of("1.1.1.1"), PEER_EXTERNAL, "", "", "", "", ""},
		{address_of("10.0.0.9"), PEER_UNKNOWN, "", "", "", "", ""},
	};
	cJSON *array = cJSON_CreateArray();
	cleanup_json cJSON *message = NULL;
	enum message_type type;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(peers); i++)
		assert_true(peer_encode(array, &peers[i]));
	message = peers_encode(array);
	assert_int_equal(message_type_decode(message, &type, NULL), 0);
	assert_int_equal(type, MESSAGE_PEERS);
	assert_int_equal(cJSON_GetArraySize(peers_array(message)), ARRAY_COUNT(peers));
	for (size_t i = 0; i < ARRAY_COUNT(peers); i++) {
		const cJSON *item = cJSON_GetArrayItem(peers_array(message), (int)i);
		struct peer peer;

		assert_int_equal(peer_decode(item, &peer, NULL), 0);
		assert_memory_equal(&peer.address, &peers[i].address, sizeof(peer.address));
		assert_int_equal(peer.kind, peers[i].kind);
		assert_string_equal(json_text(item, "kind"), peer_kind_name(peer.kind));
		assert_string_equal(peer.namespace, peers[i].namespace);
		assert_string_equal(peer.name, peers[i].name);
		assert_string_equal(peer.uid, peers[i].uid);
		assert_string_equal(peer.workload_kind, peers[i].workload_kind);
		assert_string_equal(peer.workload_name, peers[i].workload_name);
	}
}

/* A kind that only a later operator knows is nobody that this agent could name. */
static void takes_a_new_kind_for_unknown(void **state)
{
	cleanup_json cJSON *item = json_of("{'address': '10.0.0.1', 'kind': 'Gateway'}");
	struct peer peer;

	(void)state;
	assert_int_equal(peer_decode(item, &peer, NULL), 0);
	assert_int_equal(peer.kind, PEER_UNKNOWN);
}

static void refuses_malformed_peers(void **state)
{
	static const char *const texts[][2] = {
		{"7", "no IP address"},
		{"{'address': 'x', 'kind': 'External'}", "\"x\""},
		{"{'address': '::1', 'kind': 'Node'}", "without all its names"},
		{"{'address': '::1', 'kind': 'Service', 'name': 'a'}", "a Service"},
		{"{'address': '::1', 'kind': 'Pod', 'namespace': 'n', 'name': 'a', 'workload': "
		 "{'kind': 'Pod', 'name': 'a'}}",
		 "a Pod"},
		{"{'address': '::1', 'kind': 'Pod', 'namespace': 'n', 'name': 'a', 'uid': 'u'}",
		 "a Pod"},
	};
	char name[PEER_STRING_LIMIT + 2];
	struct error error = {0};
	struct peer peer = {.name = "kept"};
	cleanup_json cJSON *longer = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		cleanup_json cJSON *item = json_of(texts[i][0]);

		assert_int_equal(peer_decode(item, &peer, &error), -EINVAL);
		assert_says(error.message, texts[i][1]);
		assert_string_equal(peer.name, "kept");
	}
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	longer = json_format("{'address': '::1', 'kind': 'Node', 'name': '%s'}", name);
	assert_int_equal(peer_decode(longer, &peer, &error), -EINVAL);
	assert_says(error.message, "longer than 253");
}

static void makes_nothing_of_nothing(void **state)
{
	cleanup_json cJSON *message = json_of("{'type': 'peers', 'peers': {}}");

	(void)state;
	assert_null(peers_encode(NULL));
	assert_null(peers_array(message));
	assert_null(peers_array(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_a_lookup),
		cmocka_unit_test(bounds_a_lookup),
		cmocka_unit_test(refuses_a_malformed_lookup),
		cmocka_unit_test(carries_peers_of_every_kind),
		cmocka_unit_test(takes_a_new_kind_for_unknown),
		cmocka_unit_test(refuses_malformed_peers),
		cmocka_unit_test(makes_nothing_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
