// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* What the agent says of its node, on this kernel. */

#include "lib/base/tests/parse.h"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/node_facts.h"
#include "node-agent/facts/node_facts.h"

#define MAP_SIZE (1 << 20)

static bool may_use_bpf(void)
{
	cleanup_close int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "test", 4, 4, 1, NULL);

	return map >= 0;
}

/* A program that lets every packet pass. */
static int load_program(const char *name)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, name, "GPL", code, 2, NULL);
}

static void finds_what_it_holds(void **state)
{
	struct kernel_objects before, with, after;
	int map, program, copy;

	(void)state;
	if (!may_use_bpf())
		skip();
	kernel_objects_find(&before);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "large", 4, MAP_SIZE, 1, NULL);
	program = load_program("tcp_test");
	copy = dup(program);
	assert_true(map >= 0 && program >= 0 && copy >= 0);
	kernel_objects_find(&with);
	close(map);
	close(program);
	close(copy);
	kernel_objects_find(&after);
	assert_int_equal(with.program_count, before.program_count + 1);
	assert_string_equal(with.programs[with.program_count - 1].name, "tcp_test");
	assert_string_equal(with.programs[with.program_count - 1].type, "cgroup_skb");
	assert_true(with.map_memory >= before.map_memory + MAP_SIZE);
	assert_true(with.program_memory > before.program_memory);
	assert_int_equal(after.program_count, before.program_count);
	assert_true(after.map_memory == before.map_memory);
}

static bool result_of(const struct capability_node *node, const char *name)
{
	bool results[CAPABILITIES_LIMIT];
	size_t count = capabilities_test(node, results);

	for (size_t i = 0; i < count; i++)
		if (strcmp(capabilities[i].name, name) == 0)
			return results[i];
	return false;
}

static void tests_what_the_node_can_do(void **state)
{
	char folder[] = "/tmp/facts-XXXXXX", path[256];
	struct capability_node node = {.type_information = "/nowhere", .tracefs = folder};
	static const char *const parts[] = {"events", "events/syscalls",
					    "events/syscalls/sys_exit_execve",
					    "events/syscalls/sys_exit_execve/id"};

	(void)state;
	if (!may_use_bpf())
		skip();
	assert_true(result_of(&node, "Bpf"));
	assert_true(result_of(&node, "RingBuffer"));
	assert_false(result_of(&node, "TypeInformation"));
	assert_false(result_of(&node, "Tracefs"));
	assert_false(result_of(&node, "WholeCgroupHierarchy"));
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, parts[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	node.type_information = folder;
	node.whole_hierarchy = true;
	assert_true(result_of(&node, "TypeInformation"));
	assert_true(result_of(&node, "Tracefs"));
	assert_true(result_of(&node, "WholeCgroupHierarchy"));
	for (int i = 3; i >= 0; i--) {
		snprintf(path, sizeof(path), "%s/%s", folder, parts[i]);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
	node.tracefs = NULL;
	assert_false(result_of(&node, "Tracefs"));
}

/* What the operator would cut or leave out is a mistake of ours. */
static void says_nothing_that_is_cut(void **state)
{
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < capabilities_count; i++) {
		bytes = strlen(capabilities[i].remedy);
		assert_in_range(bytes, 20, NODE_MESSAGE_LIMIT);
		assert_in_range(strlen(capabilities[i].name), 1, NODE_TEXT_LIMIT);
		assert_non_null(capabilities[i].affects);
	}
	assert_true(capabilities_count <= NODE_CAPABILITIES_LIMIT);
}

static void tells_it_as_the_operator_reads_it(void **state)
{
	const struct hierarchy hierarchy = {.root = (char *)"/cgroup", .whole = true};
	struct node_facts_fixed fixed;
	struct node_facts_now now = {
		.counts = {.pods = {[PROBE_ATTACHED] = 3, [PROBE_FAILED] = 1},
			   .attached = {[PROBE_TCP] = 4}},
		.objects = {.programs = {{1, "tcp_sent", "cgroup_skb"},
					 {2, "execve_returned", "tracepoint"},
					 {3, "other", "unknown"}},
			    .program_count = 3,
			    .program_memory = 4096,
			    .map_memory = 8192},
		.losses = {.events = {[LOSS_RATE_LIMITED] = 1,
				      [LOSS_RING_FULL] = 2,
				      [LOSS_TABLE_FULL] = 3,
				      [LOSS_DECODE] = 4}},
		.export_lost = 5,
	};
	cleanup_json cJSON *message = NULL, *facts = NULL, *expected = NULL;
	struct utsname name;

	(void)state;
	uname(&name);
	assert_int_equal(node_facts_fixed_init(&fixed, "1.2.3", NULL, &hierarchy), 0);
	message = node_facts_encode(&fixed, &now);
	node_facts_fixed_free(&fixed);
	assert_string_equal(json_text(message, "type"), "node");
	assert_int_equal(node_facts_decode(message, &facts, NULL), 0);
	assert_string_equal(json_text(facts, "kernel", "release"), name.release);
	cJSON_DeleteItemFromObject(facts, "kernel");
	cJSON_DeleteItemFromObject(facts, "capabilities");
	cJSON_DeleteItemFromObject(cJSON_GetObjectItem(facts, "cgroup"), "mode");
	expected =
		json_of("{'agent': {'version': '1.2.3'}, 'cgroup': {'path': '/cgroup'},"
			" 'pods': {'selected': 4, 'attached': 3, 'waiting': 0, 'failed': 1,"
			"          'unsupported': 0},"
			" 'probes': [{'type': 'TCP', 'pods': 4}],"
			" 'programs': [{'name': 'tcp_sent', 'type': 'cgroup_skb', 'probe': 'TCP'},"
			"  {'name': 'execve_returned', 'type': 'tracepoint', 'probe': 'Exec'},"
			"  {'name': 'other', 'type': 'unknown'}],"
			" 'kernelMemory': {'programs': 4096, 'maps': 8192},"
			" 'lost': {'rateLimited': 1, 'ringFull': 2, 'tableFull': 3, 'decode': 4,"
			"          'export': 5}}");
	assert_true(cJSON_Compare(facts, expected, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_it_holds),
		cmocka_unit_test(tests_what_the_node_can_do),
		cmocka_unit_test(says_nothing_that_is_cut),
		cmocka_unit_test(tells_it_as_the_operator_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
