// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What a node's pods share of the TCP probe, on the running kernel: however many edges the pods of
 * one namespace make, others have room, and what was taken comes back.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "node-agent/probes/tests/kernel_fixture.h"

#include "node-agent/probes/tests/program_maps.c"
#include "node-agent/probes/tests/share_rows.c"

#include "bpf/tcp.h"

#define REFUSED	     "skep_tcp_connects_refused_total"
#define BEYOND_SHARE "skep_tcp_beyond_share_total"
#define NOBODY	     1 /* listens at this port */
#define SHARE	     (TCP_EDGES_LIMIT / (1 + SHARE_TIMES_FREE) * SHARE_TIMES_FREE)
#define LEFT	     10
#define PEERS	     40

static const union probe_settings none;

static int setup(void **state)
{
	return fixture_setup(state, &tcp_probe_kind);
}

static struct probe_attachment *pod_new(struct fixture *fixture, const char *namespace,
					const char *cgroup)
{
	fixture->pod.namespace = (char *)namespace;
	return fixture_attach(fixture, cgroup, &none);
}

/* Each is an edge, although nobody answers. */
static void call_peers(struct fixture *fixture, const char *cgroup, unsigned int peers)
{
	for (unsigned int i = 0; i < peers; i++) {
		const struct sockaddr_in address = {
			.sin_family = AF_INET,
			.sin_port = htons(NOBODY),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i),
		};
		int descriptor;

		enter_cgroup(cgroup);
		descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		leave_cgroups(fixture);
		assert_return_code(descriptor, errno);
		assert_int_equal(
			connect(descriptor, (const struct sockaddr *)&address, sizeof(address)),
			-1);
		assert_int_equal(errno, ECONNREFUSED);
		close(descriptor);
	}
}

static int map_at(const char *cgroup, const char *name)
{
	struct bpf_map_info info;
	int program = program_at(cgroup);
	int map = map_of(program, name, &info);

	close(program);
	return map;
}

/* The edges in the kernel of the target that came last. */
static size_t edges_of_newest(const char *cgroup)
{
	int map = map_at(cgroup, "tcp_edges");
	struct tcp_edge_key key, *before = NULL;
	uint32_t newest = 0;
	size_t count = 0;

	while (bpf_map_get_next_key(map, before, &key) == 0) {
		if (key.target > newest)
			count = 0;
		newest = key.target > newest ? key.target : newest;
		count += key.target == newest;
		before = &key;
	}
	close(map);
	return count;
}

#define assert_sum(fixture, attachment, name, expected)                                            \
	assert_int_equal((long)fixture_sum(fixture, attachment, name), (long)(expected))

static void test_a_flood_of_edges_leaves_others_room(void **state)
{
	struct fixture *fixture = *state;
	const char *at_greedy = fixture_cgroup(fixture, "/greedy");
	const char *at_modest = fixture_cgroup(fixture, "/modest");
	struct probe_attachment *greedy = pod_new(fixture, "greedy", at_greedy), *modest;
	int shares = map_at(at_greedy, "shares");

	/* As though others of the namespace had all of its share but a few. */
	share_add(shares, share_newest(shares), TCP_SHARED_EDGES, SHARE - LEFT);
	share_add(shares, SHARE_NODE, TCP_SHARED_EDGES, SHARE - LEFT);
	call_peers(fixture, at_greedy, PEERS);
	assert_int_equal(edges_of_newest(at_greedy), LEFT);
	assert_sum(fixture, greedy, REFUSED, PEERS); /* some with the others */
	assert_true(fixture_sum(fixture, greedy, BEYOND_SHARE) > 0);
	modest = pod_new(fixture, "modest", at_modest);
	call_peers(fixture, at_modest, PEERS);
	assert_int_equal(edges_of_newest(at_modest), PEERS);
	assert_sum(fixture, modest, REFUSED, PEERS);
	assert_sum(fixture, modest, BEYOND_SHARE, 0);
	assert_int_equal(share_held_now(shares, SHARE_NODE, TCP_SHARED_EDGES), SHARE + PEERS);
	fixture_detach(fixture, greedy);
	assert_int_equal(share_held_now(shares, SHARE_NODE, TCP_SHARED_EDGES),
			 SHARE - LEFT + PEERS);
	assert_int_equal(share_held_now(shares, share_newest(shares), TCP_SHARED_EDGES), PEERS);
	fixture_detach(fixture, modest);
	assert_int_equal(share_held_now(shares, SHARE_NODE, TCP_SHARED_EDGES), SHARE - LEFT);
	close(shares);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_flood_of_edges_leaves_others_room),
	};

	return fixture_run(tests, setup, fixture_teardown);
}
