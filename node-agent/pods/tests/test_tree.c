// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Watching a tree of folders; an ordinary one (tmpfs), as mkdir() and rmdir() tell
 * inotify the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/text.h"
#include "node-agent/pods/tree.h"

#define UID   "4e05a2e7-2ed3-4fb6-b2f9-312236fd8288"
#define SLICE "4e05a2e7_2ed3_4fb6_b2f9_312236fd8288"
#define ID_1  "1111111111111111111111111111111111111111111111111111111111111111"
#define ID_2  "2222222222222222222222222222222222222222222222222222222222222222"

/* More folders than inotify queues events at most (fs.inotify.max_queued_events is 16384). */
#define FLOOD 9000

struct fixture {
	char top[64];
	uv_loop_t loop;
	struct cgroup_tree *tree;
	unsigned int changes;
	struct text ended; /* UIDs whose end was told while their containers were known */
};

static void on_changed(void *context, const char *uid)
{
	struct fixture *fixture = context;
	const struct pod_folder *folder = cgroup_tree_find(fixture->tree, uid);

	fixture->changes++;
	if (folder && !folder->present)
		text_append_format(&fixture->ended, "%s:%zu ", uid, folder->container_count);
	cgroup_tree_watch_containers(fixture->tree, uid);
}

static void change(const struct fixture *fixture, const char *action, const char *path)
{
	char command[640];

	snprintf(command, sizeof(command), "cd '%s' && %s '%s'", fixture->top, action, path);
	assert_int_equal(system(command), 0);
}

static void turn(struct fixture *fixture)
{
	for (int i = 0; i < 3; i++)
		uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

static void start(struct fixture *fixture)
{
	static const struct cgroup_tree_handlers handlers = {on_changed};
	struct hierarchy hierarchy = {.root = fixture->top, .level = 0};

	assert_int_equal(cgroup_tree_new(&fixture->loop, &hierarchy, &handlers, fixture,
					 &fixture->tree, NULL),
			 0);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->top, "/dev/shm/skep-tree-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->top));
	uv_loop_init(&fixture->loop);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	cgroup_tree_free(fixture->tree);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	change(fixture, "rm -rf", fixture->top);
	text_free(&fixture->ended);
	free(fixture);
	return 0;
}

static void test_there_at_start(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, "mkdir -p", "node-b/kubepods/besteffort/pod" UID "/" ID_1);
	change(fixture, "mkdir -p", "system.slice/x.service/kubepods/podab-1");
	change(fixture, "mkdir -p", "1/2/3/4/5/kubepods/podab-2"); /* too deep */
	start(fixture);
	assert_int_equal(fixture->changes, 0);
	assert_non_null(cgroup_tree_find(fixture->tree, UID));
	assert_int_equal(cgroup_tree_find(fixture->tree, UID)->level, 4);
	assert_null(cgroup_tree_find(fixture->tree, "ab-1"));
	assert_null(cgroup_tree_find(fixture->tree, "ab-2"));
	cgroup_tree_watch_containers(fixture->tree, UID);
	assert_non_null(pod_folder_container(cgroup_tree_find(fixture->tree, UID), ID_1));
}

static void test_comes_and_goes(void **state)
{
	struct fixture *fixture = *state;
	const struct pod_folder *folder;

	start(fixture);
	/* All at once: what is made before its parent is watched is found all the same. */
	change(fixture, "mkdir -p",
	       "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	       "kubelet-kubepods-burstable-pod" SLICE ".slice/cri-containerd-" ID_1 ".scope");
	turn(fixture);
	folder = cgroup_tree_find(fixture->tree, UID);
	assert_non_null(folder);
	assert_int_equal(folder->level, 4);
	assert_non_null(pod_folder_container(folder, ID_1));

	change(fixture, "rm -r", "kubelet.slice");
	turn(fixture);
	assert_null(cgroup_tree_find(fixture->tree, UID));
	change(fixture, "mkdir -p", "kubepods/pod" UID);
	turn(fixture);
	assert_int_equal(cgroup_tree_find(fixture->tree, UID)->level, 2);
}

static void test_containers(void **state)
{
	struct fixture *fixture = *state;
	const struct pod_folder *folder;
	uint64_t first;

	change(fixture, "mkdir -p", "kubepods/pod" UID);
	start(fixture);
	cgroup_tree_watch_containers(fixture->tree, UID);
	change(fixture, "mkdir", "kubepods/pod" UID "/" ID_1);
	turn(fixture);
	assert_int_equal(fixture->changes, 1);
	folder = cgroup_tree_find(fixture->tree, UID);
	first = pod_folder_container(folder, ID_1)->cgroup_id;

	change(fixture, "mkdir", "kubepods/pod" UID "/" ID_2);
	change(fixture, "rmdir", "kubepods/pod" UID "/" ID_1);
	turn(fixture);
	folder = cgroup_tree_find(fixture->tree, UID);
	assert_null(pod_folder_container(folder, ID_1));
	assert_non_null(pod_folder_container(folder, ID_2));
	assert_string_equal(pod_folder_container_by_cgroup(folder, first)->id, ID_1);

	change(fixture, "rm -r", "kubepods/pod" UID);
	turn(fixture);
	assert_null(cgroup_tree_find(fixture->tree, UID));
	assert_string_equal(fixture->ended.data, UID ":2 ");
}

/* More happens at once than the kernel keeps for us. */
static void test_overflow(void **state)
{
	struct fixture *fixture = *state;
	char path[256];

	change(fixture, "mkdir -p", "kubepods/podab-1");
	start(fixture);
	for (int i = 0; i < FLOOD; i++) {
		snprintf(path, sizeof(path), "%s/kubepods/noise-%d", fixture->top, i);
		assert_int_equal(mkdir(path, 0755), 0);
		assert_int_equal(rmdir(path), 0);
	}
	change(fixture, "rmdir", "kubepods/podab-1");
	change(fixture, "mkdir", "kubepods/podab-2");
	turn(fixture);
	assert_null(cgroup_tree_find(fixture->tree, "ab-1"));
	assert_non_null(cgroup_tree_find(fixture->tree, "ab-2"));
}

static void test_hierarchy(void **state)
{
	struct hierarchy hierarchy, below;
	struct fixture *fixture = *state;
	struct error error;
	char path[300];

	assert_int_equal(hierarchy_find(fixture->top, &hierarchy, &error), -ENOENT);
	assert_non_null(strstr(error.message, "--cgroup-root"));
	if (hierarchy_find("/sys/fs/cgroup", &hierarchy, &error) < 0)
		skip(); /* no cgroup v2 here */
	assert_int_equal(hierarchy.level, 0);
	snprintf(path, sizeof(path), "%s/skep-tree-test-%d", hierarchy.root, getpid());
	if (mkdir(path, 0755) == 0) {
		assert_int_equal(hierarchy_find(path, &below, &error), 0);
		assert_int_equal(below.level, 1);
		assert_int_equal(below.whole, hierarchy.whole);
		hierarchy_free(&below);
		rmdir(path);
	}
	hierarchy_free(&hierarchy);
}

int main(void)
{
#define tree_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		tree_test(test_there_at_start), tree_test(test_comes_and_goes),
		tree_test(test_containers),	tree_test(test_overflow),
		tree_test(test_hierarchy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
