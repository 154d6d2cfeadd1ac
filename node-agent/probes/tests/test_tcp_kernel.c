// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The TCP probe on the running kernel: real sockets over loopback, every counter against the truth.
 */

#include "node-agent/probes/tests/kernel_fixture.h"
#include "node-agent/probes/tcp_kernel.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define OPENED	      "skep_tcp_connections_opened_total"
#define ACCEPTED      "skep_tcp_connections_accepted_total"
#define REFUSED	      "skep_tcp_connects_refused_total"
#define RESET_BY_PEER "skep_tcp_resets_received_total"
#define RESET	      "skep_tcp_resets_sent_total"
#define OPEN	      "skep_tcp_connections_open"
#define SENT	      "skep_tcp_sent_bytes_total"
#define RECEIVED      "skep_tcp_received_bytes_total"
#define RETRANSMITTED "skep_tcp_retransmitted_packets_total"
#define SRTT_COUNT    "skep_tcp_srtt_seconds_count"

static const union probe_settings none;

static int setup(void **state)
{
	return fixture_setup(state, &tcp_probe_kind);
}

#define assert_value(fixture, attachment, name, expected)                                          \
	assert_int_equal((long)fixture_sum(fixture, attachment, name), (long)(expected))

/* A server socket in one cgroup, a client socket in another, and the connection between them. */
struct pair {
	int listener;
	int client;
	int server;
	struct sockaddr_in6 address;
	socklen_t address_size;
};

enum ip { IPV4, IPV6, IPV4_MAPPED };

static void set_address(struct pair *pair, enum ip ip)
{
	memset(&pair->address, 0, sizeof(pair->address));
	if (ip == IPV4) {
		struct sockaddr_in *address = (struct sockaddr_in *)&pair->address;

		address->sin_family = AF_INET;
		address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		pair->address_size = sizeof(*address);
		return;
	}
	pair->address.sin6_family = AF_INET6;
	pair->address.sin6_addr = in6addr_loopback;
	if (ip == IPV4_MAPPED) {
		memset(&pair->address.sin6_addr, 0, 16);
		memset(&pair->address.sin6_addr.s6_addr[10], 0xff, 2);
		pair->address.sin6_addr.s6_addr[12] = 127;
		pair->address.sin6_addr.s6_addr[15] = 1;
	}
	pair->address_size = sizeof(pair->address);
}

/* A socket belongs to the cgroup in which it was made. */
static int socket_in(struct fixture *fixture, const char *cgroup, int family)
{
	int descriptor;

	enter_cgroup(cgroup);
	descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	leave_cgroups(fixture);
	assert_return_code(descriptor, errno);
	return descriptor;
}

static void listen_in(struct fixture *fixture, struct pair *pair, const char *cgroup, enum ip ip)
{
	set_address(pair, ip);
	pair->listener = socket_in(fixture, cgroup, pair->address.sin6_family);
	assert_return_code(
		bind(pair->listener, (struct sockaddr *)&pair->address, pair->address_size), errno);
	assert_return_code(listen(pair->listener, 16), errno);
	getsockname(pair->listener, (struct sockaddr *)&pair->address, &pair->address_size);
}

static void connect_in(struct fixture *fixture, struct pair *pair, const char *cgroup)
{
	pair->client = socket_in(fixture, cgroup, pair->address.sin6_family);
	assert_return_code(
		connect(pair->client, (struct sockaddr *)&pair->address, pair->address_size),
		errno);
	pair->server = accept(pair->listener, NULL, NULL);
	assert_return_code(pair->server, errno);
}

static void transfer(int from, int to, size_t size)
{
	char buffer[16384] = {0};

	while (size > 0) {
		size_t chunk = size < sizeof(buffer) ? size : sizeof(buffer);

		assert_int_equal(send(from, buffer, chunk, MSG_NOSIGNAL), chunk);
		assert_int_equal(recv(to, buffer, chunk, MSG_WAITALL), chunk);
		size -= chunk;
	}
}

static void abort_connection(int descriptor)
{
	const struct linger linger = {.l_onoff = 1};

	setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(descriptor);
}

/* Both ends watched apart: each sees its own half of the truth. */
static void check_conversation(struct fixture *fixture, enum ip ip)
{
	const char *at_client = fixture_cgroup(fixture, "/client");
	const char *at_server = fixture_cgroup(fixture, "/server");
	struct probe_attachment *client = fixture_attach(fixture, at_client, &none);
	struct probe_attachment *server = fixture_attach(fixture, at_server, &none);
	struct pair pair;

	listen_in(fixture, &pair, at_server, ip);
	connect_in(fixture, &pair, at_client);
	transfer(pair.client, pair.server, 100000);
	transfer(pair.server, pair.client, 54321);
	assert_value(fixture, client, OPENED, 1);
	assert_value(fixture, client, ACCEPTED, 0);
	assert_value(fixture, client, OPEN, 1);
	assert_value(fixture, client, SENT, 100000);
	assert_value(fixture, client, RECEIVED, 54321);
	assert_value(fixture, server, OPENED, 0);
	assert_value(fixture, server, ACCEPTED, 1);
	assert_value(fixture, server, OPEN, 1);
	assert_value(fixture, server, SENT, 54321);
	assert_value(fixture, server, RECEIVED, 100000);
	close(pair.client);
	close(pair.server);
	close(pair.listener);
	assert_value(fixture, client, OPEN, 0);
	assert_value(fixture, server, OPEN, 0);
	assert_value(fixture, client, RESET, 0);
	assert_value(fixture, client, RESET_BY_PEER, 0);
	assert_value(fixture, client, REFUSED, 0);
	assert_value(fixture, client, SRTT_COUNT, 1);
	fixture_detach(fixture, client);
	fixture_detach(fixture, server);
}

static void test_conversation_over_ipv4(void **state)
{
	check_conversation(*state, IPV4);
}

static void test_conversation_over_ipv6(void **state)
{
	check_conversation(*state, IPV6);
}

static void test_conversation_over_mapped_ipv4(void **state)
{
	check_conversation(*state, IPV4_MAPPED);
}

static void test_refused_connection_is_no_reset(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &none);
	struct pair pair;

	listen_in(fixture, &pair, fixture->mount, IPV4);
	close(pair.listener);
	pair.client = socket_in(fixture, cgroup, AF_INET);
	assert_int_equal(connect(pair.client, (struct sockaddr *)&pair.address, pair.address_size),
			 -1);
	close(pair.client);
	assert_value(fixture, attachment, REFUSED, 1);
	assert_value(fixture, attachment, OPENED, 0);
	assert_value(fixture, attachment, RESET, 0);
	assert_value(fixture, attachment, OPEN, 0);
	fixture_detach(fixture, attachment);
}

static void test_reset_is_told_by_who_did_it(void **state)
{
	struct fixture *fixture = *state;
	const char *at_client = fixture_cgroup(fixture, "/client");
	const char *at_server = fixture_cgroup(fixture, "/server");
	struct probe_attachment *client = fixture_attach(fixture, at_client, &none);
	struct probe_attachment *server = fixture_attach(fixture, at_server, &none);
	struct pair pair;

	listen_in(fixture, &pair, at_server, IPV4);
	connect_in(fixture, &pair, at_client);
	abort_connection(pair.client);
	assert_value(fixture, client, RESET, 1);
	assert_value(fixture, client, RESET_BY_PEER, 0);
	assert_value(fixture, server, RESET, 0);
	assert_value(fixture, server, RESET_BY_PEER, 1);
	assert_value(fixture, client, OPEN, 0);
	assert_value(fixture, server, OPEN, 0);
	close(pair.server);
	close(pair.listener);
	assert_value(fixture, server, RESET_BY_PEER, 1);
	fixture_detach(fixture, client);
	fixture_detach(fixture, server);
}

#define CLOSE_PAUSE_US 500000 /* the first side is in FIN_WAIT2 by then, which takes no memory */

static void check_older_connection(struct fixture *fixture, bool client_closes_first)
{
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment;
	struct pair pair;

	listen_in(fixture, &pair, fixture->mount, IPV4);
	connect_in(fixture, &pair, cgroup);
	attachment = fixture_attach(fixture, cgroup, &none);
	transfer(pair.client, pair.server, 1000);
	transfer(pair.server, pair.client, 2000);
	assert_value(fixture, attachment, OPENED, 0);
	assert_value(fixture, attachment, OPEN, 1);
	assert_value(fixture, attachment, SENT, 1000);
	assert_value(fixture, attachment, RECEIVED, 2000);
	close(client_closes_first ? pair.client : pair.server);
	usleep(CLOSE_PAUSE_US);
	close(client_closes_first ? pair.server : pair.client);
	close(pair.listener);
	assert_value(fixture, attachment, OPEN, 0);
	assert_value(fixture, attachment, RESET, 0);
	fixture_detach(fixture, attachment);
}

static void test_older_connection_that_the_pod_closes_first(void **state)
{
	check_older_connection(*state, true);
}

static void test_older_connection_that_the_peer_closes_first(void **state)
{
	check_older_connection(*state, false);
}

/* It is closing already when the probe comes: never counted as open. */
static void test_older_connection_that_is_closing(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment;
	struct pair pair;

	listen_in(fixture, &pair, fixture->mount, IPV4);
	connect_in(fixture, &pair, cgroup);
	shutdown(pair.client, SHUT_WR);
	attachment = fixture_attach(fixture, cgroup, &none);
	transfer(pair.server, pair.client, 1000);
	assert_value(fixture, attachment, OPEN, 0);
	close(pair.client);
	usleep(CLOSE_PAUSE_US);
	close(pair.server);
	close(pair.listener);
	assert_value(fixture, attachment, OPEN, 0);
	fixture_detach(fixture, attachment);
}

static void test_older_connection_that_is_aborted(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment;
	struct pair pair;

	listen_in(fixture, &pair, fixture->mount, IPV6);
	connect_in(fixture, &pair, cgroup);
	attachment = fixture_attach(fixture, cgroup, &none);
	transfer(pair.client, pair.server, 1000);
	abort_connection(pair.client);
	assert_value(fixture, attachment, RESET, 1);
	assert_value(fixture, attachment, OPEN, 0);
	close(pair.server);
	close(pair.listener);
	fixture_detach(fixture, attachment);
}

static void test_second_attachment_begins_anew(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &none);
	struct pair pair;

	listen_in(fixture, &pair, fixture->mount, IPV4);
	connect_in(fixture, &pair, cgroup);
	transfer(pair.client, pair.server, 1000);
	fixture_detach(fixture, attachment);
	attachment = fixture_attach(fixture, cgroup, &none);
	assert_value(fixture, attachment, SENT, 0);
	transfer(pair.client, pair.server, 10);
	assert_value(fixture, attachment, OPENED, 0);
	assert_value(fixture, attachment, OPEN, 1);
	assert_value(fixture, attachment, SENT, 10);
	close(pair.client);
	close(pair.server);
	close(pair.listener);
	assert_value(fixture, attachment, OPEN, 0);
	fixture_detach(fixture, attachment);
}

/* The programs are loaded anew, as by an agent that was restarted: sockets remember more than they.
 */
static void reload(struct fixture *fixture)
{
	struct error error;

	fixture->kind->close(fixture->probe);
	assert_int_equal(fixture->kind->open(&fixture->host, &fixture->probe, &error), 0);
}

/* It slept since the programs came, and is no young one for that: its end tells nothing of it. */
static void test_connection_that_slept_is_not_counted_as_a_young_one(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &none);
	struct pair old, young;

	listen_in(fixture, &old, cgroup, IPV4);
	connect_in(fixture, &old, fixture->mount);
	transfer(old.server, old.client, 10000000);
	fixture_detach(fixture, attachment);
	reload(fixture);
	attachment = fixture_attach(fixture, cgroup, &none);
	young = old;
	connect_in(fixture, &young, fixture->mount);
	close(old.server);
	close(old.client);
	assert_value(fixture, attachment, SENT, 0);
	assert_value(fixture, attachment, OPEN, 1);
	close(young.server);
	close(young.client);
	close(young.listener);
	assert_value(fixture, attachment, OPEN, 0);
	fixture_detach(fixture, attachment);
}

/* A pod and its container at the same time: the one that came last takes over, without a gap. */
static void test_one_target_takes_over_from_another(void **state)
{
	struct fixture *fixture = *state;
	const char *pod = fixture_cgroup(fixture, "/pod");
	const char *container = fixture_cgroup(fixture, "/pod/container");
	struct probe_attachment *outer = fixture_attach(fixture, pod, &none), *inner;
	long before;
	struct pair pair;

	listen_in(fixture, &pair, fixture->mount, IPV4);
	connect_in(fixture, &pair, container);
	transfer(pair.client, pair.server, 1000);
	inner = fixture_attach(fixture, container, &none);
	for (int i = 0; i < 100; i++) {
		transfer(pair.client, pair.server, 20);
		usleep(5000);
	}
	assert_value(fixture, outer, OPENED, 1);
	assert_value(fixture, inner, OPENED, 0);
	assert_value(fixture, inner, OPEN, 1);
	before = (long)fixture_sum(fixture, outer, SENT);
	assert_true(before >= 1000);
	assert_value(fixture, inner, SENT, 3000 - before);
	transfer(pair.client, pair.server, 20);
	assert_value(fixture, outer, SENT, before);
	fixture_detach(fixture, outer);
	assert_value(fixture, inner, SENT, 3020 - before);
	close(pair.client);
	close(pair.server);
	close(pair.listener);
	assert_value(fixture, inner, OPEN, 0);
	fixture_detach(fixture, inner);
}

static void test_neighbour_is_not_seen(void **state)
{
	struct fixture *fixture = *state;
	const char *watched = fixture_cgroup(fixture, "/watched");
	const char *neighbour = fixture_cgroup(fixture, "/neighbour");
	struct probe_attachment *attachment = fixture_attach(fixture, watched, &none);
	struct pair pair;

	listen_in(fixture, &pair, neighbour, IPV4);
	connect_in(fixture, &pair, neighbour);
	transfer(pair.client, pair.server, 1000);
	abort_connection(pair.client);
	close(pair.server);
	close(pair.listener);
	assert_value(fixture, attachment, OPENED, 0);
	assert_value(fixture, attachment, ACCEPTED, 0);
	assert_value(fixture, attachment, SENT, 0);
	assert_value(fixture, attachment, RECEIVED, 0);
	assert_value(fixture, attachment, RESET, 0);
	fixture_detach(fixture, attachment);
}

/* The receiver drops what comes, for a while; the sender's kernel knows how often it sent again. */
static void test_retransmissions_are_the_kernels_own(void **state)
{
	struct sock_filter drop_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
	struct sock_fprog filter = {1, drop_all};
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &none);
	struct tcp_info info;
	socklen_t size = sizeof(info);
	struct pair pair;
	char byte = 0;

	listen_in(fixture, &pair, fixture->mount, IPV4);
	connect_in(fixture, &pair, cgroup);
	setsockopt(pair.server, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
	assert_int_equal(send(pair.client, &byte, 1, 0), 1);
	usleep(700000);
	setsockopt(pair.server, SOL_SOCKET, SO_DETACH_FILTER, &filter, sizeof(filter));
	assert_int_equal(recv(pair.server, &byte, 1, 0), 1);
	usleep(10000);
	getsockopt(pair.client, IPPROTO_TCP, TCP_INFO, &info, &size);
	close(pair.client);
	close(pair.server);
	close(pair.listener);
	assert_true(info.tcpi_total_retrans > 0);
	assert_value(fixture, attachment, RETRANSMITTED, info.tcpi_total_retrans);
	fixture_detach(fixture, attachment);
}

/* On a loaded machine the last FINs are taken in after their sender has ended. */
static void wait_until_closed(struct fixture *fixture, struct probe_attachment *attachment)
{
	for (int i = 0; i < 100 && fixture_sum(fixture, attachment, OPEN) > 0; i++)
		usleep(10000);
}

#define CONNECTIONS 300

/* Two processes on as many CPUs as there are: no update of a counter gets lost. */
static void test_counters_are_exact_under_load(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &none);
	int status;

	for (int worker = 0; worker < 2; worker++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < CONNECTIONS; i++) {
			struct pair pair;

			listen_in(fixture, &pair, cgroup, i % 2 ? IPV4 : IPV6);
			connect_in(fixture, &pair, cgroup);
			for (int round = 0; round < 20; round++) {
				transfer(pair.client, pair.server, 1000);
				transfer(pair.server, pair.client, 3000);
			}
			close(pair.client);
			close(pair.server);
			close(pair.listener);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
	wait_until_closed(fixture, attachment);
	assert_value(fixture, attachment, OPENED, 2 * CONNECTIONS);
	assert_value(fixture, attachment, ACCEPTED, 2 * CONNECTIONS);
	assert_value(fixture, attachment, SENT, 2 * CONNECTIONS * 20 * 4000);
	assert_value(fixture, attachment, RECEIVED, 2 * CONNECTIONS * 20 * 4000);
	assert_value(fixture, attachment, OPEN, 0);
	fixture_detach(fixture, attachment);
}

/* The only program at a hook of a cgroup, by the kernel's own list; 0 when there is none. */
static uint32_t program_at(const char *cgroup, enum bpf_attach_type type)
{
	uint32_t ids[4] = {0}, count = 4;
	int descriptor = open(cgroup, O_RDONLY | O_CLOEXEC);

	assert_return_code(bpf_prog_query(descriptor, type, 0, NULL, ids, &count), errno);
	close(descriptor);
	assert_true(count <= 1);
	return count ? ids[0] : 0;
}

/* --- more peers than the limits allow --- */

#define PEERS	 400 /* TCP_EDGE_BURST and some more */
#define NEWCOMER (PEERS - 1)

/* A connection from one of many addresses, all of this machine. */
static void connect_from(struct fixture *fixture, struct pair *pair, int number)
{
	struct sockaddr_in source = {.sin_family = AF_INET};

	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + (uint32_t)number);
	pair->client = socket_in(fixture, fixture->mount, AF_INET);
	assert_return_code(bind(pair->client, (struct sockaddr *)&source, sizeof(source)), errno);
	assert_return_code(
		connect(pair->client, (struct sockaddr *)&pair->address, pair->address_size),
		errno);
	pair->server = accept(pair->listener, NULL, NULL);
	assert_return_code(pair->server, errno);
}

static void connect_all(struct fixture *fixture, struct pair *pairs, const char *cgroup)
{
	listen_in(fixture, &pairs[0], cgroup, IPV4);
	for (int i = 0; i < PEERS; i++) {
		pairs[i].listener = pairs[0].listener;
		pairs[i].address = pairs[0].address;
		pairs[i].address_size = pairs[0].address_size;
		connect_from(fixture, &pairs[i], i);
	}
}

static void close_pair(struct pair *pair)
{
	close(pair->client);
	close(pair->server);
}

/* The last peer has no edge when it first comes, and gets one when it comes again. */
static void test_connections_of_others_end_there(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/server");
	struct probe_attachment *server = fixture_attach(fixture, cgroup, &none);
	struct pair pairs[PEERS], again;

	connect_all(fixture, pairs, cgroup);
	assert_value(fixture, server, OPEN, PEERS);
	usleep(2 * TCP_EDGE_INTERVAL_NS / 1000);
	again = pairs[0];
	connect_from(fixture, &again, NEWCOMER);
	close_pair(&pairs[NEWCOMER]);
	assert_value(fixture, server, OPEN, PEERS);
	for (int i = 0; i < NEWCOMER; i++)
		close_pair(&pairs[i]);
	assert_value(fixture, server, OPEN, 1);
	transfer(again.client, again.server, 1000);
	close_pair(&again);
	assert_value(fixture, server, OPEN, 0);
	assert_value(fixture, server, ACCEPTED, PEERS + 1);
	assert_value(fixture, server, RECEIVED, 1000);
	close(pairs[0].listener);
	fixture_detach(fixture, server);
}

/* A listener at all addresses of this machine. */
static void listen_everywhere(struct fixture *fixture, struct pair *pair)
{
	set_address(pair, IPV4);
	((struct sockaddr_in *)&pair->address)->sin_addr.s_addr = INADDR_ANY;
	pair->listener = socket_in(fixture, fixture->mount, AF_INET);
	assert_return_code(
		bind(pair->listener, (struct sockaddr *)&pair->address, pair->address_size), errno);
	assert_return_code(listen(pair->listener, 16), errno);
	getsockname(pair->listener, (struct sockaddr *)&pair->address, &pair->address_size);
}

/* Begins a connection to one of many addresses, where one listener answers. */
static void begin_connection_to(struct fixture *fixture, struct pair *pair, const char *cgroup,
				int number)
{
	struct sockaddr_in server = *(const struct sockaddr_in *)&pair->address;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + (uint32_t)number);
	pair->client = socket_in(fixture, cgroup, AF_INET);
	assert_return_code(fcntl(pair->client, F_SETFL, O_NONBLOCK), errno);
	if (connect(pair->client, (struct sockaddr *)&server, sizeof(server)) < 0)
		assert_int_equal(errno, EINPROGRESS);
}

static void end_connection_to(struct pair *pair)
{
	pair->server = accept(pair->listener, NULL, NULL);
	assert_return_code(pair->server, errno);
}

/* By the time that its SYN comes through, there is room for one more edge. */
static void connect_late(struct fixture *fixture, struct pair *pair, const char *cgroup)
{
	struct sock_filter drop_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
	struct sock_fprog filter = {1, drop_all};

	setsockopt(pair->listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
	begin_connection_to(fixture, pair, cgroup, NEWCOMER);
	usleep(2 * TCP_EDGE_INTERVAL_NS / 1000);
	setsockopt(pair->listener, SOL_SOCKET, SO_DETACH_FILTER, &filter, sizeof(filter));
	end_connection_to(pair);
}

static void test_connection_of_others_stays_with_them(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/client");
	struct probe_attachment *client = fixture_attach(fixture, cgroup, &none);
	struct pair pairs[PEERS];

	listen_everywhere(fixture, &pairs[0]);
	for (int i = 0; i < NEWCOMER; i++) {
		pairs[i] = pairs[0];
		begin_connection_to(fixture, &pairs[i], cgroup, i);
		end_connection_to(&pairs[i]);
	}
	pairs[NEWCOMER] = pairs[0];
	connect_late(fixture, &pairs[NEWCOMER], cgroup);
	assert_value(fixture, client, OPENED, PEERS);
	assert_value(fixture, client, OPEN, PEERS);
	for (int i = 0; i < PEERS; i++)
		close_pair(&pairs[i]);
	wait_until_closed(fixture, client);
	assert_value(fixture, client, OPENED, PEERS);
	assert_value(fixture, client, OPEN, 0);
	close(pairs[0].listener);
	fixture_detach(fixture, client);
}

static void test_older_connections_beyond_the_limit(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/server");
	struct probe_attachment *server;
	struct pair pairs[PEERS];

	connect_all(fixture, pairs, cgroup);
	server = fixture_attach(fixture, cgroup, &none);
	for (int i = 0; i < PEERS; i++)
		transfer(pairs[i].server, pairs[i].client, 10);
	assert_value(fixture, server, OPEN, PEERS);
	assert_value(fixture, server, SENT, 10 * PEERS);
	for (int i = 0; i < PEERS; i++)
		close_pair(&pairs[i]);
	assert_value(fixture, server, OPEN, 0);
	close(pairs[0].listener);
	fixture_detach(fixture, server);
}

/* Whoever has made as many edges as there may be keeps nobody else from being watched. */
static void test_attaches_where_all_edges_are_taken(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/late");
	const struct probe_target target = fixture_target(fixture, cgroup);
	static const struct tcp_counters zero;
	static const struct tcp_target row = {.target = 2, .namespace = 1};
	struct tcp_edge_key key = {.target = 1, .port = 1};
	int links[TCP_HOOKS] = {-1, -1};
	struct tcp_kernel kernel;
	struct error error;

	assert_int_equal(tcp_kernel_open(&kernel, &error), 0);
	while (bpf_map_update_elem(kernel.edges.descriptor, &key, &zero, BPF_NOEXIST) == 0)
		key.port++;
	assert_int_equal(key.port, TCP_EDGES_LIMIT + 1);
	if (tcp_kernel_attach(&kernel, &target, &row, links, &error) < 0)
		fail_msg("%s", error.message);
	for (int i = 0; i < TCP_HOOKS; i++)
		close(links[i]);
	tcp_kernel_close(&kernel);
}

static void test_targets_share_programs_and_leave_nothing(void **state)
{
	static const enum bpf_attach_type types[] = {BPF_CGROUP_INET_EGRESS, BPF_CGROUP_SOCK_OPS};
	struct fixture *fixture = *state;
	const char *first = fixture_cgroup(fixture, "/first");
	const char *second = fixture_cgroup(fixture, "/second");
	struct probe_attachment *a = fixture_attach(fixture, first, &none);
	struct probe_attachment *b = fixture_attach(fixture, second, &none);

	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(program_at(first, types[i]), 0);
		assert_int_equal(program_at(first, types[i]), program_at(second, types[i]));
	}
	fixture_detach(fixture, a);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(program_at(first, types[i]), 0);
		assert_int_not_equal(program_at(second, types[i]), 0);
	}
	fixture_detach(fixture, b);
	for (int i = 0; i < 2; i++)
		assert_int_equal(program_at(second, types[i]), 0);
}

static void test_target_may_go_first(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &none);

	assert_return_code(rmdir(cgroup), errno);
	(void)fixture_sum(fixture, attachment, OPEN);
	fixture_detach(fixture, attachment);
}

static void test_cgroup_that_is_gone_is_said_to_be(void **state)
{
	struct fixture *fixture = *state;
	struct probe_target target = fixture_target(fixture, fixture_cgroup(fixture, "/a"));
	struct probe_attachment *attachment = NULL;
	struct error error;

	target.cgroup_id++;
	assert_int_equal(tcp_probe_kind.attach(fixture->probe, &target, &none, &attachment, &error),
			 -ENOENT);
	rmdir(target.path);
	assert_int_equal(tcp_probe_kind.attach(fixture->probe, &target, &none, &attachment, &error),
			 -ENOENT);
	assert_null(attachment);
}

#define case_of(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)

int main(void)
{
	struct CMUnitTest tests[] = {
		case_of(test_conversation_over_ipv4),
		case_of(test_conversation_over_ipv6),
		case_of(test_conversation_over_mapped_ipv4),
		case_of(test_refused_connection_is_no_reset),
		case_of(test_reset_is_told_by_who_did_it),
		case_of(test_older_connection_that_the_pod_closes_first),
		case_of(test_older_connection_that_the_peer_closes_first),
		case_of(test_older_connection_that_is_closing),
		case_of(test_older_connection_that_is_aborted),
		case_of(test_second_attachment_begins_anew),
		case_of(test_connection_that_slept_is_not_counted_as_a_young_one),
		case_of(test_one_target_takes_over_from_another),
		case_of(test_neighbour_is_not_seen),
		case_of(test_retransmissions_are_the_kernels_own),
		case_of(test_counters_are_exact_under_load),
		case_of(test_connections_of_others_end_there),
		case_of(test_connection_of_others_stays_with_them),
		case_of(test_older_connections_beyond_the_limit),
		case_of(test_attaches_where_all_edges_are_taken),
		case_of(test_targets_share_programs_and_leave_nothing),
		case_of(test_target_may_go_first),
		case_of(test_cgroup_that_is_gone_is_said_to_be),
	};

	return fixture_run(tests, NULL, NULL);
}
