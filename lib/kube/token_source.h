/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Skep Authors */

/* A bearer token: a fixed one, or one in a file that is read again whenever it changes. */
#ifndef SKEP_LIB_KUBE_TOKEN_SOURCE_H
#define SKEP_LIB_KUBE_TOKEN_SOURCE_H

#include "lib/base/error.h"
#include "lib/kube/file_mark.h"

#define TOKEN_SIZE_LIMIT (64 << 10) /* bytes */

struct token_source {
	const char *path;      /* the file, the caller's; NULL for a fixed token or none */
	char *token;	       /* owned; NULL where there is none */
	struct file_mark read; /* the file as it was when it was read */
};

/*
 * Begins with `path` (kept; must outlive the source) or, where that is NULL, a copy of `token`,
 * which may be NULL too. Returns 0 or -ENOMEM.
 */
int token_source_init(struct token_source *source, const char *path, const char *token);

/*
 * The token to use now, or NULL where there is none. It belongs to the source and lives until the
 * next call. Reads the file when its identity, time or size differ from the last reading (a
 * projected token is replaced by a new file). Returns 0 or a negative errno.
 */
int token_source_get(struct token_source *source, const char **ret_token, struct error *error);

/* The server refused the token: the file is read again at the next call, changed or not. */
void token_source_distrust(struct token_source *source);

void token_source_free(struct token_source *source);

#endif
