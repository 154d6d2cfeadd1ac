// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The DNS probe on the running kernel: a real server (dnsmasq) and one of our own that says
 * whatever it wants, in a network namespace of the test's own; real resolvers as clients.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/link/selection.h"
#include "node-agent/probes/dns_message.h"
#include "node-agent/probes/tests/dns_wire.h"

#define DURATION_COUNT "dns_lookup_duration_seconds_count"
#define DURATION_SUM   "dns_lookup_duration_seconds_sum"
#define TIMEOUTS       "skep_dns_timeouts_total"
#define RETRIES	       "skep_dns_retries_total"
#define TRUNCATED      "skep_dns_truncated_total"
#define MALFORMED      "skep_dns_malformed_total"
#define LOST	       "skep_dns_messages_lost_total"

#define DNSMASQ "/usr/sbin/dnsmasq"
#define DIG	"/usr/bin/dig"

#define MS 1000000ULL

static const union probe_settings quiet;
static const union probe_settings failures = {.dns = {.failures = true}};
static const union probe_settings all = {.dns = {.slow_ns = 1, .failures = true}};

/* What the probe told of addresses, the last ones. */
static struct {
	char name[DNS_NAME_SIZE];
	uint8_t address[16];
	uint32_t ttl_s;
	size_t count;
} learnt;

static pid_t dnsmasq;

static void learn(void *context, struct series_owner *owner,
		  const uint8_t address[EDGE_ADDRESS_SIZE], const char *name, uint32_t ttl_s)
{
	(void)context, (void)owner;
	snprintf(learnt.name, sizeof(learnt.name), "%s", name);
	memcpy(learnt.address, address, sizeof(learnt.address));
	learnt.ttl_s = ttl_s;
	learnt.count++;
}

/* --- a network and a resolver's configuration of our own --- */

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(ioctl(control, SIOCGIFFLAGS, &request), errno);
	request.ifr_flags |= IFF_UP;
	assert_return_code(ioctl(control, SIOCSIFFLAGS, &request), errno);
	close(control);
}

/* Only this process and its children see it. */
static void set_resolver(const char *configuration)
{
	char path[] = "/tmp/skep-resolv.XXXXXX";
	int file = mkstemp(path);

	assert_return_code(file, errno);
	assert_int_equal(write(file, configuration, strlen(configuration)), strlen(configuration));
	close(file);
	assert_return_code(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL), errno);
	unlink(path);
}

static void reset_resolver(void)
{
	assert_return_code(umount2("/etc/resolv.conf", MNT_DETACH), errno);
}

static void pause_ms(unsigned int milliseconds)
{
	const struct timespec pause = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

/* A socket that is made in a cgroup. */
static int socket_in(struct fixture *fixture, const char *cgroup, int family, int type)
{
	const struct timeval patience = {.tv_sec = 5};
	int descriptor;

	enter_cgroup(cgroup);
	descriptor = socket(family, type | SOCK_CLOEXEC, 0);
	leave_cgroups(fixture);
	assert_return_code(descriptor, errno);
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return descriptor;
}

static bool answers(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct wire query = wire_plain(1, WIRE_QUERY, "ready.test", 1);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_usec = 100000};
	uint8_t answer[512];
	bool came;

	inet_pton(AF_INET, address, &to.sin_addr);
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	came = connect(client, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	       send(client, query.data, query.size, 0) > 0 &&
	       recv(client, answer, sizeof(answer), 0) > 0;
	close(client);
	return came;
}

#define TXT                                                                                        \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"890123456789"

static void start_dnsmasq(void)
{
	dnsmasq = fork();
	if (dnsmasq == 0) {
		execl(DNSMASQ, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
		      "--user=root", "--pid-file", "--no-hosts", "--no-resolv", "--no-ping",
		      "--listen-address=127.0.0.1,::1", "--bind-interfaces", "--local-ttl=77",
		      "--local=/test/", "--host-record=web.test,192.0.2.7,2001:db8::7",
		      "--host-record=web.shop.svc.cluster.test,192.0.2.8", "--local=/internal/",
		      "--txt-record=long.test," TXT "," TXT "," TXT "," TXT "," TXT "," TXT,
		      (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 100 && !answers("127.0.0.1"); i++)
		pause_ms(50);
	assert_true(answers("127.0.0.1"));
}

/* For all tests together. */
static int start_network(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	loopback_up();
	start_dnsmasq();
	return 0;
}

static int end_network(void **state)
{
	(void)state;
	kill(dnsmasq, SIGTERM);
	waitpid(dnsmasq, NULL, 0);
	return 0;
}

static int setup(void **state)
{
	struct fixture *fixture;
	int result = fixture_setup(state, &dns_probe_kind);

	fixture = *state;
	fixture->host.learn_name = learn;
	return result;
}

/* --- what came of it --- */

/* Lets the probe's timer run for a while. */
static void pass(struct fixture *fixture, unsigned int milliseconds)
{
	for (unsigned int passed = 0; passed <= milliseconds; passed += 10) {
		uv_run(&fixture->loop, UV_RUN_NOWAIT);
		pause_ms(10);
	}
}

/* The labels of a row of lookups. */
static const char *labels_of(const char *name, const char *type, const char *code,
			     const char *transport, const char *search)
{
	static char labels[512];

	snprintf(labels, sizeof(labels),
		 ",dns_question_name=\"%s\",dns_question_type=\"%s\",dns_response_code=\"%s\","
		 "network_transport=\"%s\",dns_search=\"%s\"",
		 name, type, code, transport, search);
	return labels;
}

#define assert_row(fixture, attachment, family, expected, ...)                                     \
	assert_int_equal((long)fixture_value(fixture, attachment, family, labels_of(__VA_ARGS__)), \
			 (long)(expected))

#define assert_sum(fixture, attachment, family, expected)                                          \
	assert_int_equal((long)fixture_sum(fixture, attachment, family), (long)(expected))

static long lost_at(struct fixture *fixture, struct probe_attachment *attachment, const char *stage)
{
	char label[64];

	snprintf(label, sizeof(label), ",stage=\"%s\"", stage);
	return (long)fixture_value(fixture, attachment, LOST, label);
}

static const char *text_of(const cJSON *event, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, name));

	return text ? text : "(none)";
}

static double number_of(const cJSON *event, const char *name)
{
	return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(event, name));
}

/* --- clients --- */

/* Looks a name up as programs do, in a process of its own in the cgroup; true: it was found. */
static bool look_up_in(const char *cgroup, const char *name, int family)
{
	const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	pid_t child = fork();
	int status;

	if (child == 0) {
		enter_cgroup(cgroup);
		_exit(getaddrinfo(name, "80", &hints, &found) == 0 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void dig_in(const char *cgroup, char *const arguments[])
{
	pid_t child = fork();
	int status, nothing;

	if (child == 0) {
		enter_cgroup(cgroup);
		nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(nothing, 1);
		execv(DIG, arguments);
		_exit(127);
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define dig(cgroup, ...)                                                                           \
	dig_in(cgroup, (char *[]){"dig", "+tries=1", "+time=3", "@127.0.0.1", __VA_ARGS__, NULL})

/* --- a real server, real clients --- */

static void test_lookup_by_getaddrinfo(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &all);
	struct probe_target target = fixture_target(fixture, cgroup);
	const cJSON *event;

	learnt.count = 0;
	set_resolver("nameserver 127.0.0.1\n");
	assert_true(look_up_in(cgroup, "WEB.test", AF_INET));
	reset_resolver();
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "web.test", "A", "NOERROR", "udp",
		   "false");
	assert_sum(fixture, attachment, DURATION_COUNT, 1);
	assert_sum(fixture, attachment, MALFORMED, 0);
	assert_int_equal(learnt.count, 1);
	assert_string_equal(learnt.name, "web.test");
	assert_memory_equal(learnt.address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\7", 16);
	assert_int_equal(learnt.ttl_s, 77);
	assert_int_equal(fixture->event_count, 1);
	assert_int_equal(fixture->events[0].target, target.cgroup_id);
	assert_int_equal(fixture->events[0].container, 0);
	event = fixture->events[0].event;
	assert_string_equal(text_of(event, "question"), "web.test");
	assert_string_equal(text_of(event, "question_type"), "A");
	assert_string_equal(text_of(event, "response_code"), "NOERROR");
	assert_string_equal(text_of(event, "server"), "127.0.0.1");
	assert_string_equal(text_of(event, "transport"), "udp");
	assert_true(number_of(event, "duration_ms") > 0);
	assert_true(number_of(event, "duration_ms") < 1000);
	assert_int_equal(strlen(text_of(event, "time")), strlen("2026-11-21T04:25:00.123456789Z"));
	fixture_detach(fixture, attachment);
}

static void test_both_families_and_servers_by_ipv6(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &all);

	set_resolver("nameserver ::1\n");
	assert_true(look_up_in(cgroup, "web.test", AF_UNSPEC));
	reset_resolver();
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "web.test", "A", "NOERROR", "udp",
		   "false");
	assert_row(fixture, attachment, DURATION_COUNT, 1, "web.test", "AAAA", "NOERROR", "udp",
		   "false");
	assert_sum(fixture, attachment, RETRIES, 0);
	assert_int_equal(fixture->event_count, 2);
	assert_string_equal(text_of(fixture->events[0].event, "server"), "::1");
	fixture_detach(fixture, attachment);
}

static void test_tcp(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &all);

	dig(cgroup, "+tcp", "+keepopen", "web.test", "A", "web.test", "AAAA", "long.test", "TXT");
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "web.test", "A", "NOERROR", "tcp",
		   "false");
	assert_row(fixture, attachment, DURATION_COUNT, 1, "web.test", "AAAA", "NOERROR", "tcp",
		   "false");
	assert_row(fixture, attachment, DURATION_COUNT, 1, "long.test", "TXT", "NOERROR", "tcp",
		   "false");
	assert_sum(fixture, attachment, MALFORMED, 0);
	assert_int_equal(fixture->event_count, 3);
	assert_string_equal(text_of(fixture->events[2].event, "transport"), "tcp");
	fixture_detach(fixture, attachment);
}

/* Too long for UDP without EDNS: the client asks again over TCP, which is no retry. */
static void test_truncated_answer_and_edns(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &quiet);

	dig(cgroup, "+noedns", "long.test", "TXT");
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "long.test", "TXT", "NOERROR", "udp",
		   "false");
	assert_row(fixture, attachment, TRUNCATED, 1, "long.test", "TXT", "NOERROR", "udp",
		   "false");
	assert_row(fixture, attachment, DURATION_COUNT, 1, "long.test", "TXT", "NOERROR", "tcp",
		   "false");
	assert_sum(fixture, attachment, RETRIES, 0);
	dig(cgroup, "+edns=0", "+bufsize=4096", "+dnssec", "long.test", "TXT");
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 2, "long.test", "TXT", "NOERROR", "udp",
		   "false");
	assert_sum(fixture, attachment, TRUNCATED, 1);
	assert_sum(fixture, attachment, MALFORMED, 0);
	assert_int_equal(fixture->event_count, 0);
	fixture_detach(fixture, attachment);
}

static struct probe_attachment *attach_in_shop(struct fixture *fixture, const char *cgroup,
					       const union probe_settings *settings)
{
	const struct selected_pod pod = {.namespace = "shop"};
	struct probe_target target = fixture_target(fixture, cgroup);
	struct probe_attachment *attachment = NULL;

	target.pod = &pod;
	assert_int_equal(
		dns_probe_kind.attach(fixture->probe, &target, settings, &attachment, NULL), 0);
	fixture->owners[fixture->owner_count - 1].attachment = attachment;
	return attachment;
}

/* As kubelet writes it: what the resolver makes itself is told apart, one failure is told once. */
static void test_search_path(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = attach_in_shop(fixture, cgroup, &failures);

	set_resolver("nameserver 127.0.0.1\noptions ndots:5\n"
		     "search shop.svc.cluster.test svc.cluster.test cluster.test internal\n");
	for (int i = 0; i < 2; i++) {
		assert_false(look_up_in(cgroup, "api.none.test", AF_INET));
		assert_true(look_up_in(cgroup, "web", AF_INET));
	}
	reset_resolver();
	pass(fixture, 1400);
	assert_row(fixture, attachment, DURATION_COUNT, 7, "api.none.test", "A", "NXDOMAIN", "udp",
		   "true");
	assert_row(fixture, attachment, DURATION_COUNT, 2, "api.none.test", "A", "NXDOMAIN", "udp",
		   "false");
	assert_row(fixture, attachment, DURATION_COUNT, 2, "web.shop.svc.cluster.test", "A",
		   "NOERROR", "udp", "false");
	assert_int_equal(fixture->event_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(text_of(fixture->events[i].event, "question"), "api.none.test");
		assert_string_equal(text_of(fixture->events[i].event, "response_code"), "NXDOMAIN");
		assert_string_equal(text_of(fixture->events[i].event, "search_for"), "(none)");
	}
	fixture_detach(fixture, attachment);
}

static void test_neighbour_is_not_seen(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	const char *neighbour = fixture_cgroup(fixture, "/b");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &all);

	dig(neighbour, "web.test");
	dig(neighbour, "+tcp", "web.test");
	pass(fixture, 150);
	assert_sum(fixture, attachment, DURATION_COUNT, 0);
	assert_int_equal(fixture->event_count, 0);
	fixture_detach(fixture, attachment);
}

static void test_container_of_the_pod(void **state)
{
	struct fixture *fixture = *state;
	const char *pod = fixture_cgroup(fixture, "/pod");
	const char *container = fixture_cgroup(fixture, "/pod/container");
	struct probe_attachment *attachment = fixture_attach(fixture, pod, &all);
	struct stat status;

	assert_return_code(stat(container, &status), errno);
	dig(container, "web.test");
	pass(fixture, 150);
	assert_int_equal(fixture->event_count, 1);
	assert_int_equal(fixture->events[0].container, status.st_ino);
	fixture_detach(fixture, attachment);
}

static void test_detached_and_attached_again(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &all);

	dig(cgroup, "web.test");
	fixture_detach(fixture, attachment); /* reads the last of it */
	assert_int_equal(fixture->event_count, 1);
	dig(cgroup, "web.test");
	pass(fixture, 150);
	attachment = fixture_attach(fixture, cgroup, &quiet);
	assert_sum(fixture, attachment, DURATION_COUNT, 0);
	dig(cgroup, "web.test");
	pass(fixture, 150);
	assert_sum(fixture, attachment, DURATION_COUNT, 1);
	assert_int_equal(fixture->event_count, 1);
	fixture_detach(fixture, attachment);
}

/* --- a server of our own: the test plays both ends --- */

struct ends {
	int server;
	int client;
	uint16_t port; /* the client's */
	struct sockaddr_in address;
};

static struct sockaddr_in server_address(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};

	inet_pton(AF_INET, "127.0.0.53", &address.sin_addr);
	return address;
}

static void open_ends(struct fixture *fixture, const char *cgroup, struct ends *ends)
{
	struct sockaddr_in own;
	socklen_t size = sizeof(own);

	ends->address = server_address();
	ends->server = socket_in(fixture, fixture->mount, AF_INET, SOCK_DGRAM);
	assert_return_code(bind(ends->server, (struct sockaddr *)&ends->address, size), errno);
	ends->client = socket_in(fixture, cgroup, AF_INET, SOCK_DGRAM);
	assert_return_code(connect(ends->client, (struct sockaddr *)&ends->address, size), errno);
	getsockname(ends->client, (struct sockaddr *)&own, &size);
	ends->port = ntohs(own.sin_port);
}

static void close_ends(struct ends *ends)
{
	close(ends->server);
	close(ends->client);
}

static void ask(const struct ends *ends, unsigned int id, const char *name)
{
	struct wire query = wire_plain(id, WIRE_QUERY, name, 1);
	uint8_t got[1024];

	assert_int_equal(send(ends->client, query.data, query.size, 0), query.size);
	assert_int_equal(recv(ends->server, got, sizeof(got), 0), query.size);
}

static void answer(const struct ends *ends, const struct wire *wire)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(ends->port)};
	uint8_t got[WIRE_SIZE];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
		sendto(ends->server, wire->data, wire->size, 0, (struct sockaddr *)&to, sizeof(to)),
		wire->size);
	assert_int_equal(recv(ends->client, got, sizeof(got), 0), wire->size);
}

static void answer_plainly(const struct ends *ends, unsigned int id, unsigned int code,
			   const char *name)
{
	struct wire wire = wire_plain(id, WIRE_ANSWER | code, name, 1);

	answer(ends, &wire);
}

/* What is no answer to the question changes nothing; the right one is found among them. */
static void test_hostile_server(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &all);
	struct wire wire;
	struct ends ends;

	learnt.count = 0;
	open_ends(fixture, cgroup, &ends);
	ask(&ends, 7, "right.test");
	answer_plainly(&ends, 8, 0, "right.test"); /* wrong id */
	answer_plainly(&ends, 7, 0, "wrong.test");
	wire = (struct wire){.size = 0}; /* an address for another question */
	wire_header(&wire, 7, WIRE_ANSWER, 1, 1);
	wire_question(&wire, "wrong.test", 1);
	wire_a(&wire, 60, 1);
	answer(&ends, &wire);
	assert_sum(fixture, attachment, DURATION_COUNT, 0);
	assert_sum(fixture, attachment, MALFORMED, 0);

	wire = (struct wire){.size = 0}; /* no question */
	wire_header(&wire, 7, WIRE_ANSWER, 0, 1);
	wire_a(&wire, 60, 1);
	answer(&ends, &wire);
	wire = (struct wire){.size = 0}; /* a compression loop for a question */
	wire_header(&wire, 7, WIRE_ANSWER, 1, 0);
	wire_u16(&wire, 0xc00c);
	wire_u32(&wire, 0x00010001);
	answer(&ends, &wire);
	wire = wire_plain(7, WIRE_ANSWER, "right.test", 1);
	wire.size = 20; /* truncated within the name */
	answer(&ends, &wire);
	wire.size = 3; /* not even a header */
	answer(&ends, &wire);
	memset(wire.data, 0xff, 600); /* garbage */
	wire.size = 600;
	answer(&ends, &wire);
	wire = wire_plain(7, WIRE_QUERY, "right.test", 1); /* a query comes back */
	answer(&ends, &wire);
	assert_sum(fixture, attachment, MALFORMED, 6);
	assert_sum(fixture, attachment, DURATION_COUNT, 0);

	wire = (struct wire){.size = 0}; /* the right one; behind the question it lies */
	wire_header(&wire, 7, WIRE_ANSWER, 1, 65535);
	wire_question(&wire, "RIGHT.test", 1);
	wire_a(&wire, 60, 0xc0000201);
	wire_record(&wire, 1, 60, 60000);
	answer(&ends, &wire);
	answer(&ends, &wire); /* twice */
	assert_row(fixture, attachment, DURATION_COUNT, 1, "right.test", "A", "NOERROR", "udp",
		   "false");
	assert_sum(fixture, attachment, DURATION_COUNT, 1);
	assert_sum(fixture, attachment, MALFORMED, 8);
	assert_int_equal(learnt.count, 1);
	assert_string_equal(learnt.name, "right.test");
	assert_int_equal(fixture->event_count, 1);
	close_ends(&ends);
	fixture_detach(fixture, attachment);
}

static void test_slow_and_failed_lookups_are_told(void **state)
{
	struct fixture *fixture = *state;
	const union probe_settings slow = {.dns = {.slow_ns = 200 * MS}};
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &slow);
	struct ends ends;

	open_ends(fixture, cgroup, &ends);
	ask(&ends, 1, "quick.test");
	answer_plainly(&ends, 1, 0, "quick.test");
	ask(&ends, 2, "bad.test");
	answer_plainly(&ends, 2, 2, "bad.test");
	ask(&ends, 3, "slow.test");
	pause_ms(210);
	answer_plainly(&ends, 3, 0, "slow.test");
	pass(fixture, 150);
	assert_int_equal(fixture->event_count, 1);
	assert_string_equal(text_of(fixture->events[0].event, "question"), "slow.test");
	assert_true(number_of(fixture->events[0].event, "duration_ms") >= 210);
	assert_true(fixture_sum(fixture, attachment, DURATION_SUM) >= 0.21);
	assert_true(fixture_sum(fixture, attachment, DURATION_SUM) < 1);

	assert_int_equal(dns_probe_kind.configure(fixture->probe, attachment, &failures, NULL), 0);
	ask(&ends, 4, "slow.test");
	pause_ms(210);
	answer_plainly(&ends, 4, 0, "slow.test");
	ask(&ends, 5, "bad.test");
	answer_plainly(&ends, 5, 2, "bad.test");
	pass(fixture, 150);
	assert_int_equal(fixture->event_count, 2);
	assert_string_equal(text_of(fixture->events[1].event, "question"), "bad.test");
	assert_string_equal(text_of(fixture->events[1].event, "response_code"), "SERVFAIL");
	close_ends(&ends);
	fixture_detach(fixture, attachment);
}

/* A server that never answers: glibc asks again after a second; 5 s later both have timed out. */
static void test_timeouts_and_retries_of_glibc(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &failures);
	const cJSON *event;
	struct ends ends;

	open_ends(fixture, cgroup, &ends);
	set_resolver("nameserver 127.0.0.53\noptions timeout:1 attempts:2\n");
	assert_false(look_up_in(cgroup, "silent.test", AF_INET));
	reset_resolver();
	pass(fixture, 5500);
	assert_sum(fixture, attachment, DURATION_COUNT, 0);
	assert_sum(fixture, attachment, TIMEOUTS, 1);
	assert_sum(fixture, attachment, RETRIES, 1);
	assert_int_equal(fixture->event_count, 1);
	event = fixture->events[0].event;
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(event, "timed_out")));
	assert_false(cJSON_HasObjectItem(event, "response_code"));
	assert_string_equal(text_of(event, "question"), "silent.test");
	assert_string_equal(text_of(event, "server"), "127.0.0.53");
	assert_int_equal(number_of(event, "duration_ms"), 5000);
	assert_int_equal(number_of(event, "retries"), 1);
	close_ends(&ends);
	fixture_detach(fixture, attachment);
}

/* Beyond the rate, messages are counted as lost, and what they would have answered is no timeout.
 */
static void test_flood_is_bounded_and_told(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &quiet);
	struct ends ends;
	char name[32];
	long lost;

	open_ends(fixture, cgroup, &ends);
	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "x%u.test", i);
		ask(&ends, i, name);
		answer_plainly(&ends, i, 0, name);
		if (i % 64 == 0)
			uv_run(&fixture->loop, UV_RUN_NOWAIT);
	}
	pass(fixture, 5500);
	lost = lost_at(fixture, attachment, "rate_limited") +
	       lost_at(fixture, attachment, "ring_full");
	assert_true(lost > 1000);
	assert_true(lost + 2 * fixture_sum(fixture, attachment, DURATION_COUNT) <= 6000);
	assert_true(fixture_sum(fixture, attachment, DURATION_COUNT) >= 300.0 / 2);
	assert_sum(fixture, attachment, TIMEOUTS, 0);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "x0.test", "A", "NOERROR", "udp",
		   "false");
	assert_true(fixture_value(fixture, attachment, DURATION_COUNT,
				  labels_of("_other", "A", "NOERROR", "udp", "false")) >= 100);
	close_ends(&ends);
	fixture_detach(fixture, attachment);
}

/* As glibc sends it: the length alone, then the message; and an answer in many pieces. */
static void test_tcp_in_pieces(void **state)
{
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &quiet);
	struct sockaddr_in address = server_address();
	struct wire query = wire_plain(7, WIRE_QUERY, "pieces.test", 1);
	struct wire wire = wire_plain(7, WIRE_ANSWER, "pieces.test", 1);
	uint8_t prefix[2] = {0, (uint8_t)query.size}, got[128];
	int listener = socket_in(fixture, fixture->mount, AF_INET, SOCK_STREAM);
	int client = socket_in(fixture, cgroup, AF_INET, SOCK_STREAM), server, on = 1;

	assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(listen(listener, 1), errno);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	assert_return_code(connect(client, (struct sockaddr *)&address, sizeof(address)), errno);
	server = accept(listener, NULL, NULL);
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int round = 0; round < 3; round++) {
		assert_int_equal(send(client, prefix, 2, 0), 2);
		assert_int_equal(send(client, query.data, query.size, 0), query.size);
		assert_int_equal(recv(server, got, query.size + 2, MSG_WAITALL), query.size + 2);
		assert_int_equal(send(server, prefix, 2, 0), 2);
		for (size_t i = 0; i < wire.size; i++)
			assert_int_equal(send(server, &wire.data[i], 1, 0), 1);
		assert_int_equal(recv(client, got, wire.size + 2, MSG_WAITALL), wire.size + 2);
	}
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 3, "pieces.test", "A", "NOERROR", "tcp",
		   "false");
	assert_sum(fixture, attachment, MALFORMED, 0);
	close(client);
	close(server);
	close(listener);
	fixture_detach(fixture, attachment);
}

/* Packets with options and extension headers, which take another way. */
static void test_ip_headers_that_are_longer(void **state)
{
	static const uint8_t options[] = {1, 1, 1, 0}; /* NOP, NOP, NOP, end */
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &quiet);
	struct ends ends;

	open_ends(fixture, cgroup, &ends);
	assert_return_code(
		setsockopt(ends.client, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)), errno);
	assert_return_code(
		setsockopt(ends.server, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)), errno);
	ask(&ends, 1, "options.test");
	answer_plainly(&ends, 1, 0, "options.test");
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "options.test", "A", "NOERROR", "udp",
		   "false");
	close_ends(&ends);
	fixture_detach(fixture, attachment);
}

static void test_ipv6_headers_that_are_longer(void **state)
{
	static const uint8_t options[] = {0, 0, 1, 4, 0, 0, 0, 0}; /* next, length, PadN of 4 */
	struct fixture *fixture = *state;
	const char *cgroup = fixture_cgroup(fixture, "/a");
	struct probe_attachment *attachment = fixture_attach(fixture, cgroup, &quiet);
	struct wire query = wire_plain(9, WIRE_QUERY, "web.test", 28);
	struct sockaddr_in6 server = {
		.sin6_family = AF_INET6, .sin6_port = htons(53), .sin6_addr = in6addr_loopback};
	int client = socket_in(fixture, cgroup, AF_INET6, SOCK_DGRAM);
	uint8_t got[512];

	assert_return_code(setsockopt(client, IPPROTO_IPV6, IPV6_DSTOPTS, options, sizeof(options)),
			   errno);
	assert_return_code(connect(client, (struct sockaddr *)&server, sizeof(server)), errno);
	assert_int_equal(send(client, query.data, query.size, 0), query.size);
	assert_true(recv(client, got, sizeof(got), 0) > 0);
	pass(fixture, 150);
	assert_row(fixture, attachment, DURATION_COUNT, 1, "web.test", "AAAA", "NOERROR", "udp",
		   "false");
	close(client);
	fixture_detach(fixture, attachment);
}

#define case_of(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)

int main(void)
{
	struct CMUnitTest tests[] = {
		case_of(test_lookup_by_getaddrinfo),
		case_of(test_both_families_and_servers_by_ipv6),
		case_of(test_tcp),
		case_of(test_truncated_answer_and_edns),
		case_of(test_search_path),
		case_of(test_neighbour_is_not_seen),
		case_of(test_container_of_the_pod),
		case_of(test_detached_and_attached_again),
		case_of(test_hostile_server),
		case_of(test_slow_and_failed_lookups_are_told),
		case_of(test_timeouts_and_retries_of_glibc),
		case_of(test_flood_is_bounded_and_told),
		case_of(test_tcp_in_pieces),
		case_of(test_ip_headers_that_are_longer),
		case_of(test_ipv6_headers_that_are_longer),
	};

	return fixture_run(tests, start_network, end_network);
}
