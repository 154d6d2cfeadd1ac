// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/folder.h"

#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

void folder_write(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		fail(path);
}

void folder_make(char folder[FOLDER_SIZE])
{
	snprintf(folder, FOLDER_SIZE, "/tmp/skep-fleet.XXXXXX");
	if (!mkdtemp(folder))
		fail(folder);
}

void folder_remove(const char *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "fleet: %s is left behind\n", folder);
}
