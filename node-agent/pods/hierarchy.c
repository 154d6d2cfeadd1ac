// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/pods/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

#define HIERARCHY_DEPTH_LIMIT 64

/* The kernel's number of the root cgroup (kernfs numbers from 1). */
#define ROOT_CGROUP_ID 1

static bool is_cgroup2(int directory)
{
	struct statfs fs;

	return fstatfs(directory, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The folder above, -1 where `directory` is the top of its mount. */
static int open_parent(int directory)
{
	int parent = openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat above, here;

	if (parent < 0)
		return -1;
	if (is_cgroup2(parent) && fstat(parent, &above) == 0 && fstat(directory, &here) == 0 &&
	    above.st_dev == here.st_dev && above.st_ino != here.st_ino)
		return parent;
	close(parent);
	return -1;
}

/* Counts the levels up to the top of the mount. Takes `directory`. */
static void measure_level(int directory, struct hierarchy *hierarchy)
{
	struct stat top;
	int parent;

	hierarchy->level = 0;
	while (hierarchy->level < HIERARCHY_DEPTH_LIMIT && (parent = open_parent(directory)) >= 0) {
		close(directory);
		directory = parent;
		hierarchy->level++;
	}
	hierarchy->whole = fstat(directory, &top) == 0 && top.st_ino == ROOT_CGROUP_ID;
	close(directory);
}

/* Returns 0 where `path` is in a cgroup v2 hierarchy. */
static int try_path(const char *path, struct hierarchy *hierarchy)
{
	int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return -errno;
	if (!is_cgroup2(directory)) {
		close(directory);
		return -ENOENT;
	}
	measure_level(directory, hierarchy);
	hierarchy->root = realpath(path, NULL);
	return hierarchy->root ? 0 : -errno;
}

int hierarchy_find(const char *given, struct hierarchy *ret_hierarchy, struct error *error)
{
	cleanup_free char *unified = NULL;
	struct hierarchy hierarchy = {0};

	if (asprintf(&unified, "%s/unified", given) < 0) {
		unified = NULL;
		return error_set(error, ENOMEM, "out of memory");
	}
	if (try_path(given, &hierarchy) < 0 && try_path(unified, &hierarchy) < 0)
		return error_set(error, ENOENT,
				 "no cgroup v2 hierarchy at %s nor at %s; mount one, or name its "
				 "folder with --cgroup-root",
				 given, unified);
	*ret_hierarchy = hierarchy;
	return 0;
}

void hierarchy_free(struct hierarchy *hierarchy)
{
	free(hierarchy->root);
	*hierarchy = (struct hierarchy){0};
}
