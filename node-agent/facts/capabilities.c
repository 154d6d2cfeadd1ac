// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/facts/capabilities.h"

#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/base/cleanup.h"

/* What all maps together may take where they count as locked memory; that of all probes is less. */
#define LOCKED_MEMORY_WANTED (64UL << 20)

static bool has_map(enum bpf_map_type type)
{
	return libbpf_probe_bpf_map_type(type, NULL) == 1;
}

static bool has_program(enum bpf_prog_type type)
{
	return libbpf_probe_bpf_prog_type(type, NULL) == 1;
}

static bool has_helper(enum bpf_prog_type type, enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(type, helper, NULL) == 1;
}

static bool test_bpf(const struct capability_node *node)
{
	cleanup_close int map =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "skep_test", sizeof(int), sizeof(int), 1, NULL);

	(void)node;
	return map >= 0;
}

static bool test_cgroup_programs(const struct capability_node *node)
{
	(void)node;
	return has_program(BPF_PROG_TYPE_CGROUP_SKB);
}

static bool test_socket_operations(const struct capability_node *node)
{
	(void)node;
	return has_program(BPF_PROG_TYPE_SOCK_OPS);
}

static bool test_cgroup_storage(const struct capability_node *node)
{
	(void)node;
	return has_map(BPF_MAP_TYPE_CGROUP_STORAGE);
}

static bool test_socket_storage(const struct capability_node *node)
{
	(void)node;
	return has_map(BPF_MAP_TYPE_SK_STORAGE);
}

static bool test_ring_buffer(const struct capability_node *node)
{
	(void)node;
	return has_map(BPF_MAP_TYPE_RINGBUF);
}

static bool test_type_information(const struct capability_node *node)
{
	return access(node->type_information, R_OK) == 0;
}

static bool test_raw_tracepoints(const struct capability_node *node)
{
	(void)node;
	return has_program(BPF_PROG_TYPE_RAW_TRACEPOINT);
}

static bool test_kernel_reads(const struct capability_node *node)
{
	(void)node;
	return has_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_probe_read_kernel);
}

/* An event of the kind that any kernel has; it never runs. */
static bool test_perf_events(const struct capability_node *node)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
	};
	cleanup_close int event =
		(int)syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	(void)node;
	return event >= 0;
}

static bool test_tracefs(const struct capability_node *node)
{
	char path[PATH_MAX];
	int length;

	if (!node->tracefs)
		return false;
	length = snprintf(path, sizeof(path), "%s/events/syscalls/sys_exit_execve/id",
			  node->tracefs);
	return length < (int)sizeof(path) && access(path, R_OK) == 0;
}

static bool test_whole_hierarchy(const struct capability_node *node)
{
	return node->whole_hierarchy;
}

/*
 * A kernel that has this helper (5.11) counts maps to the memory of the container, an older one to
 * the limit of locked memory.
 */
static bool test_map_memory(const struct capability_node *node)
{
	struct rlimit limit;

	(void)node;
	return has_helper(BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_ktime_get_coarse_ns) ||
	       (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= LOCKED_MEMORY_WANTED);
}

const struct capability capabilities[] = {
	{"Bpf", "TCP,Exec,DNS,HTTP",
	 "the kernel refuses bpf(): give the agent the capabilities BPF, PERFMON and NET_ADMIN, as "
	 "its DaemonSet has them, and use a kernel with CONFIG_BPF_SYSCALL",
	 test_bpf},
	{"CgroupPrograms", "TCP,DNS,HTTP",
	 "the kernel takes no programs for the packets of a cgroup: use one with "
	 "CONFIG_CGROUP_BPF, "
	 "and give the agent the capability NET_ADMIN",
	 test_cgroup_programs},
	{"SocketOperations", "TCP",
	 "the kernel takes no programs for the connections of a cgroup: use one with "
	 "CONFIG_CGROUP_BPF, and give the agent the capability NET_ADMIN",
	 test_socket_operations},
	{"CgroupStorage", "TCP,DNS,HTTP",
	 "the kernel has no storage for cgroups: use one with CONFIG_CGROUP_BPF",
	 test_cgroup_storage},
	{"SocketStorage", "TCP,HTTP",
	 "the kernel has no storage for sockets: use 5.12 or newer, with CONFIG_BPF_SYSCALL",
	 test_socket_storage},
	{"RingBuffer", "Exec,DNS,HTTP", "the kernel has no ring buffer for eBPF: use 5.12 or newer",
	 test_ring_buffer},
	{"TypeInformation", "TCP,DNS,HTTP,Exec",
	 "the kernel tells nothing of its types (/sys/kernel/btf/vmlinux): TCP, DNS and HTTP "
	 "cannot "
	 "be attached, and events of Exec lack path, arguments and parent; use a kernel with "
	 "CONFIG_DEBUG_INFO_BTF",
	 test_type_information},
	{"RawTracepoints", "Exec",
	 "the kernel takes no programs for its tracepoints: use one with CONFIG_BPF_EVENTS, and "
	 "give the agent the capability PERFMON",
	 test_raw_tracepoints},
	{"KernelReads", "Exec",
	 "programs may not read the kernel's memory: it is locked down for confidentiality (see "
	 "/sys/kernel/security/lockdown); start it with lockdown=integrity or none, and give the "
	 "agent the capability PERFMON",
	 test_kernel_reads},
	{"PerfEvents", "exec.failures",
	 "the kernel refuses perf_event_open(): give the agent the capability PERFMON, or set "
	 "kernel.perf_event_paranoid lower",
	 test_perf_events},
	{"Tracefs", "exec.failures",
	 "the tracepoints of system calls are not to be found: mount tracefs on the node (mount -t "
	 "tracefs tracefs /sys/kernel/tracing), use a kernel with CONFIG_FTRACE_SYSCALLS, and "
	 "restart the agent",
	 test_tracefs},
	{"WholeCgroupHierarchy", "Exec",
	 "the agent sees only a part of the cgroup hierarchy: mount the node's /sys/fs/cgroup into "
	 "its pod and name it with --cgroup-root",
	 test_whole_hierarchy},
	{"MapMemory", "TCP,Exec,DNS,HTTP",
	 "maps count as locked memory (kernel before 5.11), and the agent may have too little: "
	 "raise "
	 "its limit (ulimit -l) to 64 MiB, or use 5.12 or newer",
	 test_map_memory},
};
const size_t capabilities_count = sizeof(capabilities) / sizeof(capabilities[0]);

_Static_assert(sizeof(capabilities) / sizeof(capabilities[0]) <= CAPABILITIES_LIMIT, "all fit");

size_t capabilities_test(const struct capability_node *node, bool results[CAPABILITIES_LIMIT])
{
	results[0] = capabilities[0].test(node);
	if (!results[0])
		return 1;
	for (size_t i = 1; i < capabilities_count; i++)
		results[i] = capabilities[i].test(node);
	return capabilities_count;
}
