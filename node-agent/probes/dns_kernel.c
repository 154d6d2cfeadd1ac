// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_kernel.h"

#include <errno.h>

#include "bpf/dns.skel.h"
#include "node-agent/probes/programs.h"

static const enum bpf_attach_type hooks[DNS_HOOKS] = {BPF_CGROUP_INET_INGRESS,
						      BPF_CGROUP_INET_EGRESS};

int dns_kernel_open(struct dns_kernel *kernel, struct error *error)
{
	const struct programs_part parts[] = {
		{"dns_received", &kernel->programs[0]},
		{"dns_sent", &kernel->programs[1]},
		{"dns_targets", &kernel->targets},
		{"dns_records", &kernel->records},
	};
	size_t size;
	const void *elf = dns_bpf__elf_bytes(&size);

	*kernel = (struct dns_kernel){{-1, -1}, -1, -1};
	return programs_load_aside(elf, size, "DNS", parts, sizeof(parts) / sizeof(parts[0]),
				   error);
}

void dns_kernel_close(struct dns_kernel *kernel)
{
	for (int i = 0; i < DNS_HOOKS; i++)
		programs_close(&kernel->programs[i]);
	programs_close(&kernel->targets);
	programs_close(&kernel->records);
}

/*
 * -ENOENT as long as nothing has ever been attached to the cgroup: the storage comes with the first
 * attachment and goes with the cgroup.
 */
static int set_target(struct dns_kernel *kernel, uint64_t cgroup_id, uint64_t target,
		      unsigned int level)
{
	const struct dns_target row = {.cgroup = target, .level = level};

	return bpf_map_update_elem(kernel->targets, &cgroup_id, &row, BPF_ANY) ? -errno : 0;
}

/* The programs record nothing until the target is set, so both hooks begin as one. */
int dns_kernel_attach(struct dns_kernel *kernel, const struct probe_target *target,
		      int ret_links[DNS_HOOKS], struct error *error)
{
	int result = programs_attach_target(target, kernel->programs, hooks, DNS_HOOKS, ret_links,
					    error);

	if (result < 0)
		return result;
	result = set_target(kernel, target->cgroup_id, target->cgroup_id, target->cgroup_level);
	if (result < 0)
		return error_set_errno(error, -result, "start the records of %s", target->path);
	return 0;
}

void dns_kernel_detach(int links[DNS_HOOKS])
{
	for (int i = 0; i < DNS_HOOKS; i++)
		programs_close(&links[i]);
}

void dns_kernel_forget(struct dns_kernel *kernel, uint64_t cgroup_id)
{
	(void)set_target(kernel, cgroup_id, 0, 0); /* fails when the cgroup has gone: well */
}

bool dns_kernel_read(const struct dns_kernel *kernel, uint64_t cgroup_id,
		     struct dns_target *ret_target)
{
	return !bpf_map_lookup_elem(kernel->targets, &cgroup_id, ret_target);
}

bool dns_record_valid(const struct dns_record *record, size_t size)
{
	return size >= DNS_RECORD_HEADER_SIZE && record->captured <= DNS_DATA_SIZE &&
	       record->captured <= record->size &&
	       size >= (size_t)DNS_RECORD_HEADER_SIZE + record->captured;
}
