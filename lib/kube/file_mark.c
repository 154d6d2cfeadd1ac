// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/file_mark.h"

#include <errno.h>

int file_mark_take(const char *path, struct file_mark *ret_mark)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	*ret_mark = (struct file_mark){
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = status.st_size,
		.changed = status.st_mtim,
	};
	return 0;
}

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}
