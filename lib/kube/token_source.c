// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/token_source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/token_file.h"

int token_source_init(struct token_source *source, const char *path, const char *token)
{
	*source = (struct token_source){.path = path};
	if (path || !token)
		return 0;
	source->token = strdup(token);
	return source->token ? 0 : -ENOMEM;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_token(struct token_source *source, struct error *error)
{
	char *token;
	int result = token_file_read(source->path, TOKEN_SIZE_LIMIT, &token, error);

	if (result < 0)
		return result;
	free(source->token);
	source->token = token;
	return 0;
}

int token_source_get(struct token_source *source, const char **ret_token, struct error *error)
{
	struct stat now;
	int result = 0;

	if (source->path) {
		if (stat(source->path, &now) < 0)
			return error_set_errno(error, errno, "read token file \"%s\"",
					       source->path);
		if (!source->token || !same_file(&now, &source->read))
			result = read_token(source, error);
		if (result < 0)
			return result;
		source->read = now;
	}
	*ret_token = source->token;
	return 0;
}

void token_source_free(struct token_source *source)
{
	free(source->token);
	*source = (struct token_source){0};
}
