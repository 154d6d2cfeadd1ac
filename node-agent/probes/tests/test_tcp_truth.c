// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The TCP probe against the truth: what its series say of a connection is what the kernel says of
 * the same socket (TCP_INFO, as `ss -ti` shows it), on paths that lose, delay, reorder and repeat
 * packets, while the connection lives and after it has ended.
 */

#include "node-agent/probes/tests/kernel_fixture.h"

#include "node-agent/probes/tests/network.c"

#include "node-agent/probes/tests/conversation.c"
#include "node-agent/probes/tests/packet_relay.c"

#define OPENED		  "skep_tcp_connections_opened_total"
#define ACCEPTED	  "skep_tcp_connections_accepted_total"
#define REFUSED		  "skep_tcp_connects_refused_total"
#define CONNECT_TIMED_OUT "skep_tcp_connects_timed_out_total"
#define CONNECT_FAILED	  "skep_tcp_connects_failed_total"
#define RESET_RECEIVED	  "skep_tcp_resets_received_total"
#define RESET_SENT	  "skep_tcp_resets_sent_total"
#define TIMED_OUT	  "skep_tcp_connections_timed_out_total"
#define OPEN		  "skep_tcp_connections_open"
#define SENT_BYTES	  "skep_tcp_sent_bytes_total"
#define RECEIVED_BYTES	  "skep_tcp_received_bytes_total"
#define SENT_PACKETS	  "skep_tcp_sent_packets_total"
#define RECEIVED_PACKETS  "skep_tcp_received_packets_total"
#define RETRANSMITTED	  "skep_tcp_retransmitted_packets_total"
#define TIMEOUTS	  "skep_tcp_retransmission_timeouts_total"
#define SYN_RETRANSMITTED "skep_tcp_syn_retransmissions_total"
#define OUT_OF_ORDER	  "skep_tcp_out_of_order_packets_total"
#define DUPLICATES	  "skep_tcp_duplicate_packets_total"
#define ZERO_WINDOWS	  "skep_tcp_zero_window_stalls_total"
#define CONNECT_DURATION  "skep_tcp_connect_duration_seconds"
#define SRTT		  "skep_tcp_srtt_seconds"
#define RTTVAR		  "skep_tcp_rttvar_seconds"
#define MIN_RTT		  "skep_tcp_min_rtt_seconds"

static const union probe_settings none;

static struct network wire;	/* loses packets when it is told to */
static struct network slow;	/* holds packets */
static struct network loopback; /* both ends at one place */
static struct relay relay;
static struct series_store *store;
static bool names_are_known; /* of the other ends of edges */

/* A conversation whose ends are watched apart. */
struct scene {
	struct conversation talk;
	struct probe_attachment *attachments[ENDS];
	struct series_owner *owners[ENDS];
};

/* The row of an edge, by the other end's address as it is. */
static struct series_row *row_of_edge(void *context, struct series_owner *owner,
				      const struct series_layout *layout, const struct edge *edge)
{
	char address[INET6_ADDRSTRLEN], port[8];
	const struct metric_label labels[] = {
		{"role", edge->role == EDGE_CLIENT ? "client" : "server"},
		{"peer", address},
		{"port", port},
	};

	(void)context;
	if (!names_are_known)
		return NULL;
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)edge->address))
		inet_ntop(AF_INET, edge->address + 12, address, sizeof(address));
	else
		inet_ntop(AF_INET6, edge->address, address, sizeof(address));
	snprintf(port, sizeof(port), "%u", edge->port);
	return series_row(owner, layout, labels, sizeof(labels) / sizeof(labels[0]));
}

static int setup(void **state)
{
	int result = fixture_setup(state, &tcp_probe_kind);
	struct fixture *fixture = *state;

	if (result)
		return result;
	fixture->host.edge_row = row_of_edge;
	store = series_store_new();
	network_make(&wire);
	relay_make(&relay, &slow);
	loopback = (struct network){.home = wire.home,
				    .ends = {wire.ends[CLIENT], wire.ends[CLIENT]},
				    .ipv4 = {"127.0.0.1", "127.0.0.1"},
				    .ipv6 = {"::1", "::1"}};
	return 0;
}

static int teardown(void **state)
{
	relay_free(&relay);
	network_free(&slow);
	network_free(&wire);
	store = series_store_free(store);
	return fixture_teardown(state);
}

/* --- scenes --- */

static void watch(struct scene *scene, enum end end)
{
	const struct metric_label label = {"target", end == CLIENT ? "a" : "b"};
	struct fixture *fixture = scene->talk.fixture;
	struct probe_target target = fixture_target(fixture, scene->talk.cgroups[end]);
	struct strings policies = {0};
	struct error error = {0};

	scene->owners[end] = series_owner_new(store, &label, 1, &policies);
	target.series = scene->owners[end];
	if (fixture->kind->attach(fixture->probe, &target, &none, &scene->attachments[end],
				  &error) < 0)
		fail_msg("attach: %s", error.message);
}

/* What is counted of an end is final from then on; its rows stay for a minute. */
static void unwatch(struct scene *scene, enum end end)
{
	if (!scene->attachments[end])
		return;
	fixture_detach(scene->talk.fixture, scene->attachments[end]);
	scene->attachments[end] = NULL;
}

static struct scene scene_new(void **state, const struct network *network, enum ip ip)
{
	struct scene scene = {.talk = {.fixture = *state,
				       .network = network,
				       .ip = ip,
				       .listener = -1,
				       .ends = {-1, -1}}};

	names_are_known = true;
	scene.talk.cgroups[CLIENT] = fixture_cgroup(*state, "/a");
	scene.talk.cgroups[SERVER] = fixture_cgroup(*state, "/b");
	return scene;
}

static struct scene scene_watched(void **state, const struct network *network, enum ip ip)
{
	struct scene scene = scene_new(state, network, ip);

	watch(&scene, CLIENT);
	watch(&scene, SERVER);
	conversation_listen(&scene.talk);
	return scene;
}

static void scene_free(struct scene *scene)
{
	struct fixture *fixture = scene->talk.fixture;

	conversation_close(&scene->talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		unwatch(scene, end);
		series_owner_free(scene->owners[end], 0);
		rmdir(scene->talk.cgroups[end]);
		free(fixture->cgroups[--fixture->cgroup_count]);
	}
	series_expire(store, UINT64_MAX);
}

/* --- what the series say --- */

/* Adds up the samples of the text that bear this name and these words among their labels. */
static double sum_of(const char *text, const char *name, const char *const words[2])
{
	size_t size = strlen(name);
	double sum = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char labels[512];
		const char *end;

		line += *line == '\n';
		if (strncmp(line, name, size) != 0 || line[size] != '{')
			continue;
		end = strstr(line, "} ");
		assert_non_null(end);
		snprintf(labels, sizeof(labels), "%.*s", (int)(end - line), line);
		if (strstr(labels, words[0]) && strstr(labels, words[1]))
			sum += strtod(end + 2, NULL);
	}
	return sum;
}

static double told_of(const struct scene *scene, enum end end, const char *name, const char *word)
{
	const char *const words[] = {end == CLIENT ? "target=\"a\"" : "target=\"b\"", word};
	struct fixture *fixture = scene->talk.fixture;
	struct text text = TEXT_EMPTY;
	double sum;

	fixture->kind->read(fixture->probe);
	series_write(store, &text);
	assert_false(text.failed);
	sum = text.data ? sum_of(text.data, name, words) : 0;
	text_free(&text);
	return sum;
}

static double told(const struct scene *scene, enum end end, const char *name)
{
	return told_of(scene, end, name, "");
}

static void expect_near(const struct scene *scene, enum end end, const char *name, double expected,
			double tolerance)
{
	double said = told(scene, end, name);

	if (said < expected - tolerance || said > expected + tolerance)
		fail_msg("%s of the %s is told as %.9g; the truth is %.9g", name,
			 end == CLIENT ? "client" : "server", said, expected);
}

static void expect(const struct scene *scene, enum end end, const char *name, double expected)
{
	expect_near(scene, end, name, expected, 0);
}

static void expect_open(const struct scene *scene, double client, double server)
{
	expect(scene, CLIENT, OPEN, client);
	expect(scene, SERVER, OPEN, server);
}

/* The number of observations between the bounds that `seconds` lies between. */
static double observed_like(const struct scene *scene, enum end end, const char *name,
			    double seconds)
{
	char bucket[64], bound[32];
	double below = 0, upto, power = 1e-6;

	snprintf(bucket, sizeof(bucket), "%s_bucket", name);
	for (; power < 1e3; power *= 2) {
		snprintf(bound, sizeof(bound), "le=\"%.15g\"", power);
		upto = told_of(scene, end, bucket, bound);
		if (seconds <= power && upto > 0)
			return upto - below;
		below = upto;
	}
	return told_of(scene, end, bucket, "le=\"+Inf\"") - below;
}

static void expect_observed(const struct scene *scene, enum end end, const char *name, uint32_t us)
{
	if (observed_like(scene, end, name, us / 1e6) < 1)
		fail_msg("%s of the %s holds nothing like %u us", name,
			 end == CLIENT ? "client" : "server", us);
}

/* --- the truth --- */

/* The peer's FIN, which the kernel counts as a byte that came. */
static bool has_fin(const struct tcp_info *info)
{
	return info->tcpi_state != BPF_TCP_ESTABLISHED && info->tcpi_state != BPF_TCP_FIN_WAIT1 &&
	       info->tcpi_state != BPF_TCP_FIN_WAIT2;
}

/* What the kernel counts: equal. */
static void check_counts(const struct scene *scene, enum end end)
{
	struct truth truth = truth_of(scene->talk.ends[end]);
	const struct tcp_info *info = &truth.info;

	expect(scene, end, SENT_BYTES, (double)(info->tcpi_bytes_sent - info->tcpi_bytes_retrans));
	expect(scene, end, RECEIVED_BYTES, (double)(info->tcpi_bytes_received - has_fin(info)));
	expect(scene, end, SENT_PACKETS, info->tcpi_segs_out);
	expect(scene, end, RECEIVED_PACKETS, info->tcpi_segs_in);
	expect(scene, end, RETRANSMITTED, info->tcpi_total_retrans);
	expect(scene, end, OUT_OF_ORDER, info->tcpi_rcv_ooopack);
	expect(scene, end, DUPLICATES, info->tcpi_dsack_dups);
	expect_near(scene, end, MIN_RTT, info->tcpi_min_rtt / 1e6, 1e-9);
}

static void check_both(const struct scene *scene)
{
	check_counts(scene, CLIENT);
	check_counts(scene, SERVER);
}

/* The last that was seen of a connection are its figures at the end. */
static void check_last_rtt(const struct scene *scene, enum end end)
{
	struct truth truth = truth_of(scene->talk.ends[end]);

	expect_observed(scene, end, SRTT, truth.info.tcpi_rtt);
	expect_observed(scene, end, RTTVAR, truth.info.tcpi_rttvar);
}

/* All of a life: it is right while it lasts, and when it is over. */
static void check_life(struct scene *scene)
{
	conversation_connect(&scene->talk);
	expect_open(scene, 1, 1);
	for (int round = 0; round < 3; round++) {
		conversation_send(&scene->talk, CLIENT, 200000);
		conversation_send(&scene->talk, SERVER, 100000);
		conversation_ask(&scene->talk, 10, 3000);
		conversation_settle(&scene->talk);
		check_both(scene);
	}
	conversation_shut(&scene->talk, CLIENT);
	expect_open(scene, 0, 0);
	check_both(scene);
	check_last_rtt(scene, CLIENT);
	check_last_rtt(scene, SERVER);
	expect(scene, CLIENT, OPENED, 1);
	expect(scene, CLIENT, ACCEPTED, 0);
	expect(scene, SERVER, OPENED, 0);
	expect(scene, SERVER, ACCEPTED, 1);
}

/* --- tests: whole lives --- */

static void check_life_on_wire(void **state, enum ip ip, const char *client, const char *server)
{
	struct scene scene = scene_watched(state, &wire, ip);

	check_life(&scene);
	assert_true(told_of(&scene, CLIENT, SENT_BYTES, server) > 600000);
	assert_true(told_of(&scene, SERVER, RECEIVED_BYTES, client) > 600000);
	expect(&scene, CLIENT, RETRANSMITTED, 0);
	scene_free(&scene);
}

static void test_ipv4(void **state)
{
	check_life_on_wire(state, IPV4, "peer=\"10.99.0.1\"", "peer=\"10.99.0.2\"");
}

static void test_ipv6(void **state)
{
	check_life_on_wire(state, IPV6, "peer=\"fd99::1\"", "peer=\"fd99::2\"");
}

static void test_dual_stack_listener_has_ipv4_peer(void **state)
{
	check_life_on_wire(state, IPV4_TO_DUAL_STACK, "peer=\"10.99.0.1\"", "peer=\"10.99.0.2\"");
}

/* Every n-th packet towards one end is lost, then towards the other as well. */
static void check_loss(void **state, uint32_t to_client, uint32_t to_server)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	uint32_t dropped = wire.drops[SERVER]->bss->dropped;

	wire.drops[CLIENT]->bss->drop_every = to_client;
	wire.drops[SERVER]->bss->drop_every = to_server;
	check_life(&scene);
	wire.drops[CLIENT]->bss->drop_every = wire.drops[SERVER]->bss->drop_every = 0;
	dropped = wire.drops[SERVER]->bss->dropped - dropped;
	assert_true(dropped > 0);
	assert_true(told(&scene, CLIENT, RETRANSMITTED) >= dropped);
	assert_true(told(&scene, SERVER, OUT_OF_ORDER) > 0);
	scene_free(&scene);
}

static void test_loss_of_every_7th(void **state)
{
	check_loss(state, 0, 7);
}

static void test_loss_of_every_100th(void **state)
{
	check_loss(state, 0, 100);
}

static void test_loss_both_ways(void **state)
{
	check_loss(state, 11, 5);
}

#define DELAY_US 10000

static void set_relay(uint32_t delay_us, uint32_t hold_every, uint32_t duplicate_every)
{
	relay.settings->delay_us = delay_us;
	relay.settings->hold_every = hold_every;
	relay.settings->hold_us = 5000;
	relay.settings->duplicate_every = duplicate_every;
	relay.settings->held = relay.settings->duplicated = 0;
}

static void test_delay(void **state)
{
	struct scene scene = scene_watched(state, &slow, IPV6);

	set_relay(DELAY_US, 0, 0);
	check_life(&scene);
	assert_true(told(&scene, CLIENT, MIN_RTT) >= 2 * DELAY_US / 1e6);
	assert_true(told(&scene, CLIENT, MIN_RTT) < 3 * DELAY_US / 1e6);
	assert_true(told(&scene, CLIENT, CONNECT_DURATION "_sum") >= 2 * DELAY_US / 1e6);
	assert_true(told(&scene, CLIENT, CONNECT_DURATION "_sum") < 3 * DELAY_US / 1e6);
	scene_free(&scene);
}

static void test_reordered_and_repeated(void **state)
{
	struct scene scene = scene_watched(state, &slow, IPV4);

	set_relay(DELAY_US, 11, 17);
	check_life(&scene);
	assert_true(relay.settings->held > 0 && relay.settings->duplicated > 0);
	assert_true(told(&scene, SERVER, OUT_OF_ORDER) >= relay.settings->held / 2);
	assert_true(told(&scene, CLIENT, DUPLICATES) >= relay.settings->duplicated / 2);
	scene_free(&scene);
}

static void test_within_the_pod(void **state)
{
	struct scene scene = scene_new(state, &loopback, IPV4);
	struct truth client, server;

	scene.talk.cgroups[SERVER] = scene.talk.cgroups[CLIENT];
	watch(&scene, CLIENT);
	conversation_listen(&scene.talk);
	conversation_connect(&scene.talk);
	conversation_send(&scene.talk, CLIENT, 50000);
	conversation_send(&scene.talk, SERVER, 3000);
	conversation_settle(&scene.talk);
	client = truth_of(scene.talk.ends[CLIENT]);
	server = truth_of(scene.talk.ends[SERVER]);
	assert_int_equal(told_of(&scene, CLIENT, SENT_BYTES, "role=\"client\""), 50000);
	assert_int_equal(told_of(&scene, CLIENT, SENT_BYTES, "role=\"server\""), 3000);
	assert_int_equal(told_of(&scene, CLIENT, SENT_PACKETS, "role=\"client\""),
			 client.info.tcpi_segs_out);
	assert_int_equal(told_of(&scene, CLIENT, SENT_PACKETS, "role=\"server\""),
			 server.info.tcpi_segs_out);
	assert_int_equal(told_of(&scene, CLIENT, SENT_BYTES, "peer=\"127.0.0.1\""), 53000);
	expect(&scene, CLIENT, OPEN, 2);
	conversation_shut(&scene.talk, SERVER);
	expect(&scene, CLIENT, OPEN, 0);
	scene.talk.cgroups[SERVER] = scene.talk.fixture->cgroups[2];
	scene_free(&scene);
}

/* Short ones are looked at once, at their end: the figures are the socket's own, to the digit. */
static void test_short_connection_to_the_digit(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene.talk);
	conversation_send(&scene.talk, CLIENT, 100);
	conversation_send(&scene.talk, SERVER, 1000);
	conversation_shut(&scene.talk, CLIENT);
	check_both(&scene);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		struct truth truth = truth_of(scene.talk.ends[end]);

		expect(&scene, end, SRTT "_count", 1);
		expect_near(&scene, end, SRTT "_sum", truth.info.tcpi_rtt / 1e6, 1e-9);
		expect_near(&scene, end, RTTVAR "_sum", truth.info.tcpi_rttvar / 1e6, 1e-9);
	}
	scene_free(&scene);
}

#define MANY 40

/* Several at once on one edge add up. */
static void test_many_at_once(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	struct conversation talks[MANY];
	uint64_t packets = 0;

	wire.drops[SERVER]->bss->drop_every = 9;
	for (int i = 0; i < MANY; i++) {
		talks[i] = scene.talk;
		conversation_connect(&talks[i]);
	}
	for (int i = 0; i < MANY; i++)
		conversation_send(&talks[i], CLIENT, 20000 + (size_t)i);
	for (int i = 0; i < MANY; i++)
		conversation_settle(&talks[i]);
	for (int i = 0; i < MANY; i++)
		packets += truth_of(talks[i].ends[CLIENT]).info.tcpi_segs_out;
	expect(&scene, CLIENT, SENT_PACKETS, (double)packets);
	expect(&scene, CLIENT, SENT_BYTES, MANY * 20000 + MANY * (MANY - 1) / 2);
	expect_open(&scene, MANY, MANY);
	wire.drops[SERVER]->bss->drop_every = 0;
	for (int i = 0; i < MANY; i++) {
		talks[i].listener = -1;
		conversation_shut(&talks[i], i % 2 ? CLIENT : SERVER);
		conversation_close(&talks[i]);
	}
	expect_open(&scene, 0, 0);
	expect(&scene, CLIENT, OPENED, MANY);
	expect(&scene, SERVER, ACCEPTED, MANY);
	scene_free(&scene);
}

/* --- tests: how it begins --- */

static void test_lost_syn_makes_connecting_slow(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	double took;

	wire.drops[SERVER]->bss->drop_syns = 1;
	took = seconds_now();
	assert_int_equal(conversation_try(&scene.talk), 0);
	took = seconds_now() - took;
	conversation_accept(&scene.talk);
	assert_true(took >= 1);
	expect(&scene, CLIENT, SYN_RETRANSMITTED, 1);
	expect(&scene, CLIENT, OPENED, 1);
	expect(&scene, CLIENT, CONNECT_DURATION "_count", 1);
	expect_near(&scene, CLIENT, CONNECT_DURATION "_sum", took, 0.01);
	expect_observed(&scene, CLIENT, CONNECT_DURATION, (uint32_t)(took * 1e6));
	check_counts(&scene, CLIENT);
	expect(&scene, SERVER, SYN_RETRANSMITTED, 0);
	scene_free(&scene);
}

/* The answer is lost: the server sends it again. */
static void test_lost_answer_to_syn(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV6);

	wire.drops[CLIENT]->bss->drop_syns = 1;
	conversation_connect(&scene.talk);
	conversation_settle(&scene.talk);
	assert_true(told(&scene, CLIENT, CONNECT_DURATION "_sum") >= 1);
	expect(&scene, CLIENT, SYN_RETRANSMITTED,
	       truth_of(scene.talk.ends[CLIENT]).info.tcpi_total_retrans);
	check_both(&scene);
	scene_free(&scene);
}

static void expect_never_open(const struct scene *scene)
{
	expect(scene, CLIENT, OPENED, 0);
	expect(scene, CLIENT, RESET_RECEIVED, 0);
	expect(scene, CLIENT, RESET_SENT, 0);
	expect(scene, CLIENT, TIMED_OUT, 0);
	expect(scene, CLIENT, CONNECT_DURATION "_count", 0);
	expect_open(scene, 0, 0);
}

static void check_refused(void **state, enum ip ip)
{
	struct scene scene = scene_watched(state, &wire, ip);

	close(scene.talk.listener);
	scene.talk.listener = -1;
	assert_int_equal(conversation_try(&scene.talk), ECONNREFUSED);
	expect(&scene, CLIENT, REFUSED, 1);
	expect(&scene, CLIENT, CONNECT_TIMED_OUT, 0);
	expect(&scene, CLIENT, CONNECT_FAILED, 0);
	expect_never_open(&scene);
	scene_free(&scene);
}

static void test_refused_ipv4(void **state)
{
	check_refused(state, IPV4);
}

static void test_refused_ipv6(void **state)
{
	check_refused(state, IPV6);
}

static int connect_with_one_more_syn(struct conversation *talk, int extra_flags)
{
	struct sockaddr_storage address;
	socklen_t size = address_of(talk, SERVER, &address);
	int more = 1;

	talk->ends[CLIENT] = socket_at(talk, CLIENT, address.ss_family);
	setsockopt(talk->ends[CLIENT], IPPROTO_TCP, TCP_SYNCNT, &more, sizeof(more));
	fcntl(talk->ends[CLIENT], F_SETFL, extra_flags);
	return connect(talk->ends[CLIENT], (struct sockaddr *)&address, size) ? errno : 0;
}

static void test_connect_that_times_out(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);

	wire.drops[SERVER]->bss->drop_all = 1;
	assert_int_equal(connect_with_one_more_syn(&scene.talk, 0), ETIMEDOUT);
	wire.drops[SERVER]->bss->drop_all = 0;
	expect(&scene, CLIENT, CONNECT_TIMED_OUT, 1);
	expect(&scene, CLIENT, SYN_RETRANSMITTED, 1);
	expect(&scene, CLIENT, REFUSED, 0);
	expect(&scene, CLIENT, CONNECT_FAILED, 0);
	expect_never_open(&scene);
	scene_free(&scene);
}

static void test_connect_that_is_given_up(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);

	wire.drops[SERVER]->bss->drop_all = 1;
	assert_int_equal(connect_with_one_more_syn(&scene.talk, O_NONBLOCK), EINPROGRESS);
	close(scene.talk.ends[CLIENT]);
	scene.talk.ends[CLIENT] = -1;
	wire.drops[SERVER]->bss->drop_all = 0;
	expect(&scene, CLIENT, CONNECT_FAILED, 1);
	expect(&scene, CLIENT, REFUSED, 0);
	expect(&scene, CLIENT, CONNECT_TIMED_OUT, 0);
	expect_never_open(&scene);
	scene_free(&scene);
}

/* --- tests: how it ends --- */

static void expect_resets(const struct scene *scene, enum end end, double sent, double received)
{
	expect(scene, end, RESET_SENT, sent);
	expect(scene, end, RESET_RECEIVED, received);
}

static void check_reset(void **state, enum end by)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	enum end other = by == CLIENT ? SERVER : CLIENT;

	conversation_connect(&scene.talk);
	conversation_ask(&scene.talk, 5, 100);
	abort_end(&scene.talk, by);
	wait_state(scene.talk.ends[other], BPF_TCP_CLOSE);
	expect_resets(&scene, by, 1, 0);
	expect_resets(&scene, other, 0, 1);
	expect_open(&scene, 0, 0);
	expect(&scene, by, TIMED_OUT, 0);
	scene_free(&scene);
}

static void test_reset_by_client(void **state)
{
	check_reset(state, CLIENT);
}

static void test_reset_by_server(void **state)
{
	check_reset(state, SERVER);
}

/* Who closes without having read all resets. */
static void test_close_with_unread_bytes_resets(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV6);

	conversation_connect(&scene.talk);
	assert_int_equal(send(scene.talk.ends[CLIENT], "unread", 6, 0), 6);
	conversation_settle(&scene.talk);
	close(scene.talk.ends[SERVER]);
	scene.talk.ends[SERVER] = -1;
	wait_state(scene.talk.ends[CLIENT], BPF_TCP_CLOSE);
	expect_resets(&scene, SERVER, 1, 0);
	expect_resets(&scene, CLIENT, 0, 1);
	expect(&scene, SERVER, RECEIVED_BYTES, 6);
	expect_open(&scene, 0, 0);
	scene_free(&scene);
}

static void test_established_one_is_given_up(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	unsigned int limit_ms = 600;

	conversation_connect(&scene.talk);
	conversation_ask(&scene.talk, 3, 100);
	setsockopt(scene.talk.ends[CLIENT], IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms,
		   sizeof(limit_ms));
	wire.drops[SERVER]->bss->drop_all = 1;
	assert_int_equal(send(scene.talk.ends[CLIENT], "lost", 4, 0), 4);
	wait_state(scene.talk.ends[CLIENT], BPF_TCP_CLOSE);
	wire.drops[SERVER]->bss->drop_all = 0;
	expect(&scene, CLIENT, TIMED_OUT, 1);
	expect(&scene, CLIENT, CONNECT_TIMED_OUT, 0);
	expect_resets(&scene, CLIENT, 0, 0);
	expect(&scene, CLIENT, RETRANSMITTED,
	       truth_of(scene.talk.ends[CLIENT]).info.tcpi_total_retrans);
	assert_true(told(&scene, CLIENT, TIMEOUTS) >= 1);
	expect(&scene, CLIENT, OPEN, 0);
	scene_free(&scene);
}

/* What only the timer brings back: a whole answer is lost, and nothing follows. */
static void test_retransmission_timeouts(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	struct truth truth;

	conversation_connect(&scene.talk);
	conversation_ask(&scene.talk, 3, 100);
	wire.drops[CLIENT]->bss->drop_all = 1;
	assert_int_equal(send(scene.talk.ends[SERVER], "answer", 6, 0), 6);
	usleep(1000000);
	wire.drops[CLIENT]->bss->drop_all = 0;
	conversation_settle(&scene.talk);
	truth = truth_of(scene.talk.ends[SERVER]);
	assert_true(truth.timeouts >= 1);
	expect(&scene, SERVER, TIMEOUTS, truth.timeouts);
	expect(&scene, CLIENT, TIMEOUTS, 0);
	check_counts(&scene, SERVER);
	scene_free(&scene);
}

static void test_half_closed_goes_on(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene.talk);
	conversation_send(&scene.talk, CLIENT, 1000);
	shutdown(scene.talk.ends[CLIENT], SHUT_WR);
	wait_state(scene.talk.ends[SERVER], BPF_TCP_CLOSE_WAIT);
	expect_open(&scene, 1, 1);
	conversation_send(&scene.talk, SERVER, 100000);
	conversation_settle(&scene.talk);
	check_both(&scene);
	expect_open(&scene, 1, 1);
	shutdown(scene.talk.ends[SERVER], SHUT_WR);
	wait_state(scene.talk.ends[CLIENT], BPF_TCP_CLOSE);
	expect_open(&scene, 0, 0);
	check_both(&scene);
	scene_free(&scene);
}

#define CLOSE_PAUSE_US 300000

/* close() by one side first: FIN_WAIT2 and TIME_WAIT are not open any more to who has let go. */
static void check_close(void **state, enum end first)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	enum end second = first == CLIENT ? SERVER : CLIENT;

	conversation_connect(&scene.talk);
	conversation_ask(&scene.talk, 3, 1000);
	close(scene.talk.ends[first]);
	scene.talk.ends[first] = -1;
	usleep(CLOSE_PAUSE_US);
	expect(&scene, first, OPEN, 0);
	expect(&scene, second, OPEN, 1);
	check_counts(&scene, second);
	conversation_close(&scene.talk);
	usleep(CLOSE_PAUSE_US);
	expect_open(&scene, 0, 0);
	for (enum end end = CLIENT; end <= SERVER; end++)
		expect_resets(&scene, end, 0, 0);
	scene_free(&scene);
}

static void test_client_closes_first(void **state)
{
	check_close(state, CLIENT);
}

static void test_server_closes_first(void **state)
{
	check_close(state, SERVER);
}

/* Both FINs pass each other: CLOSING. */
static void test_both_close_at_once(void **state)
{
	struct scene scene = scene_watched(state, &slow, IPV4);

	set_relay(DELAY_US, 0, 0);
	conversation_connect(&scene.talk);
	conversation_ask(&scene.talk, 2, 1000);
	shutdown(scene.talk.ends[CLIENT], SHUT_WR);
	shutdown(scene.talk.ends[SERVER], SHUT_WR);
	wait_state(scene.talk.ends[CLIENT], BPF_TCP_CLOSE);
	wait_state(scene.talk.ends[SERVER], BPF_TCP_CLOSE);
	expect_open(&scene, 0, 0);
	check_both(&scene);
	scene_free(&scene);
}

/* --- tests: a reader that does not read --- */

static void fill_window(const struct scene *scene, enum end sender)
{
	static const char data[65536];
	double deadline = seconds_now() + CONVERSATION_PATIENCE_MS / 1e3;
	int descriptor = scene->talk.ends[sender];

	while (truth_of(descriptor).info.tcpi_snd_wnd > 0) {
		assert_true(seconds_now() < deadline);
		(void)send(descriptor, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL);
		usleep(1000);
	}
}

/* Reads until everything that was sent has come. */
static void drain(const struct scene *scene, enum end reader)
{
	double deadline = seconds_now() + CONVERSATION_PATIENCE_MS / 1e3;
	int sender = scene->talk.ends[reader == CLIENT ? SERVER : CLIENT];
	struct tcp_info info;
	char data[65536];

	do {
		assert_true(seconds_now() < deadline);
		while (recv(scene->talk.ends[reader], data, sizeof(data), MSG_DONTWAIT) > 0)
			;
		usleep(1000);
		info = truth_of(sender).info;
	} while (info.tcpi_notsent_bytes > 0 || info.tcpi_unacked > 0);
}

static void check_stalls(void **state, enum end sender, useconds_t stall_us)
{
	struct scene scene = scene_watched(state, &wire, IPV4);
	enum end reader = sender == CLIENT ? SERVER : CLIENT;

	conversation_connect(&scene.talk);
	expect(&scene, sender, ZERO_WINDOWS, 0);
	for (int stalls = 1; stalls <= 2; stalls++) {
		fill_window(&scene, sender);
		usleep(stall_us);
		expect(&scene, sender, ZERO_WINDOWS, stalls);
		drain(&scene, reader);
		conversation_settle(&scene.talk);
		expect(&scene, sender, ZERO_WINDOWS, stalls);
	}
	expect(&scene, reader, ZERO_WINDOWS, 0);
	check_both(&scene);
	scene_free(&scene);
}

static void test_zero_window_of_server(void **state)
{
	check_stalls(state, CLIENT, 500000);
}

static void test_zero_window_of_client(void **state)
{
	check_stalls(state, SERVER, 0);
}

/* --- tests: older connections, late names --- */

/* Watched after it began: counted from then on, which the kernel's figures at that time show. */
static void check_older(void **state, const struct network *network, enum ip ip, bool loss)
{
	struct scene scene = scene_new(state, network, ip);
	struct truth before[ENDS];

	conversation_listen(&scene.talk);
	conversation_connect(&scene.talk);
	conversation_ask(&scene.talk, 5, 5000);
	conversation_settle(&scene.talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		before[end] = truth_of(scene.talk.ends[end]);
		watch(&scene, end);
	}
	if (loss)
		wire.drops[SERVER]->bss->drop_every = 7;
	conversation_send(&scene.talk, CLIENT, 100000);
	conversation_send(&scene.talk, SERVER, 54321);
	wire.drops[SERVER]->bss->drop_every = 0;
	conversation_settle(&scene.talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		struct truth now = truth_of(scene.talk.ends[end]);

		expect(&scene, end, OPENED, 0);
		expect(&scene, end, ACCEPTED, 0);
		expect(&scene, end, OPEN, 1);
		expect(&scene, end, SENT_BYTES, end == CLIENT ? 100000 : 54321);
		expect(&scene, end, RETRANSMITTED,
		       now.info.tcpi_total_retrans - before[end].info.tcpi_total_retrans);
		expect(&scene, end, SENT_PACKETS,
		       now.info.tcpi_segs_out - before[end].info.tcpi_segs_out);
	}
	conversation_shut(&scene.talk, CLIENT);
	expect_open(&scene, 0, 0);
	scene_free(&scene);
}

static void test_older_connection(void **state)
{
	check_older(state, &wire, IPV4, false);
}

static void test_older_connection_with_loss(void **state)
{
	check_older(state, &wire, IPV6, true);
}

static void test_older_connection_to_dual_stack(void **state)
{
	check_older(state, &wire, IPV4_TO_DUAL_STACK, false);
}

/* Nobody knows the peer's name yet: nothing is shown, and nothing is lost. */
static void test_late_names(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);

	names_are_known = false;
	conversation_connect(&scene.talk);
	conversation_send(&scene.talk, CLIENT, 1000);
	conversation_settle(&scene.talk);
	expect(&scene, CLIENT, SENT_BYTES, 0);
	conversation_send(&scene.talk, CLIENT, 1000);
	conversation_shut(&scene.talk, CLIENT);
	expect(&scene, CLIENT, OPENED, 0);
	names_are_known = true;
	expect(&scene, CLIENT, OPENED, 1);
	check_both(&scene);
	expect_open(&scene, 0, 0);
	scene_free(&scene);
}

/* What came after the last read is told by the detachment itself. */
static void test_detach_tells_the_rest(void **state)
{
	struct scene scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene.talk);
	expect(&scene, CLIENT, OPEN, 1);
	conversation_send(&scene.talk, CLIENT, 12345);
	conversation_settle(&scene.talk);
	unwatch(&scene, CLIENT);
	check_counts(&scene, CLIENT);
	expect(&scene, CLIENT, OPEN, 0);
	scene_free(&scene);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_dual_stack_listener_has_ipv4_peer),
		cmocka_unit_test(test_loss_of_every_7th),
		cmocka_unit_test(test_loss_of_every_100th),
		cmocka_unit_test(test_loss_both_ways),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_reordered_and_repeated),
		cmocka_unit_test(test_within_the_pod),
		cmocka_unit_test(test_short_connection_to_the_digit),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_lost_syn_makes_connecting_slow),
		cmocka_unit_test(test_lost_answer_to_syn),
		cmocka_unit_test(test_refused_ipv4),
		cmocka_unit_test(test_refused_ipv6),
		cmocka_unit_test(test_connect_that_times_out),
		cmocka_unit_test(test_connect_that_is_given_up),
		cmocka_unit_test(test_reset_by_client),
		cmocka_unit_test(test_reset_by_server),
		cmocka_unit_test(test_close_with_unread_bytes_resets),
		cmocka_unit_test(test_established_one_is_given_up),
		cmocka_unit_test(test_retransmission_timeouts),
		cmocka_unit_test(test_half_closed_goes_on),
		cmocka_unit_test(test_client_closes_first),
		cmocka_unit_test(test_server_closes_first),
		cmocka_unit_test(test_both_close_at_once),
		cmocka_unit_test(test_zero_window_of_server),
		cmocka_unit_test(test_zero_window_of_client),
		cmocka_unit_test(test_older_connection),
		cmocka_unit_test(test_older_connection_with_loss),
		cmocka_unit_test(test_older_connection_to_dual_stack),
		cmocka_unit_test(test_late_names),
		cmocka_unit_test(test_detach_tells_the_rest),
	};

	return fixture_run(tests, setup, teardown);
}
