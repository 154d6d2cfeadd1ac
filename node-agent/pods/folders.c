// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/pods/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void folder_free(struct pod_folder *folder)
{
	for (size_t i = 0; i < folder->container_count; i++)
		free(folder->containers[i].path);
	free(folder->containers);
	free(folder->path);
	free(folder);
}

struct pod_folder *pod_folders_find(const struct pod_folders *folders, const char *uid)
{
	struct pod_folder *found;

	HASH_FIND_STR(folders->by_uid, uid, found);
	return found;
}

struct pod_folder *pod_folders_add(struct pod_folders *folders, const char *uid, const char *path,
				   uint64_t cgroup_id, unsigned int level)
{
	struct pod_folder *folder = calloc(1, sizeof(*folder));

	if (!folder)
		return NULL;
	folder->path = strdup(path);
	if (!folder->path) {
		free(folder);
		return NULL;
	}
	strncpy(folder->uid, uid, sizeof(folder->uid) - 1);
	folder->cgroup_id = cgroup_id;
	folder->level = level;
	folder->present = true;
	HASH_ADD_STR(folders->by_uid, uid, folder);
	if (is_in_table(folder))
		return folder;
	folder_free(folder);
	return NULL;
}

void pod_folders_remove(struct pod_folders *folders, struct pod_folder *folder)
{
	HASH_DEL(folders->by_uid, folder);
	folder_free(folder);
}

void pod_folders_clear(struct pod_folders *folders)
{
	struct pod_folder *folder, *next;

	HASH_ITER(hh, folders->by_uid, folder, next)
		pod_folders_remove(folders, folder);
}

const struct container_folder *pod_folder_container(const struct pod_folder *folder, const char *id)
{
	for (size_t i = folder->container_count; i-- > 0;)
		if (folder->containers[i].present && strcmp(folder->containers[i].id, id) == 0)
			return &folder->containers[i];
	return NULL;
}

const struct container_folder *pod_folder_container_by_cgroup(const struct pod_folder *folder,
							      uint64_t cgroup_id)
{
	for (size_t i = folder->container_count; i-- > 0;)
		if (folder->containers[i].cgroup_id == cgroup_id)
			return &folder->containers[i];
	return NULL;
}

/* Room for one more at the end; the oldest goes where the limit is reached. */
static struct container_folder *append_container(struct pod_folder *folder)
{
	struct container_folder *containers = folder->containers;

	if (folder->container_count == POD_CONTAINERS_KEPT) {
		free(containers[0].path);
		folder->container_count--;
		memmove(containers, containers + 1, folder->container_count * sizeof(*containers));
		return &containers[folder->container_count++];
	}
	containers = reallocarray(containers, folder->container_count + 1, sizeof(*containers));
	if (!containers)
		return NULL;
	folder->containers = containers;
	return &containers[folder->container_count++];
}

int pod_folder_add_container(struct pod_folder *folder, const char *id, const char *path,
			     uint64_t cgroup_id)
{
	const struct container_folder *known = pod_folder_container_by_cgroup(folder, cgroup_id);
	struct container_folder *container;
	char *copy;

	if (known && known->present)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	pod_folder_end_container(folder, path);
	container = append_container(folder);
	if (!container) {
		free(copy);
		return -ENOMEM;
	}
	*container = (struct container_folder){
		.path = copy,
		.cgroup_id = cgroup_id,
		.present = true,
	};
	strncpy(container->id, id, sizeof(container->id) - 1);
	return 1;
}

bool pod_folder_end_container(struct pod_folder *folder, const char *path)
{
	bool news = false;

	for (size_t i = 0; i < folder->container_count; i++) {
		struct container_folder *container = &folder->containers[i];

		if (container->present && strcmp(container->path, path) == 0) {
			container->present = false;
			news = true;
		}
	}
	return news;
}
