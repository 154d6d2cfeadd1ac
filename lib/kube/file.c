// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/base/cleanup.h"

#define CHUNK_SIZE 4096

/* Returns 0 at the end of the file or a negative errno. */
static int read_chunks(FILE *file, size_t limit, struct text *contents)
{
	char chunk[CHUNK_SIZE];
	size_t length;

	while ((length = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		if (contents->length + length > limit)
			return -EFBIG;
		text_append(contents, chunk, length);
	}
	if (ferror(file))
		return -errno;
	return contents->failed ? -ENOMEM : 0;
}

int file_read(const char *path, size_t limit, struct text *ret_contents, struct error *error)
{
	cleanup_text struct text contents = TEXT_EMPTY;
	cleanup_file FILE *file = fopen(path, "re");
	int result;

	if (!file)
		return error_set_errno(error, errno, "open \"%s\"", path);
	result = read_chunks(file, limit, &contents);
	if (result < 0)
		return error_set_errno(error, -result, "read \"%s\"", path);
	*ret_contents = contents;
	contents = TEXT_EMPTY;
	return 0;
}
