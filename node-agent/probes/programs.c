// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "node-agent/probes/kernel_layout.h"

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
		"%s: this kernel refuses it (%s): Skep needs 5.12 or newer with "
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

/* What the child says, with the descriptors beside it when `result` is 0. */
struct loaded {
	int result;
	struct error error;
};

#define PARTS_LIMIT 16

union parts_control {
	char bytes[CMSG_SPACE(PARTS_LIMIT * sizeof(int))];
	struct cmsghdr align;
};

static int find_parts(const struct bpf_object *object, const struct programs_part *parts,
		      size_t count, int *ret_descriptors)
{
	for (size_t i = 0; i < count; i++) {
		int descriptor = programs_take_program(object, parts[i].name);

		if (descriptor == -ENOENT)
			descriptor = programs_take_map(object, parts[i].name);
		if (descriptor < 0)
			return descriptor;
		ret_descriptors[i] = descriptor;
	}
	return 0;
}

static int load_parts(const void *elf, size_t size, const char *probe_name,
		      const struct programs_part *parts, size_t count, int *ret_descriptors,
		      struct error *error)
{
	struct bpf_object *object;
	int result;

	libbpf_set_print(write_libbpf_message);
	object = bpf_object__open_mem(elf, size, NULL);
	if (!object)
		return error_set_errno(error, errno, "open the programs of %s", probe_name);
	result = programs_load(object, probe_name, error);
	if (result < 0)
		return result;
	result = find_parts(object, parts, count, ret_descriptors);
	return result < 0 ? error_set_errno(error, -result, "keep the programs of %s", probe_name)
			  : 0;
}

static void send_loaded(int channel, const struct loaded *loaded, const int *descriptors,
			size_t count)
{
	union parts_control control = {0};
	struct iovec vector = {(void *)loaded, sizeof(*loaded)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	struct cmsghdr *header;

	if (loaded->result == 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
	}
	(void)sendmsg(channel, &message, MSG_NOSIGNAL); /* the parent sees the channel end */
}

/* Takes the descriptors; -EPROTO when the child ended without a word. */
static int receive_loaded(int channel, struct loaded *loaded, int *ret_descriptors, size_t count)
{
	union parts_control control;
	struct iovec vector = {loaded, sizeof(*loaded)};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	const struct cmsghdr *header;
	ssize_t received;

	do
		received = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	while (received < 0 && errno == EINTR);
	if (received != sizeof(*loaded))
		return -EPROTO;
	if (loaded->result < 0)
		return 0;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(count * sizeof(int)))
		return -EPROTO;
	memcpy(ret_descriptors, CMSG_DATA(header), count * sizeof(int));
	return 0;
}

/* -EPROTO when the child ended without a word; *ret_status is how, as of waitpid(). */
static int wait_for_loaded(int channel, pid_t child, struct loaded *loaded, int *ret_descriptors,
			   size_t count, int *ret_status)
{
	int result = receive_loaded(channel, loaded, ret_descriptors, count);

	while (waitpid(child, ret_status, 0) < 0 && errno == EINTR)
		;
	return result;
}

static int explain_silence(struct error *error, int number, int status, const char *probe_name)
{
	if (number == EPROTO && WIFSIGNALED(status))
		return error_set(error, ENOMEM,
				 "load the programs of %s: the process that does it was killed "
				 "(signal %d): raise the agent's memory limit",
				 probe_name, WTERMSIG(status));
	return error_set_errno(error, number, "load the programs of %s in a child process",
			       probe_name);
}

int programs_load_aside(const void *elf, size_t size, const char *probe_name,
			const struct programs_part *parts, size_t count, struct error *error)
{
	int ends[2], descriptors[PARTS_LIMIT] = {0}, status = 0, result;
	struct loaded loaded = {0};
	pid_t child;

	if (access(KERNEL_BTF, R_OK) < 0)
		return error_set(error, EOPNOTSUPP,
				 "load the programs of %s: this kernel tells nothing of its types "
				 "(%s): Skep needs one that was built with CONFIG_DEBUG_INFO_BTF",
				 probe_name, KERNEL_BTF);
	if (count > PARTS_LIMIT || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set_errno(error, errno, "load the programs of %s", probe_name);
	child = fork();
	if (child == 0) {
		loaded.result =
			load_parts(elf, size, probe_name, parts, count, descriptors, &loaded.error);
		send_loaded(ends[1], &loaded, descriptors, count);
		_exit(0);
	}
	close(ends[1]);
	result = child < 0 ? -errno
			   : wait_for_loaded(ends[0], child, &loaded, descriptors, count, &status);
	close(ends[0]);
	if (result < 0)
		return explain_silence(error, -result, status, probe_name);
	if (loaded.result < 0) {
		*error = loaded.error;
		return loaded.result;
	}
	for (size_t i = 0; i < count; i++)
		*parts[i].descriptor = descriptors[i];
	return 0;
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

static int attach_cgroup(int program, int cgroup, enum bpf_attach_type type, int *ret_link,
			 struct error *error)
{
	int link = bpf_link_create(program, cgroup, type, NULL);

	if (link < 0)
		return explain_refusal(error, errno, "attach a program to the cgroup");
	*ret_link = link;
	return 0;
}

int programs_attach_target(const struct probe_target *target, const int *programs,
			   const enum bpf_attach_type *hooks, int count, int *ret_links,
			   struct error *error)
{
	cleanup_close int cgroup = -1;
	int result = programs_open_cgroup(target, &cgroup, error);

	for (int i = 0; i < count && result == 0; i++)
		result = attach_cgroup(programs[i], cgroup, hooks[i], &ret_links[i], error);
	return result < 0 ? error_wrap(error, result, "%s", target->path) : 0;
}
