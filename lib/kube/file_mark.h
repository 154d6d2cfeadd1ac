/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Tells whether a file is another than it was, without reading it. */
#ifndef SKEP_LIB_KUBE_FILE_MARK_H
#define SKEP_LIB_KUBE_FILE_MARK_H

#include <stdbool.h>
#include <sys/stat.h>

/* Identity, size and time of a file; all zero is the mark of no file. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* Returns 0 with *ret_mark, or a negative errno. Links are followed, as Secrets are mounted so. */
int file_mark_take(const char *path, struct file_mark *ret_mark);

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b);

#endif
