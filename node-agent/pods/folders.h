/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* The cgroups of pods and their containers, as they were found. A table; no I/O. */
#ifndef SKEP_NODE_AGENT_PODS_FOLDERS_H
#define SKEP_NODE_AGENT_PODS_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/table.h"

#include "node-agent/pods/naming.h"

/* Containers of a pod that are remembered, those that ended included: the newest. */
#define POD_CONTAINERS_KEPT 256

/* A container's cgroup. It is remembered after its end: events of it may still come. */
struct container_folder {
	char *path;
	char id[CONTAINER_ID_SIZE];
	uint64_t cgroup_id;
	bool present;
};

struct pod_folder {
	char uid[POD_UID_SIZE];
	char *path;
	uint64_t cgroup_id; /* the folder's inode number, the kernel's id */
	unsigned int level; /* depth below the root of the hierarchy */
	bool present;	    /* false while its end is told */
	bool containers_watched;
	struct container_folder *containers; /* oldest first */
	size_t container_count;
	UT_hash_handle hh;
};

/* Where nothing is known yet, the table is NULL. */
struct pod_folders {
	struct pod_folder *by_uid;
};

/* The folder of the pod, or NULL. */
struct pod_folder *pod_folders_find(const struct pod_folders *folders, const char *uid);

/* Adds a folder (copies). Returns it, or NULL when memory ran out. The UID must be new. */
struct pod_folder *pod_folders_add(struct pod_folders *folders, const char *uid, const char *path,
				   uint64_t cgroup_id, unsigned int level);

void pod_folders_remove(struct pod_folders *folders, struct pod_folder *folder);
void pod_folders_clear(struct pod_folders *folders);

/* The present container of this ID, or NULL. */
const struct container_folder *pod_folder_container(const struct pod_folder *folder,
						    const char *id);

/* The container with this cgroup, also one that ended, or NULL. */
const struct container_folder *pod_folder_container_by_cgroup(const struct pod_folder *folder,
							      uint64_t cgroup_id);

/*
 * Notes that a container's cgroup is there, at `path`. Returns 1 if that is news, 0 if not, or
 * -ENOMEM. A container whose folder was made anew counts as news.
 */
int pod_folder_add_container(struct pod_folder *folder, const char *id, const char *path,
			     uint64_t cgroup_id);

/* Notes that no container's cgroup is at `path` any more. Returns whether that is news. */
bool pod_folder_end_container(struct pod_folder *folder, const char *path);

#endif
