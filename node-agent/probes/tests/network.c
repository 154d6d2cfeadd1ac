// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * A network of a test's own: two namespaces without a name, which end with the test, and a wire
 * between them that loses packets when it is told to. Included by the test.
 */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "node-agent/probes/tests/packet_drop.skel.h"

enum end { CLIENT, SERVER };
#define ENDS 2

struct network {
	int home;
	int ends[ENDS]; /* namespaces */
	const char *ipv4[ENDS];
	const char *ipv6[ENDS];
	struct packet_drop_bpf *drops[ENDS]; /* at the end that receives */
};

static int network_here(void)
{
	int descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_return_code(descriptor, errno);
	return descriptor;
}

static void network_enter(const struct network *network, enum end end)
{
	assert_return_code(setns(network->ends[end], CLONE_NEWNET), errno);
}

static void network_leave(const struct network *network)
{
	assert_return_code(setns(network->home, CLONE_NEWNET), errno);
}

__attribute__((format(printf, 1, 2))) static void network_run(const char *format, ...)
{
	char command[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* Addresses and routes of an end, whose interface to the other end is "wire". */
static void network_configure(const struct network *network, enum end end)
{
	network_enter(network, end);
	network_run("ip link set lo up");
	network_run("ip address add %s/24 dev wire", network->ipv4[end]);
	network_run("ip -6 address add %s/64 dev wire nodad", network->ipv6[end]);
	network_run("ip link set wire up");
	network_leave(network);
}

static void network_make_namespaces(struct network *network)
{
	*network = (struct network){.home = network_here(),
				    .ipv4 = {"10.99.0.1", "10.99.0.2"},
				    .ipv6 = {"fd99::1", "fd99::2"}};
	for (enum end end = CLIENT; end <= SERVER; end++) {
		assert_return_code(unshare(CLONE_NEWNET), errno);
		network->ends[end] = network_here();
	}
	network_leave(network);
}

static struct packet_drop_bpf *network_attach_drop(const struct network *network, enum end end)
{
	struct packet_drop_bpf *drop = packet_drop_bpf__open_and_load();
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options);

	assert_non_null(drop);
	network_enter(network, end);
	hook.ifindex = (int)if_nametoindex("wire");
	options.prog_fd = bpf_program__fd(drop->progs.packet_drop);
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &options), 0);
	network_leave(network);
	return drop;
}

/*
 * Two ends and a wire. Every segment is a packet of its own: otherwise one that is dropped would
 * be as large as the sender's window.
 */
static void network_make(struct network *network)
{
	network_make_namespaces(network);
	network_enter(network, CLIENT);
	network_run("ip link add wire gso_max_segs 1 type veth peer name wire gso_max_segs 1 "
		    "netns /proc/%d/fd/%d",
		    getpid(), network->ends[SERVER]);
	network_leave(network);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		network_configure(network, end);
		network->drops[end] = network_attach_drop(network, end);
	}
}

/* The namespaces, and with them their interfaces, end with the last socket in them. */
static void network_free(struct network *network)
{
	for (enum end end = CLIENT; end <= SERVER; end++) {
		packet_drop_bpf__destroy(network->drops[end]);
		close(network->ends[end]);
	}
	close(network->home);
}
