/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Small files that are read and replaced whole, such as tokens, kubeconfigs and kept state. */
#ifndef SKEP_LIB_BASE_FILE_H
#define SKEP_LIB_BASE_FILE_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

/*
 * Reads the whole file. Returns 0 with *ret_contents (text_free()), or a negative errno: -EFBIG
 * for a file of more than `limit` bytes.
 */
int file_read(const char *path, size_t limit, struct text *ret_contents, struct error *error);

/*
 * Replaces the file by one with these contents (mode 0600): written beside it, synced, renamed, so
 * that a crash leaves the old or the new one. Returns 0 or a negative errno.
 */
int file_replace(const char *path, const char *data, size_t length, struct error *error);

#endif
