// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/token_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"

static void trim_end(struct text *text)
{
	while (text->length && strchr(" \t\r\n", text->data[text->length - 1]))
		text->length--;
}

static bool is_token(const struct text *text)
{
	for (size_t i = 0; i < text->length; i++)
		if (text->data[i] <= ' ' || text->data[i] > '~')
			return false;
	return text->length > 0;
}

int token_file_read(const char *path, size_t limit, char **ret_token, struct error *error)
{
	cleanup_text struct text contents = TEXT_EMPTY;
	int result = file_read(path, limit, &contents, error);

	if (result < 0)
		return error_wrap(error, result, "read token file");
	trim_end(&contents);
	if (!is_token(&contents))
		return error_set(error, EINVAL, "read token file: \"%s\" holds no token", path);
	contents.data[contents.length] = '\0';
	*ret_token = take_pointer(contents.data);
	return 0;
}
