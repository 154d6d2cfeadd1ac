/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* Reads small files that others write, such as tokens and kubeconfigs. */
#ifndef SKEP_LIB_KUBE_FILE_H
#define SKEP_LIB_KUBE_FILE_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

/*
 * Reads the whole file. Returns 0 with *ret_contents (text_free()), or a negative errno: -EFBIG
 * for a file of more than `limit` bytes.
 */
int file_read(const char *path, size_t limit, struct text *ret_contents, struct error *error);

#endif
