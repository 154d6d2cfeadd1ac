/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A file that holds a bearer token, such as the kubelet projects into pods. */
#ifndef SKEP_LIB_BASE_TOKEN_FILE_H
#define SKEP_LIB_BASE_TOKEN_FILE_H

#include <stddef.h>

#include "lib/base/error.h"

/*
 * Reads the token, without the white space behind it, as a rule a line's end. Returns 0 with
 * *ret_token for the caller to free, or a negative errno: -EFBIG for a file of more than `limit`
 * bytes, -EINVAL where it is empty or holds what no token does (RFC 6750, 2.1: it would end the
 * header that carries it).
 */
int token_file_read(const char *path, size_t limit, char **ret_token, struct error *error);

#endif
