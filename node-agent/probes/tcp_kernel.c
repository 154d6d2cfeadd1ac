// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/tcp_kernel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf/tcp.skel.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"
#include "node-agent/probes/programs.h"

/*
 * Edges of adopted connections read by one call: what fits the kernel's own buffer of 32 KiB. For
 * each call it walks over all that it has told before.
 */
#define LOOK_KEYS (32768 / sizeof(struct tcp_edge_key))

static const enum bpf_attach_type hooks[TCP_HOOKS] = {BPF_CGROUP_INET_EGRESS, BPF_CGROUP_SOCK_OPS};

/* Binds the program that looks at connections to the map in which they are. */
static int link_look(struct tcp_kernel *kernel, struct error *error)
{
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)kernel->connections};
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &info,
		    .iter_info_len = sizeof(info));

	kernel->look = bpf_link_create(kernel->look_program, 0, BPF_TRACE_ITER, &options);
	return kernel->look < 0 ? error_set_errno(error, errno, "look at the connections of TCP")
				: 0;
}

int tcp_kernel_open(struct tcp_kernel *kernel, struct error *error)
{
	int result;
	const struct programs_part parts[] = {
		{"tcp_sent", &kernel->programs[0]},
		{"tcp_operation", &kernel->programs[1]},
		{"tcp_targets", &kernel->targets},
		{"shares", &kernel->shares.map},
		{"tcp_edges", &kernel->edges.descriptor},
		{"tcp_others", &kernel->others.descriptor},
		{"tcp_look", &kernel->look_program},
		{"tcp_connections", &kernel->connections},
	};
	size_t size;
	const void *elf = tcp_bpf__elf_bytes(&size);
	const struct kernel_map map = {-1, sizeof(struct tcp_edge_key), sizeof(struct tcp_counters),
				       "TCP"};

	*kernel = (struct tcp_kernel){
		.programs = {-1, -1},
		.look = -1,
		.look_program = -1,
		.connections = -1,
		.targets = -1,
		.shares = shares_init(),
		.edges = map,
		.others = map,
	};
	result = programs_load_aside(elf, size, "TCP", parts, sizeof(parts) / sizeof(parts[0]),
				     error);
	if (result == 0)
		result = shares_open(&kernel->shares, error);
	if (result == 0)
		result = link_look(kernel, error);
	return result;
}

void tcp_kernel_close(struct tcp_kernel *kernel)
{
	for (int i = 0; i < TCP_HOOKS; i++)
		programs_close(&kernel->programs[i]);
	programs_close(&kernel->look);
	programs_close(&kernel->look_program);
	programs_close(&kernel->connections);
	programs_close(&kernel->targets);
	shares_close(&kernel->shares);
	programs_close(&kernel->edges.descriptor);
	programs_close(&kernel->others.descriptor);
}

/*
 * -ENOENT as long as nothing has ever been attached to the cgroup: the storage comes with the first
 * attachment and goes with the cgroup.
 */
static int set_target(struct tcp_kernel *kernel, uint64_t cgroup_id, const struct tcp_target *row)
{
	return bpf_map_update_elem(kernel->targets, &cgroup_id, row, BPF_ANY) ? -errno : 0;
}

/* The edges that take what is beyond the limits must be there before anything is counted. */
static int add_others(struct tcp_kernel *kernel, uint32_t number)
{
	static const struct tcp_counters zero;

	for (enum tcp_role role = TCP_CLIENT; role <= TCP_SERVER; role++) {
		const struct tcp_edge_key key = {.target = number, .role = (__u8)role};

		if (bpf_map_update_elem(kernel->others.descriptor, &key, &zero, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* The programs count nothing until the target has its number, so all hooks begin as one. */
int tcp_kernel_attach(struct tcp_kernel *kernel, const struct probe_target *target,
		      const struct tcp_target *row, int ret_links[TCP_HOOKS], struct error *error)
{
	int result = programs_attach_target(target, kernel->programs, hooks, TCP_HOOKS, ret_links,
					    error);

	if (result < 0)
		return result;
	result = add_others(kernel, row->target);
	if (result == 0)
		result = set_target(kernel, target->cgroup_id, row);
	if (result < 0)
		return error_set_errno(error, -result, "start the counters of %s", target->path);
	return 0;
}

void tcp_kernel_forget(struct tcp_kernel *kernel, uint64_t cgroup_id)
{
	static const struct tcp_target nothing;

	(void)set_target(kernel, cgroup_id, &nothing); /* fails when the cgroup has gone: well */
}

bool tcp_kernel_beyond_share(const struct tcp_kernel *kernel, uint64_t cgroup_id,
			     uint64_t *ret_count)
{
	struct tcp_target row;

	if (bpf_map_lookup_elem(kernel->targets, &cgroup_id, &row))
		return false;
	*ret_count = row.beyond_share;
	return true;
}

/* Reads whole keys; the kernel may cut a read anywhere. Returns the number of keys, 0 at the end.
 */
static size_t read_keys(int descriptor, struct tcp_edge_key *keys, size_t limit)
{
	char *bytes = (char *)keys;
	size_t size = 0;

	while (size == 0 || size % sizeof(*keys)) {
		ssize_t more = read(descriptor, bytes + size, limit * sizeof(*keys) - size);

		if (more < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (more <= 0)
			break;
		size += (size_t)more;
	}
	return size / sizeof(*keys);
}

void tcp_kernel_look(struct tcp_kernel *kernel,
		     void (*adopted)(void *context, const struct tcp_edge_key *key), void *context)
{
	cleanup_close int descriptor = bpf_iter_create(kernel->look);
	struct tcp_edge_key keys[LOOK_KEYS];
	size_t count;

	if (descriptor < 0) {
		log_warn("TCP: connections are not looked at: %s", strerror(errno));
		return;
	}
	while ((count = read_keys(descriptor, keys, LOOK_KEYS)) > 0)
		for (size_t i = 0; i < count; i++)
			adopted(context, &keys[i]);
}

void tcp_kernel_read(const struct tcp_kernel *kernel,
		     void (*edge)(void *context, const void *key, const void *counters),
		     void *context)
{
	kernel_map_read(&kernel->edges, edge, context);
	kernel_map_read(&kernel->others, edge, context);
}

int tcp_kernel_take(const struct tcp_kernel *kernel, const struct tcp_edge_key *key,
		    uint32_t namespace, struct tcp_counters *ret_counters)
{
	int result;

	if (!key->port)
		return kernel_map_take(&kernel->others, key, ret_counters);
	result = kernel_map_take(&kernel->edges, key, ret_counters);
	if (result == 0)
		shares_return(&kernel->shares, namespace, TCP_SHARED_EDGES);
	return result;
}
