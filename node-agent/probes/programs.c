// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define MESSAGE_SIZE 1024 /* of one line of libbpf; what is longer is cut */

static int write_libbpf_message(enum libbpf_print_level level, const char *format,
				va_list arguments)
{
	char message[MESSAGE_SIZE];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(message, sizeof(message), format, arguments);
	message[strcspn(message, "\n")] = '\0';
	log_debug("%s", message);
	return 0;
}

static int explain_refusal(struct error *error, int number, const char *what)
{
	if (number == EPERM || number == EACCES)
		return error_set(error, number,
				 "%s: not permitted: the agent needs the capabilities BPF, PERFMON "
				 "and NET_ADMIN",
				 what);
	if (number == ENOMEM)
		return error_set(error, number,
				 "%s: no memory: raise the agent's memory limit or, before kernel "
				 "5.11, its limit of locked memory",
				 what);
	return error_set(
		error, EOPNOTSUPP,
		"%s: this kernel refuses it (%s): Skep needs 5.11 or newer with "
		"CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF; --log-level=debug shows its reason",
		what, strerror(number));
}

int programs_load(struct bpf_object *object, const char *probe_name, struct error *error)
{
	char what[64];
	int result;

	libbpf_set_print(write_libbpf_message);
	result = bpf_object__load(object);
	if (!result)
		return 0;
	snprintf(what, sizeof(what), "load the programs of %s", probe_name);
	return explain_refusal(error, -result, what);
}

static int duplicate(int descriptor)
{
	int copy;

	if (descriptor < 0)
		return descriptor;
	copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? -errno : copy;
}

int programs_take_program(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	return program ? duplicate(bpf_program__fd(program)) : -ENOENT;
}

int programs_take_map(const struct bpf_object *object, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? duplicate(bpf_map__fd(map)) : -ENOENT;
}

void programs_close(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

int programs_open_cgroup(const struct probe_target *target, int *ret_descriptor,
			 struct error *error)
{
	cleanup_close int descriptor = open(target->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat status;

	if (descriptor < 0 || fstat(descriptor, &status) < 0)
		return error_set_errno(error, errno, "open the cgroup %s", target->path);
	if (status.st_ino != target->cgroup_id)
		return error_set(error, ENOENT, "open the cgroup %s: it was made anew meanwhile",
				 target->path);
	*ret_descriptor = take_descriptor(descriptor);
	return 0;
}

int programs_attach_cgroup(int program, int cgroup, enum bpf_attach_type type, int *ret_link,
			   struct error *error)
{
	int link = bpf_link_create(program, cgroup, type, NULL);

	if (link < 0)
		return explain_refusal(error, errno, "attach a program to the cgroup");
	*ret_link = link;
	return 0;
}
