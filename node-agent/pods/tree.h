/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/*
 * Watches the cgroup hierarchy for the folders of pods, with inotify: a pod's folder is known the
 * moment it is made, before its first container starts.
 */
#ifndef SKEP_NODE_AGENT_PODS_TREE_H
#define SKEP_NODE_AGENT_PODS_TREE_H

#include <uv.h>

#include "lib/base/error.h"
#include "node-agent/pods/folders.h"
#include "node-agent/pods/hierarchy.h"

/* How deep below the root kubepods may lie: /docker/<id>/kubelet.slice/a/kubelet-kubepods.slice */
#define TREE_SEARCH_DEPTH 5
/* Folders that are watched at most; beyond, the tree is walked every TREE_WALK_MS. */
#define TREE_WATCH_LIMIT 16384
#define TREE_WALK_MS	 500

struct cgroup_tree;

struct cgroup_tree_handlers {
	/* The folder of this pod, or one of a container in it, has come or gone. */
	void (*changed)(void *context, const char *uid);
};

/*
 * Reads the tree and watches it from then on. `changed` is called from the loop only, not for what
 * is there already. Copies `hierarchy`.
 */
int cgroup_tree_new(uv_loop_t *loop, const struct hierarchy *hierarchy,
		    const struct cgroup_tree_handlers *handlers, void *context,
		    struct cgroup_tree **ret_tree, struct error *error);

/* Returns NULL; the memory goes as the loop runs on. */
struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *tree);

/*
 * The folder of a pod, or NULL while there is none. While its end is told, it is there still, with
 * its containers, but not `present`. Valid until the loop runs on.
 */
const struct pod_folder *cgroup_tree_find(const struct cgroup_tree *tree, const char *uid);

/*
 * Looks for the pod's containers, now and from now on, as long as its folder is there. Does not
 * call `changed` for those that are there already.
 */
void cgroup_tree_watch_containers(struct cgroup_tree *tree, const char *uid);

#endif
