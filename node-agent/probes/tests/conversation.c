// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * A connection of a test's own, one end in each namespace of its network and each in a cgroup of
 * its own; and what the kernel itself says of an end. Included by the test, after kernel_fixture.h
 * and network.c.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define CONVERSATION_PATIENCE_MS 20000

enum ip { IPV4, IPV6, IPV4_TO_DUAL_STACK };

struct conversation {
	struct fixture *fixture;
	const struct network *network;
	const char *cgroups[ENDS];
	enum ip ip;
	uint16_t port;
	int listener;
	int ends[ENDS];
};

/*
 * What `ss -ti` shows of a socket: struct tcp_info of linux/tcp.h as of kernel 6.7. That of the C
 * library ends earlier, and the two headers cannot be had together.
 */
struct truth {
	struct tcp_info info; /* as far as the C library knows it */
	uint64_t pacing_rate;
	uint64_t max_pacing_rate;
	uint64_t bytes_acked;
	uint64_t bytes_received;
	uint32_t segs_out;
	uint32_t segs_in;
	uint32_t notsent_bytes;
	uint32_t min_rtt;
	uint32_t data_segs_in;
	uint32_t data_segs_out;
	uint64_t delivery_rate;
	uint64_t busy_time;
	uint64_t rwnd_limited;
	uint64_t sndbuf_limited;
	uint32_t delivered;
	uint32_t delivered_ce;
	uint64_t bytes_sent;
	uint64_t bytes_retrans;
	uint32_t dsack_dups;
	uint32_t reord_seen;
	uint32_t rcv_ooopack;
	uint32_t snd_wnd;
	uint32_t rcv_wnd;
	uint32_t rehash;
	uint16_t total_rto;
	uint16_t total_rto_recoveries;
	uint32_t total_rto_time;
};

_Static_assert(sizeof(struct tcp_info) == 104 && offsetof(struct truth, total_rto) == 240,
	       "as the kernel has it");

static struct truth truth_of(int descriptor)
{
	struct truth truth = {0};
	socklen_t size = sizeof(truth);

	assert_return_code(getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &truth, &size), errno);
	return truth;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A socket belongs to the namespace and to the cgroup in which it was made. */
static int socket_at(const struct conversation *conversation, enum end end, int family)
{
	int descriptor;

	enter_cgroup(conversation->cgroups[end]);
	network_enter(conversation->network, end);
	descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	network_leave(conversation->network);
	leave_cgroups(conversation->fixture);
	assert_return_code(descriptor, errno);
	return descriptor;
}

static socklen_t address_of(const struct conversation *conversation, enum end end,
			    struct sockaddr_storage *ret_address)
{
	memset(ret_address, 0, sizeof(*ret_address));
	if (conversation->ip == IPV6) {
		struct sockaddr_in6 *address = (struct sockaddr_in6 *)ret_address;

		address->sin6_family = AF_INET6;
		address->sin6_port = htons(conversation->port);
		inet_pton(AF_INET6, conversation->network->ipv6[end], &address->sin6_addr);
		return sizeof(*address);
	} else {
		struct sockaddr_in *address = (struct sockaddr_in *)ret_address;

		address->sin_family = AF_INET;
		address->sin_port = htons(conversation->port);
		inet_pton(AF_INET, conversation->network->ipv4[end], &address->sin_addr);
		return sizeof(*address);
	}
}

/* A listener at any port of the server. */
static void conversation_listen(struct conversation *conversation)
{
	bool mapped = conversation->ip == IPV4_TO_DUAL_STACK;
	struct sockaddr_storage address;
	socklen_t size = address_of(conversation, SERVER, &address);

	if (mapped) {
		memset(&address, 0, sizeof(address));
		address.ss_family = AF_INET6;
		size = sizeof(struct sockaddr_in6);
	}
	conversation->listener = socket_at(conversation, SERVER, address.ss_family);
	assert_return_code(bind(conversation->listener, (struct sockaddr *)&address, size), errno);
	assert_return_code(listen(conversation->listener, 16), errno);
	size = sizeof(address);
	getsockname(conversation->listener, (struct sockaddr *)&address, &size);
	conversation->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* Returns 0 or the errno of connect(). */
static int conversation_try(struct conversation *conversation)
{
	struct sockaddr_storage address;
	socklen_t size = address_of(conversation, SERVER, &address);

	conversation->ends[CLIENT] = socket_at(conversation, CLIENT, address.ss_family);
	return connect(conversation->ends[CLIENT], (struct sockaddr *)&address, size) ? errno : 0;
}

static void conversation_accept(struct conversation *conversation)
{
	conversation->ends[SERVER] = accept4(conversation->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_return_code(conversation->ends[SERVER], errno);
}

static void conversation_connect(struct conversation *conversation)
{
	assert_int_equal(conversation_try(conversation), 0);
	conversation_accept(conversation);
}

/* Sends `size` bytes from one end and reads them at the other, until all have come. */
static void conversation_send(const struct conversation *conversation, enum end from, size_t size)
{
	static char data[65536];
	int sender = conversation->ends[from];
	int receiver = conversation->ends[from == CLIENT ? SERVER : CLIENT];
	size_t sent = 0, received = 0;

	while (received < size) {
		struct pollfd ends[2] = {{receiver, POLLIN, 0},
					 {sender, sent < size ? POLLOUT : 0, 0}};
		size_t more = size - sent < sizeof(data) ? size - sent : sizeof(data);
		ssize_t done;

		assert_true(poll(ends, 2, CONVERSATION_PATIENCE_MS) > 0);
		if (ends[1].revents & POLLOUT) {
			done = send(sender, data, more, MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += done > 0 ? (size_t)done : 0;
		}
		if (ends[0].revents & POLLIN) {
			done = recv(receiver, data, sizeof(data), MSG_DONTWAIT);
			assert_true(done > 0);
			received += (size_t)done;
		}
	}
}

/* Requests and answers of 1 to `size` bytes, one after the other. */
static __attribute__((unused)) void conversation_ask(const struct conversation *conversation,
						     int requests, size_t size)
{
	for (int i = 0; i < requests; i++) {
		conversation_send(conversation, CLIENT, 1 + (size_t)i * 7 % size);
		conversation_send(conversation, SERVER, 1 + (size_t)i * 13 % size);
	}
}

/* Waits until everything that was sent has been acknowledged and nothing moves any more. */
static __attribute__((unused)) void conversation_settle(const struct conversation *conversation)
{
	double deadline = seconds_now() + CONVERSATION_PATIENCE_MS / 1e3;
	uint32_t before = 0, now = 1, open = 1;

	while (before != now || open) {
		assert_true(seconds_now() < deadline);
		before = now;
		now = open = 0;
		for (enum end end = CLIENT; end <= SERVER; end++) {
			struct truth truth = truth_of(conversation->ends[end]);

			now += truth.segs_in + truth.segs_out;
			open += truth.info.tcpi_unacked;
		}
		usleep(60000); /* longer than a delayed acknowledgement */
	}
}

static __attribute__((unused)) void abort_end(struct conversation *conversation, enum end end)
{
	const struct linger linger = {.l_onoff = 1};

	setsockopt(conversation->ends[end], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(conversation->ends[end]);
	conversation->ends[end] = -1;
}

static void wait_state(int descriptor, uint8_t state)
{
	double deadline = seconds_now() + CONVERSATION_PATIENCE_MS / 1e3;

	while (truth_of(descriptor).info.tcpi_state != state) {
		assert_true(seconds_now() < deadline);
		usleep(1000);
	}
}

/*
 * Ends the connection from both sides, `first` first. The sockets stay, so that the kernel can
 * still be asked about them.
 */
static __attribute__((unused)) void conversation_shut(const struct conversation *conversation,
						      enum end first)
{
	enum end second = first == CLIENT ? SERVER : CLIENT;

	shutdown(conversation->ends[first], SHUT_WR);
	wait_state(conversation->ends[second], BPF_TCP_CLOSE_WAIT);
	shutdown(conversation->ends[second], SHUT_WR);
	wait_state(conversation->ends[first], BPF_TCP_CLOSE);
	wait_state(conversation->ends[second], BPF_TCP_CLOSE);
}

static void conversation_close(struct conversation *conversation)
{
	for (enum end end = CLIENT; end <= SERVER; end++) {
		if (conversation->ends[end] >= 0)
			close(conversation->ends[end]);
		conversation->ends[end] = -1;
	}
	if (conversation->listener >= 0)
		close(conversation->listener);
	conversation->listener = -1;
}
