/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Small files that are read and replaced whole. */
#ifndef SKEP_NODE_AGENT_SELECTION_FILE_H
#define SKEP_NODE_AGENT_SELECTION_FILE_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

/*
 * Reads the whole file. Returns 0 with *ret_contents (text_free()), or a negative errno: -EFBIG
 * for more than `limit` bytes.
 */
int small_file_read(const char *path, size_t limit, struct text *ret_contents, struct error *error);

/*
 * Replaces the file by one with these contents (mode 0600): written beside it, synced, renamed, so
 * that a crash leaves the old or the new one.
 */
int small_file_replace(const char *path, const char *data, size_t length, struct error *error);

#endif
