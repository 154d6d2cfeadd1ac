// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/kernel_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "lib/base/cleanup.h"

#define NESTING_LIMIT 8 /* nameless structs within nameless structs */
#define BITS_PER_BYTE 8

/* The offset of a member in bits; -1 when the struct has none of that name. */
static int64_t member_offset(const struct btf *btf, uint32_t type_id, const char *name, int depth)
{
	const struct btf_type *type = btf__type_by_id(btf, type_id);

	if (!type || !btf_is_composite(type) || depth > NESTING_LIMIT)
		return -1;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = btf_members(type) + i;
		const char *member_name = btf__name_by_offset(btf, member->name_off);
		int64_t inner = 0;

		if (!member_name[0])
			inner = member_offset(btf, member->type, name, depth + 1);
		else if (strcmp(member_name, name) != 0)
			continue;
		if (inner >= 0)
			return btf_member_bit_offset(type, i) + inner;
	}
	return -1;
}

static uint32_t field_offset(const struct btf *btf, const struct kernel_field *field)
{
	int32_t type_id = btf__find_by_name_kind(btf, field->type, BTF_KIND_STRUCT);
	int64_t bits = type_id < 0 ? -1 : member_offset(btf, (uint32_t)type_id, field->member, 0);

	return bits < 0 ? 0 : (uint32_t)(bits / BITS_PER_BYTE);
}

/* The child: writes the offsets, one after the other. What it leaves to the kernel is freed
 * fastest. */
static void write_offsets(const char *path, const struct kernel_field *fields, size_t count,
			  int output)
{
	const struct btf *btf = btf__parse_raw(path);

	for (size_t i = 0; btf && i < count; i++) {
		uint32_t offset = field_offset(btf, &fields[i]);

		if (write(output, &offset, sizeof(offset)) != sizeof(offset))
			break;
	}
	_exit(0);
}

static ssize_t read_retrying(int input, void *to, size_t size)
{
	ssize_t result;

	do
		result = read(input, to, size);
	while (result < 0 && errno == EINTR);
	return result;
}

/* Each offset is written whole (a pipe keeps so few bytes together). */
static size_t read_offsets(int input, size_t count, uint32_t *ret_offsets)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t offset;

		if (read_retrying(input, &offset, sizeof(offset)) != sizeof(offset))
			break;
		ret_offsets[i] = offset;
		found += offset != 0;
	}
	return found;
}

static void wait_for(pid_t child)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

size_t kernel_layout_find(const char *path, const struct kernel_field *fields, size_t count,
			  uint32_t *ret_offsets)
{
	int ends[2];
	pid_t child;
	size_t found = 0;

	memset(ret_offsets, 0, count * sizeof(*ret_offsets));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	child = fork();
	if (child == 0)
		write_offsets(path, fields, count, ends[1]);
	close(ends[1]);
	if (child > 0) {
		found = read_offsets(ends[0], count, ret_offsets);
		wait_for(child);
	}
	close(ends[0]);
	return found;
}
