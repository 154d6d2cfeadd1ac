// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Whatever inotify says of a name, the name is looked at: what is there is entered, what is not is
 * forgotten. So it does no harm that a folder is met twice, by its event and by the walk that
 * follows each new watch (a folder made between the two is not missed), nor that events are old.
 */

#include "node-agent/pods/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define TREE_EVENTS_SIZE 16384 /* bytes of events that are read at once */
#define TREE_MASK	 (IN_CREATE | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW)

/* A folder that is watched. */
struct tree_watch {
	int descriptor; /* inotify's number of it */
	enum folder_role role;
	unsigned int level;
	char *path;
	UT_hash_handle hh;
};

struct cgroup_tree {
	struct cgroup_tree_handlers handlers;
	void *context;
	char *root;
	unsigned int root_level;
	struct pod_folders pods;
	struct tree_watch *watches;
	bool started; /* the first walk is over */
	bool walking; /* folders could not be watched, so the tree is walked from time to time */
	int inotify;
	int open_handles;
	uv_poll_t poll;
	uv_timer_t walk_timer;
};

static void tree_walk(struct cgroup_tree *tree, enum folder_role role, unsigned int level,
		      const char *path);

static void tree_tell(struct cgroup_tree *tree, const char *uid)
{
	if (tree->started)
		tree->handlers.changed(tree->context, uid);
}

/* Tells the end of a pod's folder while it is known what was in it, then forgets it. */
static void tree_end_pod(struct cgroup_tree *tree, struct pod_folder *pod)
{
	pod->present = false;
	tree_tell(tree, pod->uid);
	pod_folders_remove(&tree->pods, pod);
}

static void on_walk_timer(uv_timer_t *timer)
{
	struct cgroup_tree *tree = timer->data;
	struct pod_folder *pod, *next;
	struct stat status;

	HASH_ITER(hh, tree->pods.by_uid, pod, next)
		if (stat(pod->path, &status) < 0 || status.st_ino != pod->cgroup_id)
			tree_end_pod(tree, pod);
	tree_walk(tree, FOLDER_SEARCHED, tree->root_level, tree->root);
	HASH_ITER(hh, tree->pods.by_uid, pod, next)
		if (pod->containers_watched)
			tree_walk(tree, FOLDER_POD, pod->level, pod->path);
}

/* Without enough watches, walk instead. */
static void fall_back_to_walking(struct cgroup_tree *tree, const char *path)
{
	if (tree->walking)
		return;
	tree->walking = true;
	log_warn("cannot watch %s: %s; new pods are looked for every %d ms instead, raise "
		 "fs.inotify.max_user_watches on this node",
		 path, strerror(errno), TREE_WALK_MS);
	uv_timer_start(&tree->walk_timer, on_walk_timer, TREE_WALK_MS, TREE_WALK_MS);
}

static struct tree_watch *watch_new(int descriptor, enum folder_role role, unsigned int level,
				    const char *path)
{
	struct tree_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct tree_watch){.descriptor = descriptor, .role = role, .level = level};
	watch->path = strdup(path);
	if (watch->path)
		return watch;
	free(watch);
	return NULL;
}

static void watch_free(struct tree_watch *watch)
{
	free(watch->path);
	free(watch);
}

static void watch_remove(struct cgroup_tree *tree, struct tree_watch *watch)
{
	HASH_DEL(tree->watches, watch);
	watch_free(watch);
}

/* Watches a folder, once. */
static void tree_watch(struct cgroup_tree *tree, enum folder_role role, unsigned int level,
		       const char *path)
{
	struct tree_watch *watch;
	int descriptor = -1;

	errno = ENOSPC;
	if (HASH_COUNT(tree->watches) < TREE_WATCH_LIMIT)
		descriptor = inotify_add_watch(tree->inotify, path, TREE_MASK);
	if (descriptor < 0) {
		if (errno != ENOENT)
			fall_back_to_walking(tree, path);
		return;
	}
	HASH_FIND_INT(tree->watches, &descriptor, watch);
	if (watch)
		return;
	watch = watch_new(descriptor, role, level, path);
	if (watch)
		HASH_ADD_INT(tree->watches, descriptor, watch);
	if (watch && is_in_table(watch))
		return;
	if (watch)
		watch_free(watch);
	fall_back_to_walking(tree, path);
}

static void tree_forget_pod(struct cgroup_tree *tree, const char *uid, const char *path)
{
	struct pod_folder *pod = pod_folders_find(&tree->pods, uid);

	if (pod && strcmp(pod->path, path) == 0)
		tree_end_pod(tree, pod);
}

static void tree_enter_pod(struct cgroup_tree *tree, const char *uid, const char *path,
			   uint64_t cgroup_id, unsigned int level)
{
	struct pod_folder *pod = pod_folders_find(&tree->pods, uid);

	if (pod && (pod->cgroup_id == cgroup_id || strcmp(pod->path, path) != 0))
		return;
	if (pod)
		tree_end_pod(tree, pod);
	if (!pod_folders_add(&tree->pods, uid, path, cgroup_id, level)) {
		log_error("out of memory: pod %s is not observed", uid);
		return;
	}
	tree_tell(tree, uid);
}

static struct pod_folder *pod_at(struct cgroup_tree *tree, const char *path)
{
	char uid[POD_UID_SIZE];
	struct pod_folder *pod = NULL;

	if (folder_pod_uid(strrchr(path, '/') + 1, uid))
		pod = pod_folders_find(&tree->pods, uid);
	return pod && strcmp(pod->path, path) == 0 ? pod : NULL;
}

/* A folder in a pod's: `status` is NULL where there is none any more. */
static void tree_look_container(struct cgroup_tree *tree, const char *parent, const char *name,
				const char *path, const struct stat *status)
{
	struct pod_folder *pod = pod_at(tree, parent);
	char id[CONTAINER_ID_SIZE];
	bool news;

	if (!pod || !folder_container_id(name, id))
		return;
	if (status)
		news = pod_folder_add_container(pod, id, path, status->st_ino) > 0;
	else
		news = pod_folder_end_container(pod, path);
	if (news)
		tree_tell(tree, pod->uid);
}

static void tree_look_pod(struct cgroup_tree *tree, const char *name, const char *path,
			  unsigned int level, const struct stat *status)
{
	char uid[POD_UID_SIZE];

	if (!folder_pod_uid(name, uid))
		return;
	if (status)
		tree_enter_pod(tree, uid, path, status->st_ino, level);
	else
		tree_forget_pod(tree, uid, path);
}

static bool is_within_search(const struct cgroup_tree *tree, enum folder_role role,
			     unsigned int level)
{
	return role != FOLDER_SEARCHED || level < tree->root_level + TREE_SEARCH_DEPTH;
}

/* Enters or forgets what `name` in the folder `parent` is now. */
static void tree_look(struct cgroup_tree *tree, enum folder_role parent_role, unsigned int level,
		      const char *parent, const char *name)
{
	enum folder_role role = folder_role(parent_role, name);
	cleanup_free char *path = NULL;
	struct stat status;
	bool there;

	if (role == FOLDER_IGNORED || !is_within_search(tree, role, level))
		return;
	if (asprintf(&path, "%s/%s", parent, name) < 0) {
		path = NULL;
		return;
	}
	there = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
	if (role == FOLDER_CONTAINER)
		tree_look_container(tree, parent, name, path, there ? &status : NULL);
	else if (role == FOLDER_POD)
		tree_look_pod(tree, name, path, level, there ? &status : NULL);
	else if (there)
		tree_walk(tree, role, level, path);
}

/* Watches the folder and looks at what is in it. */
static void tree_walk(struct cgroup_tree *tree, enum folder_role role, unsigned int level,
		      const char *path)
{
	cleanup_directory DIR *directory = NULL;
	struct dirent *entry;

	tree_watch(tree, role, level, path);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			tree_look(tree, role, level + 1, path, entry->d_name);
}

static void tree_handle(struct cgroup_tree *tree, const struct inotify_event *event)
{
	struct tree_watch *watch;

	if (event->mask & IN_Q_OVERFLOW) {
		log_info("more cgroup changes than inotify holds: the tree is read again");
		on_walk_timer(&tree->walk_timer);
		return;
	}
	HASH_FIND_INT(tree->watches, &event->wd, watch);
	if (!watch)
		return;
	if (event->mask & IN_IGNORED)
		watch_remove(tree, watch);
	else if ((event->mask & IN_ISDIR) && event->len)
		tree_look(tree, watch->role, watch->level + 1, watch->path, event->name);
}

static void on_inotify(uv_poll_t *poll, int status, int events)
{
	char buffer[TREE_EVENTS_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct cgroup_tree *tree = poll->data;
	const struct inotify_event *event;
	ssize_t length;

	(void)events;
	if (status < 0)
		return;
	while ((length = read(tree->inotify, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + length; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			tree_handle(tree, event);
		}
	}
}

static void tree_release(struct cgroup_tree *tree)
{
	struct tree_watch *watch, *next;

	HASH_ITER(hh, tree->watches, watch, next)
		watch_remove(tree, watch);
	pod_folders_clear(&tree->pods);
	if (tree->inotify >= 0)
		close(tree->inotify);
	free(tree->root);
	free(tree);
}

static void on_closed(uv_handle_t *handle)
{
	struct cgroup_tree *tree = handle->data;

	if (--tree->open_handles == 0)
		tree_release(tree);
}

static int tree_start(struct cgroup_tree *tree, uv_loop_t *loop, struct error *error)
{
	int result;

	tree->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (tree->inotify < 0)
		return error_set_errno(error, errno,
				       "cannot watch cgroups: raise fs.inotify.max_user_instances "
				       "on this node");
	result = uv_poll_init(loop, &tree->poll, tree->inotify);
	if (result < 0)
		return error_set_errno(error, -result, "cannot watch cgroups");
	uv_timer_init(loop, &tree->walk_timer);
	tree->open_handles = 2;
	tree->poll.data = tree->walk_timer.data = tree;
	uv_poll_start(&tree->poll, UV_READABLE, on_inotify);
	return 0;
}

int cgroup_tree_new(uv_loop_t *loop, const struct hierarchy *hierarchy,
		    const struct cgroup_tree_handlers *handlers, void *context,
		    struct cgroup_tree **ret_tree, struct error *error)
{
	struct cgroup_tree *tree = calloc(1, sizeof(*tree));
	int result;

	if (!tree)
		return error_set(error, ENOMEM, "out of memory");
	tree->handlers = *handlers;
	tree->context = context;
	tree->root_level = hierarchy->level;
	tree->inotify = -1;
	tree->root = strdup(hierarchy->root);
	result = tree->root ? tree_start(tree, loop, error)
			    : error_set(error, ENOMEM, "out of memory");
	if (result < 0) {
		tree_release(tree);
		return result;
	}
	tree_walk(tree, FOLDER_SEARCHED, tree->root_level, tree->root);
	tree->started = true;
	*ret_tree = tree;
	return 0;
}

struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *tree)
{
	if (!tree)
		return NULL;
	uv_close((uv_handle_t *)&tree->poll, on_closed);
	uv_close((uv_handle_t *)&tree->walk_timer, on_closed);
	return NULL;
}

const struct pod_folder *cgroup_tree_find(const struct cgroup_tree *tree, const char *uid)
{
	return pod_folders_find(&tree->pods, uid);
}

void cgroup_tree_watch_containers(struct cgroup_tree *tree, const char *uid)
{
	struct pod_folder *pod = pod_folders_find(&tree->pods, uid);
	bool started = tree->started;

	if (!pod || pod->containers_watched)
		return;
	pod->containers_watched = true;
	tree->started = false;
	tree_walk(tree, FOLDER_POD, pod->level, pod->path);
	tree->started = started;
}
