// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/token_source.h"

#include <errno.h>
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
	struct file_mark now = source->read;
	int result = source->path ? file_mark_take(source->path, &now) : 0;

	if (result < 0)
		return error_set_errno(error, -result, "read token file \"%s\"", source->path);
	if (source->path && !file_mark_equal(&now, &source->read))
		result = read_token(source, error);
	if (result < 0)
		return result;
	source->read = now;
	*ret_token = source->token;
	return 0;
}

void token_source_distrust(struct token_source *source)
{
	source->read = (struct file_mark){0};
}

void token_source_free(struct token_source *source)
{
	free(source->token);
	*source = (struct token_source){0};
}
