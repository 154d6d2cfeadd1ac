// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

#define READ_SIZE 4096

/* Returns 0 at the end of the file or a negative errno. */
static int read_all(int file, size_t limit, struct text *contents)
{
	char piece[READ_SIZE];
	ssize_t length;

	while ((length = read(file, piece, sizeof(piece))) > 0) {
		if (contents->length + (size_t)length > limit)
			return -EFBIG;
		text_append(contents, piece, (size_t)length);
	}
	if (length < 0)
		return -errno;
	return contents->failed ? -ENOMEM : 0;
}

int file_read(const char *path, size_t limit, struct text *ret_contents, struct error *error)
{
	cleanup_text struct text contents = TEXT_EMPTY;
	cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (file < 0)
		return error_set_errno(error, errno, "open \"%s\"", path);
	result = read_all(file, limit, &contents);
	if (result == -EFBIG)
		return error_set(error, EFBIG, "read \"%s\": it is larger than %zu bytes", path,
				 limit);
	if (result < 0)
		return error_set_errno(error, -result, "read \"%s\"", path);
	*ret_contents = contents;
	contents = TEXT_EMPTY;
	return 0;
}

static int write_all(int file, const char *data, size_t length)
{
	while (length) {
		ssize_t written = write(file, data, length);

		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return fsync(file) < 0 ? -errno : 0;
}

int file_replace(const char *path, const char *data, size_t length, struct error *error)
{
	cleanup_free char *beside = NULL;
	cleanup_close int file = -1;
	int result;

	if (asprintf(&beside, "%s.new", path) < 0) {
		beside = NULL;
		return error_set_errno(error, ENOMEM, "write \"%s\"", path);
	}
	file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file < 0)
		return error_set_errno(error, errno, "write \"%s\"", beside);
	result = write_all(file, data, length);
	if (result == 0 && rename(beside, path) < 0)
		result = -errno;
	if (result == 0)
		return 0;
	(void)unlink(beside); /* what is left of it is of no use, and the cause is told */
	return error_set_errno(error, -result, "write \"%s\"", path);
}
