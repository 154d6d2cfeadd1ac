// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/selection/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define SELECTION_FILE "selection.json"
#define STARTS_FILE    "starts"
#define STARTS_LIMIT   32

static char *path_of(const char *directory, const char *name, struct error *error)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) >= 0)
		return path;
	error_set(error, ENOMEM, "out of memory");
	return NULL;
}

/* Makes `path` if it is not there; one that is there already is fine. */
static int make_directory(const char *path, struct error *error)
{
	struct stat status;

	if (mkdir(path, 0700) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &status) == 0)
		return S_ISDIR(status.st_mode)
			       ? 0
			       : error_set_errno(error, ENOTDIR, "state directory %s", path);
	return error_set_errno(error, errno, "cannot make the state directory %s", path);
}

int store_prepare(const char *directory, struct error *error)
{
	cleanup_free char *path = strdup(directory);

	if (!path)
		return error_set(error, ENOMEM, "out of memory");
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		int result;

		*at = '\0';
		result = make_directory(path, error);
		if (result < 0)
			return result;
		*at = '/';
	}
	return make_directory(path, error);
}

static int decode_selection(const char *text, const char *path, struct desired *desired,
			    struct error *error)
{
	cleanup_json cJSON *json = cJSON_Parse(text);
	struct strings changed = {0}, complaints = {0};
	struct selection_change change;
	int result;

	if (!json)
		return error_set(error, EINVAL, "%s is damaged: no JSON", path);
	result = selection_change_decode(json, &change, error);
	if (result == 0 && !change.snapshot)
		result = error_set(error, EINVAL, "no snapshot");
	if (result == 0)
		result = desired_apply(desired, &change, &changed, &complaints, error);
	if (result == 0 && complaints.count)
		result = error_set(error, EINVAL, "%s", complaints.items[0]);
	strings_free(&changed);
	strings_free(&complaints);
	if (result == 0)
		return 0;
	desired_free(desired);
	return error_wrap(error, result, "%s is damaged", path);
}

int store_load(const char *directory, struct desired *desired, struct error *error)
{
	cleanup_free char *path = path_of(directory, SELECTION_FILE, error);
	cleanup_text struct text contents = TEXT_EMPTY;
	int result;

	if (!path)
		return -ENOMEM;
	result = file_read(path, STORE_FILE_LIMIT, &contents, error);
	if (result == -ENOENT)
		return 0;
	if (result < 0)
		return result;
	return decode_selection(contents.data ? contents.data : "", path, desired, error);
}

int store_save(const char *directory, const struct desired *desired, struct error *error)
{
	cleanup_free char *path = path_of(directory, SELECTION_FILE, error);
	cleanup_json cJSON *json = desired_encode(desired);
	cleanup_free char *text = json ? cJSON_PrintUnformatted(json) : NULL;

	if (!path || !text)
		return error_set(error, ENOMEM, "out of memory");
	return file_replace(path, text, strlen(text), error);
}

int store_count_start(const char *directory, uint64_t *ret_starts, struct error *error)
{
	cleanup_free char *path = path_of(directory, STARTS_FILE, error);
	cleanup_text struct text contents = TEXT_EMPTY;
	char number[STARTS_LIMIT];
	uint64_t starts = 0;
	int result;

	if (!path)
		return -ENOMEM;
	if (file_read(path, STARTS_LIMIT, &contents, NULL) == 0 && contents.data)
		starts = strtoull(contents.data, NULL, 10);
	starts++;
	snprintf(number, sizeof(number), "%" PRIu64 "\n", starts);
	result = file_replace(path, number, strlen(number), error);
	if (result == 0)
		*ret_starts = starts;
	return result;
}
