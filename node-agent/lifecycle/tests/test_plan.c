// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/text.h"
#include "node-agent/lifecycle/plan.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static char *names[] = {"a", "b", "c"};
static struct selected_container both[] = {{"a", ID_A}, {"b", ID_B}};

struct folder_fixture {
	struct pod_folders folders;
	struct pod_folder *folder;
};

static int make_folder(void **state)
{
	struct folder_fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->folder = pod_folders_add(&fixture->folders, "ab-12", "/p", 10, 3);
	pod_folder_add_container(fixture->folder, ID_A, "/p/" ID_A, 11);
	*state = fixture;
	return 0;
}

static int remove_folder(void **state)
{
	struct folder_fixture *fixture = *state;

	pod_folders_clear(&fixture->folders);
	free(fixture);
	return 0;
}

static void test_whole_pod(void **state)
{
	struct folder_fixture *fixture = *state;
	struct selected_pod pod = {0};
	struct selected_probe probe = {.wanted = true};
	struct plan_wanted wanted;

	plan_want(&pod, &probe, fixture->folder, &wanted);
	assert_null(wanted.waiting_reason);
	assert_int_equal(wanted.count, 1);
	assert_int_equal(wanted.targets[0].cgroup_id, 10);
	assert_null(wanted.targets[0].container);

	plan_want(&pod, &probe, NULL, &wanted);
	assert_int_equal(wanted.count, 0);
	assert_string_equal(wanted.waiting_reason, "PodNotStarted");
}

static void test_named_containers(void **state)
{
	struct folder_fixture *fixture = *state;
	struct selected_pod pod = {.containers = both, .container_count = 2};
	struct selected_probe probe = {.wanted = true, .containers = {names, 2}};
	struct plan_wanted wanted;

	/* "b" is known by name, its cgroup is not there yet. */
	plan_want(&pod, &probe, fixture->folder, &wanted);
	assert_int_equal(wanted.count, 1);
	assert_int_equal(wanted.targets[0].cgroup_id, 11);
	assert_string_equal(wanted.targets[0].container, "a");
	assert_string_equal(wanted.waiting_reason, "ContainerNotStarted");

	pod_folder_add_container(fixture->folder, ID_B, "/p/" ID_B, 12);
	plan_want(&pod, &probe, fixture->folder, &wanted);
	assert_int_equal(wanted.count, 2);
	assert_null(wanted.waiting_reason);

	/* Ended: to be detached, and waited for. */
	assert_true(pod_folder_end_container(fixture->folder, "/p/" ID_A));
	plan_want(&pod, &probe, fixture->folder, &wanted);
	assert_int_equal(wanted.count, 1);
	assert_int_equal(wanted.targets[0].cgroup_id, 12);
	assert_string_equal(wanted.waiting_reason, "ContainerNotStarted");

	/* A cgroup whose container's name has not come yet is nobody's. */
	pod.container_count = 0;
	plan_want(&pod, &probe, fixture->folder, &wanted);
	assert_int_equal(wanted.count, 0);
}

static void want_ids(struct plan_wanted *wanted, const char *ids)
{
	*wanted = (struct plan_wanted){0};
	for (; *ids; ids++)
		wanted->targets[wanted->count++].cgroup_id = (uint64_t)*ids;
}

static void test_steps(void **state)
{
	static const struct {
		const char *wanted;
		const char *attached;  /* with the settings that are wanted now */
		const char *different; /* with others */
		const char *steps;     /* what is done to which cgroup */
	} rows[] = {
		{"", "", "", ""},	   {"p", "", "", "+p"},	     {"p", "p", "", ""},
		{"p", "", "p", "=p"},	   {"", "p", "", "-p"},	     {"ab", "p", "", "+a+b-p"},
		{"p", "ab", "", "+p-a-b"}, {"ac", "a", "b", "+c-b"}, {"abc", "", "ab", "+c=a=b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plan_attached attached[8] = {0};
		struct plan_step steps[PLAN_STEPS_LIMIT];
		union probe_settings settings = {.exec = {EXEC_ARGUMENTS_RAW, true}};
		struct plan_wanted wanted;
		struct text text = TEXT_EMPTY;
		size_t count = 0, step_count;

		want_ids(&wanted, rows[i].wanted);
		for (const char *id = rows[i].attached; *id; id++)
			attached[count++] = (struct plan_attached){(uint64_t)*id, settings};
		for (const char *id = rows[i].different; *id; id++)
			attached[count++].cgroup_id = (uint64_t)*id;
		step_count = plan_steps(PROBE_EXEC, &wanted, &settings, attached, count, steps);
		for (size_t s = 0; s < step_count; s++) {
			text_append_format(&text, "%c%c", "+=-"[steps[s].action],
					   (int)(steps[s].action == PLAN_ATTACH
							 ? wanted.targets[steps[s].index].cgroup_id
							 : attached[steps[s].index].cgroup_id));
		}
		assert_string_equal(text.data ? text.data : "", rows[i].steps);
		text_free(&text);
	}
}

/* Carries the steps out on a bare model of what is attached. */
static size_t carry_out(struct plan_attached *attached, size_t count,
			const struct plan_wanted *wanted, const union probe_settings *settings,
			const struct plan_step *steps, size_t step_count)
{
	struct plan_attached next[64];
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		bool detached = false;

		for (size_t s = 0; s < step_count; s++) {
			if (steps[s].action == PLAN_CONFIGURE && steps[s].index == i)
				attached[i].settings = *settings;
			detached |= steps[s].action == PLAN_DETACH && steps[s].index == i;
		}
		if (!detached)
			next[kept++] = attached[i];
	}
	for (size_t s = 0; s < step_count; s++)
		if (steps[s].action == PLAN_ATTACH)
			next[kept++] = (struct plan_attached){
				wanted->targets[steps[s].index].cgroup_id, *settings};
	memcpy(attached, next, kept * sizeof(next[0]));
	return kept;
}

static bool has(const struct plan_attached *attached, size_t count, uint64_t id,
		const union probe_settings *settings)
{
	for (size_t i = 0; i < count; i++)
		if (attached[i].cgroup_id == id)
			return probe_settings_equal(PROBE_EXEC, &attached[i].settings, settings);
	return false;
}

/* Whatever came before, the steps lead to exactly what is wanted, and then there are none. */
static void test_random_sequences(void **state)
{
	struct plan_attached attached[64];
	struct plan_step steps[PLAN_STEPS_LIMIT];
	size_t count = 0;

	(void)state;
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		union probe_settings settings = {
			.exec = {(enum exec_arguments)(random() % 3), random() % 2 == 0}};
		struct plan_wanted wanted = {0};
		unsigned int mask = (unsigned int)random() % 4096;
		size_t step_count;

		for (unsigned int id = 0; id < 12; id++)
			if (mask & (1U << id))
				wanted.targets[wanted.count++].cgroup_id = id + 1;
		step_count = plan_steps(PROBE_EXEC, &wanted, &settings, attached, count, steps);
		for (size_t s = 1; s < step_count; s++)
			assert_true(steps[s].action >= steps[s - 1].action);
		count = carry_out(attached, count, &wanted, &settings, steps, step_count);
		assert_int_equal(count, wanted.count);
		for (size_t i = 0; i < wanted.count; i++)
			assert_true(has(attached, count, wanted.targets[i].cgroup_id, &settings));
		assert_int_equal(plan_steps(PROBE_EXEC, &wanted, &settings, attached, count, steps),
				 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_pod, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_named_containers, make_folder, remove_folder),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
