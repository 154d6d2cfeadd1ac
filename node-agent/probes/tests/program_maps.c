// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The maps of the programs on a cgroup, as any tool finds them. Included by the test, after
 * kernel_fixture.h.
 */

#define PROGRAM_MAPS_LIMIT 32

/* Returns a program that is attached to a cgroup. */
static int program_at(const char *cgroup)
{
	__u32 number, count = 1;
	int directory = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program;

	assert_return_code(directory, errno);
	assert_return_code(
		bpf_prog_query(directory, BPF_CGROUP_INET_EGRESS, 0, NULL, &number, &count), errno);
	close(directory);
	assert_int_equal(count, 1);
	program = bpf_prog_get_fd_by_id(number);
	assert_return_code(program, errno);
	return program;
}

/* Opens one of a program's maps. */
static int map_of(int program, const char *name, struct bpf_map_info *ret_info)
{
	__u32 numbers[PROGRAM_MAPS_LIMIT], size;
	struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS_LIMIT,
				     .map_ids = (__u64)(uintptr_t)numbers};

	size = sizeof(info);
	assert_return_code(bpf_obj_get_info_by_fd(program, &info, &size), errno);
	assert_in_range(info.nr_map_ids, 1, PROGRAM_MAPS_LIMIT);
	for (__u32 i = 0; i < info.nr_map_ids; i++) {
		int map = bpf_map_get_fd_by_id(numbers[i]);

		size = sizeof(*ret_info);
		assert_return_code(bpf_obj_get_info_by_fd(map, ret_info, &size), errno);
		if (!strcmp(ret_info->name, name))
			return map;
		close(map);
	}
	fail_msg("no map %s", name);
	return -1;
}
