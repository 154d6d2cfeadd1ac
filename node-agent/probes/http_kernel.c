// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_kernel.h"

#include <errno.h>
#include <string.h>

#include "bpf/http.skel.h"
#include "node-agent/probes/programs.h"

static const enum bpf_attach_type hooks[HTTP_HOOKS] = {BPF_CGROUP_INET_INGRESS,
						       BPF_CGROUP_INET_EGRESS, BPF_CGROUP_SOCK_OPS};

int http_kernel_open(struct http_kernel *kernel, struct error *error)
{
	const struct programs_part parts[] = {
		{"http_received", &kernel->programs[0]},
		{"http_sent", &kernel->programs[1]},
		{"http_operation", &kernel->programs[2]},
		{"http_targets", &kernel->targets},
		{".data.version", &kernel->version},
		{"http_counts", &kernel->counts},
		{"http_records", &kernel->records},
		{"shares", &kernel->shares.map},
		{"http_kinds", &kernel->kinds.kinds.descriptor},
		{"http_counters", &kernel->kinds.counters},
		{"http_free", &kernel->kinds.free},
		{"http_others", &kernel->kinds.others.descriptor},
		{"http_steps", &kernel->routes.steps},
		{"http_found", &kernel->routes.found.descriptor},
	};
	size_t size;
	const void *elf = http_bpf__elf_bytes(&size);
	int result;

	*kernel = (struct http_kernel){
		.programs = {-1, -1, -1},
		.targets = -1,
		.version = -1,
		.current = 1,
		.counts = -1,
		.records = -1,
		.shares = shares_init(),
		.kinds = http_kind_maps_init(&kernel->shares),
		.routes = http_route_maps_init(&kernel->shares),
	};
	result = programs_load_aside(elf, size, "HTTP", parts, sizeof(parts) / sizeof(parts[0]),
				     error);
	return result < 0 ? result : shares_open(&kernel->shares, error);
}

void http_kernel_close(struct http_kernel *kernel)
{
	for (int i = 0; i < HTTP_HOOKS; i++)
		programs_close(&kernel->programs[i]);
	programs_close(&kernel->targets);
	programs_close(&kernel->version);
	programs_close(&kernel->counts);
	programs_close(&kernel->records);
	shares_close(&kernel->shares);
	http_kind_maps_close(&kernel->kinds);
	http_route_maps_close(&kernel->routes);
}

/* Each connection has to find out anew what is asked of it. */
static int raise_version(struct http_kernel *kernel)
{
	const uint32_t key = 0, next = kernel->current + 1;
	const uint32_t version = next ? next : 1; /* 0: a connection that is not settled */

	if (bpf_map_update_elem(kernel->version, &key, &version, BPF_ANY))
		return -errno;
	kernel->current = version;
	return 0;
}

/*
 * Asks this of a target. Returns -ENOENT as long as nothing has ever been attached to the cgroup,
 * and once it has gone; its connections may be followed by the programs of a cgroup around it even
 * then.
 */
static int set_target(struct http_kernel *kernel, uint64_t cgroup_id, const struct http_target *row)
{
	int set = bpf_map_update_elem(kernel->targets, &cgroup_id, row, BPF_ANY) ? -errno : 0;
	int raised = raise_version(kernel);

	return set < 0 ? set : raised;
}

static int add_counts(struct http_kernel *kernel, uint32_t number)
{
	static const struct http_target_counts zero;

	return bpf_map_update_elem(kernel->counts, &number, &zero, BPF_ANY) ? -errno : 0;
}

/* What takes the exchanges beyond the limits must be there before anything is counted. */
static int add_others(struct http_kernel *kernel, uint32_t number)
{
	static const struct http_counters zero;

	for (enum http_role role = HTTP_CLIENT; role <= HTTP_SERVER; role++) {
		const struct http_kind others = {.target = number, .role = (__u8)role};

		if (bpf_map_update_elem(kernel->kinds.others.descriptor, &others, &zero, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* The programs count nothing until the target has its number, so both hooks begin as one. */
int http_kernel_attach(struct http_kernel *kernel, const struct probe_target *target,
		       const struct http_target *row, int ret_links[HTTP_HOOKS],
		       struct error *error)
{
	int result = programs_attach_target(target, kernel->programs, hooks, HTTP_HOOKS, ret_links,
					    error);

	if (result < 0)
		return result;
	result = add_others(kernel, row->target);
	if (result == 0)
		result = add_counts(kernel, row->target);
	if (result == 0)
		result = set_target(kernel, target->cgroup_id, row);
	if (result < 0)
		return error_set_errno(error, -result, "start the counters of %s", target->path);
	return 0;
}

int http_kernel_configure(struct http_kernel *kernel, uint64_t cgroup_id,
			  const struct http_target *row, struct error *error)
{
	int result = set_target(kernel, cgroup_id, row);

	return result < 0 ? error_set_errno(error, -result, "change the settings of HTTP") : 0;
}

void http_kernel_stop(struct http_kernel *kernel, uint64_t cgroup_id)
{
	static const struct http_target nothing;

	(void)set_target(kernel, cgroup_id, &nothing); /* fails when the cgroup has gone: well */
}

void http_kernel_forget(struct http_kernel *kernel, uint32_t number)
{
	bpf_map_delete_elem(kernel->counts, &number);
}

bool http_kernel_count(const struct http_kernel *kernel, uint32_t number,
		       struct http_target_counts *ret_counts)
{
	return !bpf_map_lookup_elem(kernel->counts, &number, ret_counts);
}
