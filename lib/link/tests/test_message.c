// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <errno.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/message.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void carries_a_hello(void **state)
{
	const struct hello hello = {.protocol = LINK_PROTOCOL_VERSION,
				    .node = "n1",
				    .agent_version = "0.1.0",
				    .kernel = "6.18.0",
				    .applied = {.epoch = "e", .revision = 1ULL << 53}};
	cleanup_json cJSON *message = hello_encode(&hello);
	enum message_type type;
	struct hello decoded;

	(void)state;
	assert_int_equal(message_type_decode(message, &type, NULL), 0);
	assert_int_equal(type, MESSAGE_HELLO);
	assert_int_equal(hello_decode(message, &decoded, NULL), 0);
	assert_int_equal(decoded.protocol, LINK_PROTOCOL_VERSION);
	assert_string_equal(decoded.node, "n1");
	assert_string_equal(decoded.agent_version, "0.1.0");
	assert_string_equal(decoded.kernel, "6.18.0");
	assert_string_equal(decoded.applied.epoch, "e");
	assert_true(decoded.applied.revision == 1ULL << 53);
}

static void refuses_a_malformed_hello(void **state)
{
	static const struct {
		const char *text, *part;
		int result;
	} cases[] = {
		{"null", "revision", -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'revision': 0}", "epoch", -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'epoch': 7, 'revision': 0}", "epoch", -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'epoch': ''}", "revision", -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'epoch': '', 'revision': -1}", "revision", -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'epoch': '', 'revision': 0.5}", "revision", -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'epoch': '', 'revision': 1e30}", "revision",
		 -EINVAL},
		{"{'protocol': 1, 'node': 'n', 'epoch': '', 'revision': '1'}", "revision", -EINVAL},
		{"{'protocol': 2, 'node': 'n', 'epoch': '', 'revision': 0}", "one version",
		 -EPROTO},
		{"{'protocol': 4294967297, 'node': 'n', 'epoch': '', 'revision': 0}", "protocol",
		 -EPROTO},
		{"{'node': 'n', 'epoch': '', 'revision': 0}", "protocol", -EPROTO},
		{"{'protocol': 1, 'node': '', 'epoch': '', 'revision': 0}", "node", -EINVAL},
		{"{'protocol': 1, 'node': ['n'], 'epoch': '', 'revision': 0}", "node", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_json cJSON *message = json_of(cases[i].text);
		struct hello hello = {.node = "kept"};
		struct error error = {0};

		assert_int_equal(hello_decode(message, &hello, &error), cases[i].result);
		assert_says(error.message, cases[i].part);
		assert_string_equal(hello.node, "kept");
	}
}

static void carries_selections(void **state)
{
	const struct selection_version version = {.epoch = "e", .revision = 8};
	cleanup_json cJSON *snapshot = snapshot_encode(&version, json_of("[{'uid': 'a'}]"));
	cleanup_json cJSON *delta = delta_encode(&version, 7, json_of("[]"), json_of("['b']"));
	struct selection_change change;

	(void)state;
	assert_int_equal(selection_change_decode(snapshot, &change, NULL), 0);
	assert_true(change.snapshot);
	assert_int_equal(change.version.revision, 8);
	assert_int_equal(cJSON_GetArraySize(change.upsert), 1);
	assert_null(change.remove);
	assert_int_equal(selection_change_decode(delta, &change, NULL), 0);
	assert_false(change.snapshot);
	assert_int_equal(change.from, 7);
	assert_string_equal(change.version.epoch, "e");
	assert_int_equal(cJSON_GetArraySize(change.upsert), 0);
	assert_int_equal(cJSON_GetArraySize(change.remove), 1);
}

static void makes_nothing_of_nothing(void **state)
{
	const struct selection_version version = {.epoch = "e", .revision = 8};

	(void)state;
	assert_null(snapshot_encode(&version, NULL));
	assert_null(delta_encode(&version, 1, NULL, json_of("[]")));
	assert_null(delta_encode(&version, 1, json_of("[]"), NULL));
}

static void refuses_malformed_selections(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{"'snapshot'", "unknown type"},
		{"{'type': 'snap'}", "\"snap\""},
		{"{'type': 'hello', 'epoch': 'e', 'revision': 1}", "hello"},
		{"{'type': 'report', 'epoch': 'e', 'revision': 1}", "report"},
		{"{'type': 'snapshot', 'revision': 1, 'pods': []}", "epoch"},
		{"{'type': 'snapshot', 'epoch': 'e', 'pods': []}", "revision"},
		{"{'type': 'snapshot', 'epoch': 'e', 'revision': 1}", "arrays"},
		{"{'type': 'snapshot', 'epoch': 'e', 'revision': 1, 'pods': {}}", "arrays"},
		{"{'type': 'delta', 'epoch': 'e', 'revision': 1, 'upsert': [], 'remove': []}",
		 "from"},
		{"{'type': 'delta', 'epoch': 'e', 'revision': 1, 'from': 0, 'remove': []}",
		 "arrays"},
		{"{'type': 'delta', 'epoch': 'e', 'revision': 1, 'from': 0, 'upsert': []}",
		 "arrays"},
		{"{'type': 'delta', 'epoch': 'e', 'revision': 1, 'from': -2, 'upsert': [],"
		 " 'remove': []}",
		 "from"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		cleanup_json cJSON *message = json_of(cases[i].text);
		struct selection_change change;
		struct error error = {0};

		if (selection_change_decode(message, &change, &error) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		assert_says(error.message, cases[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_a_hello),
		cmocka_unit_test(refuses_a_malformed_hello),
		cmocka_unit_test(carries_selections),
		cmocka_unit_test(makes_nothing_of_nothing),
		cmocka_unit_test(refuses_malformed_selections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
