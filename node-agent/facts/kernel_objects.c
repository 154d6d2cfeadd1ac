// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/facts/kernel_objects.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/base/cleanup.h"

_Static_assert(KERNEL_PROGRAM_NAME_SIZE == BPF_OBJ_NAME_LEN, "the kernel's own");

#define PATH_SIZE 64
#define LINE_SIZE 256

/* The bytes that the kernel counts for a program or map: "memlock:" of proc(5), fdinfo. */
static uint64_t memory_of(const char *descriptor)
{
	char path[PATH_SIZE], line[LINE_SIZE];
	cleanup_file FILE *file = NULL;
	unsigned long long bytes;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%.16s", descriptor);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			return bytes;
	return 0;
}

static bool has_program(const struct kernel_objects *objects, uint32_t id)
{
	for (size_t i = 0; i < objects->program_count; i++)
		if (objects->programs[i].id == id)
			return true;
	return false;
}

static const char *type_name(enum bpf_prog_type type)
{
	const char *name = libbpf_bpf_prog_type_str(type);

	return name ? name : "unknown";
}

static void add_program(struct kernel_objects *objects, const char *descriptor)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	struct kernel_program *program;

	if (bpf_obj_get_info_by_fd(atoi(descriptor), &info, &size) || has_program(objects, info.id))
		return;
	objects->program_memory += memory_of(descriptor);
	if (objects->program_count == KERNEL_PROGRAMS_LIMIT)
		return;
	program = &objects->programs[objects->program_count++];
	program->id = info.id;
	memcpy(program->name, info.name, sizeof(program->name));
	program->name[sizeof(program->name) - 1] = '\0';
	program->type = type_name((enum bpf_prog_type)info.type);
}

static void look_at(struct kernel_objects *objects, int directory, const char *descriptor)
{
	char target[PATH_SIZE];
	ssize_t length = readlinkat(directory, descriptor, target, sizeof(target) - 1);

	if (length < 0)
		return;
	target[length] = '\0';
	if (strcmp(target, "anon_inode:bpf-prog") == 0)
		add_program(objects, descriptor);
	else if (strcmp(target, "anon_inode:bpf-map") == 0)
		objects->map_memory += memory_of(descriptor);
}

static int compare_ids(const void *a, const void *b)
{
	const struct kernel_program *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

void kernel_objects_find(struct kernel_objects *ret_objects)
{
	cleanup_directory DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;

	*ret_objects = (struct kernel_objects){0};
	while (directory && (entry = readdir(directory)))
		look_at(ret_objects, dirfd(directory), entry->d_name);
	qsort(ret_objects->programs, ret_objects->program_count, sizeof(ret_objects->programs[0]),
	      compare_ids);
}
