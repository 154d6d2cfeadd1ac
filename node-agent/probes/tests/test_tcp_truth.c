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
static bool names_are_known; /* of the other ends of edges */

/* A conversation whose ends are watched apart. */
struct scene {
	struct conversation talk;
	struct probe_attachment *attachments[ENDS];
	bool watched[ENDS];
};

static struct scene the_scene; /* of the present test */

static struct series_row *row_of_edge(void *context, struct series_owner *owner,
				      const struct series_layout *layout, const struct edge *edge)
{
	return names_are_known ? fixture_edge_row(context, owner, layout, edge) : NULL;
}

static int setup(void **state)
{
	int result = fixture_setup(state, &tcp_probe_kind);
	struct fixture *fixture = *state;

	if (result)
		return result;
	fixture->host.edge_row = row_of_edge;
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
	return fixture_teardown(state);
}

/* --- scenes --- */

static void watch(struct scene *scene, enum end end)
{
	scene->attachments[end] =
		fixture_attach(scene->talk.fixture, scene->talk.cgroups[end], &none);
	scene->watched[end] = true;
}

/* What is counted of an end is final from then on; its rows stay until the scene ends. */
static void unwatch(struct scene *scene, enum end end)
{
	if (scene->watched[end])
		fixture_detach(scene->talk.fixture, scene->attachments[end]);
	scene->watched[end] = false;
}

static struct scene *scene_new(void **state, const struct network *network, enum ip ip)
{
	names_are_known = true;
	the_scene = (struct scene){
		.talk = {.fixture = *state,
			 .network = network,
			 .cgroups = {fixture_cgroup(*state, "/a"), fixture_cgroup(*state, "/b")},
			 .ip = ip,
			 .listener = -1,
			 .ends = {-1, -1}}};
	return &the_scene;
}

static struct scene *scene_watched(void **state, const struct network *network, enum ip ip)
{
	struct scene *scene = scene_new(state, network, ip);

	watch(scene, CLIENT);
	watch(scene, SERVER);
	conversation_listen(&scene->talk);
	return scene;
}

static void remove_cgroup(struct fixture *fixture)
{
	char *path = fixture->cgroups[--fixture->cgroup_count];

	assert_return_code(rmdir(path), errno);
	free(path);
}

/* After each test, also one that failed; what was counted goes as well. */
static int scene_end(void **state)
{
	struct fixture *fixture = *state;
	struct scene *scene = &the_scene;

	network_leave(&wire);
	leave_cgroups(fixture);
	wire.drops[CLIENT]->bss->drop_every = wire.drops[SERVER]->bss->drop_every = 0;
	wire.drops[CLIENT]->bss->drop_syns = wire.drops[SERVER]->bss->drop_syns = 0;
	wire.drops[CLIENT]->bss->drop_all = wire.drops[SERVER]->bss->drop_all = 0;
	conversation_close(&scene->talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		unwatch(scene, end);
		remove_cgroup(fixture);
	}
	while (fixture->owner_count > 0)
		series_owner_free(fixture->owners[--fixture->owner_count].series, 0);
	series_expire(fixture->store, UINT64_MAX);
	return 0;
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

/* The sum of an end's samples of this name, those with `word` among their labels. */
static double told_of(const struct scene *scene, enum end end, const char *name, const char *word)
{
	struct fixture *fixture = scene->talk.fixture;
	char target[32];
	const char *const words[] = {target, word};
	struct text text = TEXT_EMPTY;
	double sum;

	snprintf(target, sizeof(target), "{target=\"%s\"",
		 fixture_name(fixture, scene->attachments[end]));
	fixture->kind->read(fixture->probe);
	series_write(fixture->store, &text);
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

/* The peer's FIN has come, which the kernel counts as a byte. */
static bool has_fin(const struct truth *truth)
{
	uint8_t state = truth->info.tcpi_state;

	return state != BPF_TCP_ESTABLISHED && state != BPF_TCP_FIN_WAIT1 &&
	       state != BPF_TCP_FIN_WAIT2;
}

/* What the kernel counts: equal. */
static void check_counts(const struct scene *scene, enum end end)
{
	struct truth truth = truth_of(scene->talk.ends[end]);

	expect(scene, end, SENT_BYTES, (double)(truth.bytes_sent - truth.bytes_retrans));
	expect(scene, end, RECEIVED_BYTES, (double)(truth.bytes_received - has_fin(&truth)));
	expect(scene, end, SENT_PACKETS, truth.segs_out);
	expect(scene, end, RECEIVED_PACKETS, truth.segs_in);
	expect(scene, end, RETRANSMITTED, truth.info.tcpi_total_retrans);
	expect(scene, end, OUT_OF_ORDER, truth.rcv_ooopack);
	expect(scene, end, DUPLICATES, truth.dsack_dups);
}

static void check_min_rtt(const struct scene *scene, enum end end)
{
	expect_near(scene, end, MIN_RTT, truth_of(scene->talk.ends[end]).min_rtt / 1e6, 1e-9);
}

static void check_timeouts(const struct scene *scene, enum end end)
{
	expect(scene, end, TIMEOUTS, truth_of(scene->talk.ends[end]).total_rto);
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
		check_timeouts(scene, CLIENT);
		check_timeouts(scene, SERVER);
	}
	conversation_shut(&scene->talk, CLIENT);
	expect_open(scene, 0, 0);
	check_both(scene);
	check_last_rtt(scene, CLIENT);
	check_last_rtt(scene, SERVER);
	check_min_rtt(scene, CLIENT);
	check_min_rtt(scene, SERVER);
	expect(scene, CLIENT, OPENED, 1);
	expect(scene, CLIENT, ACCEPTED, 0);
	expect(scene, SERVER, OPENED, 0);
	expect(scene, SERVER, ACCEPTED, 1);
}

/* --- tests: whole lives --- */

/* Both ends know each other by these addresses, and the server's port. */
static void check_names(const struct scene *scene, const char *client, const char *server)
{
	struct fixture *fixture = scene->talk.fixture;
	unsigned int port = scene->talk.port;
	char labels[128];

	snprintf(labels, sizeof(labels), ",role=\"client\",peer_name=\"%s\",server_port=\"%u\"",
		 server, port);
	assert_int_equal(fixture_value(fixture, scene->attachments[CLIENT], OPENED, labels), 1);
	snprintf(labels, sizeof(labels), ",role=\"server\",peer_name=\"%s\",server_port=\"%u\"",
		 client, port);
	assert_int_equal(fixture_value(fixture, scene->attachments[SERVER], ACCEPTED, labels), 1);
}

static void check_life_on_wire(void **state, enum ip ip, const char *client, const char *server)
{
	struct scene *scene = scene_watched(state, &wire, ip);

	check_life(scene);
	check_names(scene, client, server);
}

#define CLIENT_IPV4 "00000000000000000000ffff0a630001"
#define SERVER_IPV4 "00000000000000000000ffff0a630002"
#define CLIENT_IPV6 "fd990000000000000000000000000001"
#define SERVER_IPV6 "fd990000000000000000000000000002"

static void test_ipv4(void **state)
{
	check_life_on_wire(state, IPV4, CLIENT_IPV4, SERVER_IPV4);
}

static void test_ipv6(void **state)
{
	check_life_on_wire(state, IPV6, CLIENT_IPV6, SERVER_IPV6);
}

static void test_dual_stack_listener_has_ipv4_peer(void **state)
{
	check_life_on_wire(state, IPV4_TO_DUAL_STACK, CLIENT_IPV4, SERVER_IPV4);
}

/* Every n-th packet towards one end is lost, then towards the other as well. */
static void check_loss(void **state, uint32_t to_client, uint32_t to_server)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	uint32_t dropped = wire.drops[SERVER]->bss->dropped;

	wire.drops[CLIENT]->bss->drop_every = to_client;
	wire.drops[SERVER]->bss->drop_every = to_server;
	check_life(scene);
	wire.drops[CLIENT]->bss->drop_every = wire.drops[SERVER]->bss->drop_every = 0;
	dropped = wire.drops[SERVER]->bss->dropped - dropped;
	assert_true(dropped > 0);
	assert_true(told(scene, CLIENT, RETRANSMITTED) >= dropped);
	assert_true(told(scene, SERVER, OUT_OF_ORDER) > 0);
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
	struct scene *scene = scene_watched(state, &slow, IPV6);

	set_relay(DELAY_US, 0, 0);
	check_life(scene);
	assert_true(told(scene, CLIENT, MIN_RTT) >= 2 * DELAY_US / 1e6);
	assert_true(told(scene, CLIENT, MIN_RTT) < 5 * DELAY_US / 1e6);
	assert_true(told(scene, CLIENT, CONNECT_DURATION "_sum") >= 2 * DELAY_US / 1e6);
	assert_true(told(scene, CLIENT, CONNECT_DURATION "_sum") < 1);
}

static void test_reordered_and_repeated(void **state)
{
	struct scene *scene = scene_watched(state, &slow, IPV4);

	set_relay(DELAY_US, 11, 17);
	check_life(scene);
	assert_true(relay.settings->held > 0 && relay.settings->duplicated > 0);
	assert_true(told(scene, SERVER, OUT_OF_ORDER) >= relay.settings->held / 4);
	assert_true(told(scene, CLIENT, DUPLICATES) >= relay.settings->duplicated / 4);
}

static void test_within_the_pod(void **state)
{
	struct scene *scene = scene_new(state, &loopback, IPV4);
	struct truth client, server;

	scene->talk.cgroups[SERVER] = scene->talk.cgroups[CLIENT];
	watch(scene, CLIENT);
	conversation_listen(&scene->talk);
	conversation_connect(&scene->talk);
	conversation_send(&scene->talk, CLIENT, 50000);
	for (int i = 0; i < 3; i++) /* an accepted connection is told once it has lived a little */
		conversation_send(&scene->talk, SERVER, 1000);
	conversation_settle(&scene->talk);
	client = truth_of(scene->talk.ends[CLIENT]);
	server = truth_of(scene->talk.ends[SERVER]);
	assert_int_equal(told_of(scene, CLIENT, SENT_BYTES, "role=\"client\""), 50000);
	assert_int_equal(told_of(scene, CLIENT, SENT_BYTES, "role=\"server\""), 3000);
	assert_int_equal(told_of(scene, CLIENT, SENT_PACKETS, "role=\"client\""), client.segs_out);
	assert_int_equal(told_of(scene, CLIENT, SENT_PACKETS, "role=\"server\""), server.segs_out);
	assert_int_equal(told_of(scene, CLIENT, SENT_BYTES, "ffff7f000001"), 53000);
	expect(scene, CLIENT, OPEN, 2);
	conversation_shut(&scene->talk, SERVER);
	expect(scene, CLIENT, OPEN, 0);
}

/* The packet that ends the handshake brings bytes, as where the server defers accepting. */
static void test_first_bytes_end_the_handshake(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	const int patience_s = 30;
	char bytes[1000] = "";

	assert_return_code(setsockopt(scene->talk.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT,
				      &patience_s, sizeof(patience_s)),
			   errno);
	assert_int_equal(conversation_try(&scene->talk), 0);
	assert_int_equal(send(scene->talk.ends[CLIENT], bytes, sizeof(bytes), 0), sizeof(bytes));
	conversation_accept(&scene->talk);
	assert_int_equal(recv(scene->talk.ends[SERVER], bytes, sizeof(bytes), MSG_WAITALL),
			 sizeof(bytes));
	conversation_settle(&scene->talk);
	conversation_shut(&scene->talk, CLIENT);
	check_both(scene);
	expect(scene, SERVER, RECEIVED_BYTES, sizeof(bytes));
	expect(scene, SERVER, ACCEPTED, 1);
	expect_open(scene, 0, 0);
}

/* Short ones are looked at once, at their end: the figures are the socket's own, to the digit. */
static void test_short_connection_to_the_digit(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene->talk);
	conversation_send(&scene->talk, CLIENT, 100);
	conversation_send(&scene->talk, SERVER, 1000);
	conversation_shut(&scene->talk, CLIENT);
	check_both(scene);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		struct truth truth = truth_of(scene->talk.ends[end]);

		expect(scene, end, SRTT "_count", 1);
		expect_near(scene, end, SRTT "_sum", truth.info.tcpi_rtt / 1e6, 1e-9);
		expect_near(scene, end, RTTVAR "_sum", truth.info.tcpi_rttvar / 1e6, 1e-9);
	}
}

#define MANY 40

/* Several at once on one edge add up. */
static void test_many_at_once(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	struct conversation talks[MANY];
	uint64_t packets = 0;

	wire.drops[SERVER]->bss->drop_every = 9;
	for (int i = 0; i < MANY; i++) {
		talks[i] = scene->talk;
		conversation_connect(&talks[i]);
	}
	for (int i = 0; i < MANY; i++)
		conversation_send(&talks[i], CLIENT, 20000 + (size_t)i);
	for (int i = 0; i < MANY; i++)
		conversation_settle(&talks[i]);
	for (int i = 0; i < MANY; i++)
		packets += truth_of(talks[i].ends[CLIENT]).segs_out;
	expect(scene, CLIENT, SENT_PACKETS, (double)packets);
	expect(scene, CLIENT, SENT_BYTES, MANY * 20000 + MANY * (MANY - 1) / 2);
	expect_open(scene, MANY, MANY);
	wire.drops[SERVER]->bss->drop_every = 0;
	for (int i = 0; i < MANY; i++) {
		talks[i].listener = -1;
		conversation_shut(&talks[i], i % 2 ? CLIENT : SERVER);
		conversation_close(&talks[i]);
	}
	expect_open(scene, 0, 0);
	expect(scene, CLIENT, OPENED, MANY);
	expect(scene, SERVER, ACCEPTED, MANY);
}

/* --- tests: how it begins --- */

static void test_lost_syn_makes_connecting_slow(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	double took;

	wire.drops[SERVER]->bss->drop_syns = 1;
	took = seconds_now();
	assert_int_equal(conversation_try(&scene->talk), 0);
	took = seconds_now() - took;
	conversation_accept(&scene->talk);
	assert_true(took >= 1);
	expect(scene, CLIENT, SYN_RETRANSMITTED, 1);
	expect(scene, CLIENT, OPENED, 1);
	expect(scene, CLIENT, CONNECT_DURATION "_count", 1);
	expect_near(scene, CLIENT, CONNECT_DURATION "_sum", took, 0.1);
	expect_observed(scene, CLIENT, CONNECT_DURATION, (uint32_t)(took * 1e6));
	check_counts(scene, CLIENT);
	expect(scene, SERVER, SYN_RETRANSMITTED, 0);
}

/* The answer is lost: the server sends it again. */
static void test_lost_answer_to_syn(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV6);

	wire.drops[CLIENT]->bss->drop_syns = 1;
	conversation_connect(&scene->talk);
	conversation_settle(&scene->talk);
	assert_true(told(scene, CLIENT, CONNECT_DURATION "_sum") >= 1);
	expect(scene, CLIENT, SYN_RETRANSMITTED,
	       truth_of(scene->talk.ends[CLIENT]).info.tcpi_total_retrans);
	for (int i = 0; i < 3; i++)
		conversation_send(&scene->talk, SERVER, 100);
	conversation_settle(&scene->talk);
	check_both(scene);
}

/*
 * An accepted connection that has sent next to nothing is open, and told in full as it ends: to
 * keep it in mind would cost a server more than all the rest.
 */
static void test_young_server_is_told_at_its_end(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene->talk);
	conversation_send(&scene->talk, CLIENT, 100);
	conversation_send(&scene->talk, SERVER, 1000);
	conversation_settle(&scene->talk);
	expect(scene, SERVER, ACCEPTED, 1);
	expect(scene, SERVER, OPEN, 1);
	conversation_shut(&scene->talk, SERVER);
	expect(scene, SERVER, OPEN, 0);
	expect(scene, SERVER, SENT_BYTES, 1000);
	expect(scene, SERVER, RECEIVED_BYTES, 100);
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
	struct scene *scene = scene_watched(state, &wire, ip);

	close(scene->talk.listener);
	scene->talk.listener = -1;
	assert_int_equal(conversation_try(&scene->talk), ECONNREFUSED);
	expect(scene, CLIENT, REFUSED, 1);
	expect(scene, CLIENT, CONNECT_TIMED_OUT, 0);
	expect(scene, CLIENT, CONNECT_FAILED, 0);
	expect_never_open(scene);
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
	struct scene *scene = scene_watched(state, &wire, IPV4);
	uint32_t before = wire.drops[SERVER]->bss->dropped;

	wire.drops[SERVER]->bss->drop_all = 1;
	assert_int_equal(connect_with_one_more_syn(&scene->talk, 0), ETIMEDOUT);
	wire.drops[SERVER]->bss->drop_all = 0;
	expect(scene, CLIENT, CONNECT_TIMED_OUT, 1);
	expect(scene, CLIENT, SYN_RETRANSMITTED, wire.drops[SERVER]->bss->dropped - before - 1);
	expect(scene, CLIENT, REFUSED, 0);
	expect(scene, CLIENT, CONNECT_FAILED, 0);
	expect_never_open(scene);
}

static void test_connect_that_is_given_up(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);

	wire.drops[SERVER]->bss->drop_all = 1;
	assert_int_equal(connect_with_one_more_syn(&scene->talk, O_NONBLOCK), EINPROGRESS);
	close(scene->talk.ends[CLIENT]);
	scene->talk.ends[CLIENT] = -1;
	wire.drops[SERVER]->bss->drop_all = 0;
	expect(scene, CLIENT, CONNECT_FAILED, 1);
	expect(scene, CLIENT, REFUSED, 0);
	expect(scene, CLIENT, CONNECT_TIMED_OUT, 0);
	expect_never_open(scene);
}

/* --- tests: how it ends --- */

static void expect_resets(const struct scene *scene, enum end end, double sent, double received)
{
	expect(scene, end, RESET_SENT, sent);
	expect(scene, end, RESET_RECEIVED, received);
}

static void check_reset(void **state, enum end by)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	enum end other = by == CLIENT ? SERVER : CLIENT;

	conversation_connect(&scene->talk);
	conversation_ask(&scene->talk, 5, 100);
	abort_end(&scene->talk, by);
	wait_state(scene->talk.ends[other], BPF_TCP_CLOSE);
	expect_resets(scene, by, 1, 0);
	expect_resets(scene, other, 0, 1);
	expect_open(scene, 0, 0);
	expect(scene, by, TIMED_OUT, 0);
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
	struct scene *scene = scene_watched(state, &wire, IPV6);

	conversation_connect(&scene->talk);
	assert_int_equal(send(scene->talk.ends[CLIENT], "unread", 6, 0), 6);
	conversation_settle(&scene->talk);
	close(scene->talk.ends[SERVER]);
	scene->talk.ends[SERVER] = -1;
	wait_state(scene->talk.ends[CLIENT], BPF_TCP_CLOSE);
	expect_resets(scene, SERVER, 1, 0);
	expect_resets(scene, CLIENT, 0, 1);
	expect(scene, SERVER, RECEIVED_BYTES, 6);
	expect_open(scene, 0, 0);
}

static void test_established_one_is_given_up(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	unsigned int limit_ms = 600;

	conversation_connect(&scene->talk);
	conversation_ask(&scene->talk, 3, 100);
	setsockopt(scene->talk.ends[CLIENT], IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms,
		   sizeof(limit_ms));
	wire.drops[SERVER]->bss->drop_all = 1;
	assert_int_equal(send(scene->talk.ends[CLIENT], "lost", 4, 0), 4);
	wait_state(scene->talk.ends[CLIENT], BPF_TCP_CLOSE);
	wire.drops[SERVER]->bss->drop_all = 0;
	expect(scene, CLIENT, TIMED_OUT, 1);
	expect(scene, CLIENT, CONNECT_TIMED_OUT, 0);
	expect_resets(scene, CLIENT, 0, 0);
	expect(scene, CLIENT, RETRANSMITTED,
	       truth_of(scene->talk.ends[CLIENT]).info.tcpi_total_retrans);
	assert_true(told(scene, CLIENT, TIMEOUTS) >= 1);
	expect(scene, CLIENT, OPEN, 0);
}

/* What only the timer brings back: a whole answer is lost, and nothing follows. */
static void test_retransmission_timeouts(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	struct truth truth;

	conversation_connect(&scene->talk);
	conversation_ask(&scene->talk, 3, 100);
	wire.drops[CLIENT]->bss->drop_all = 1;
	assert_int_equal(send(scene->talk.ends[SERVER], "answer", 6, 0), 6);
	usleep(1000000);
	wire.drops[CLIENT]->bss->drop_all = 0;
	conversation_settle(&scene->talk);
	truth = truth_of(scene->talk.ends[SERVER]);
	assert_true(truth.total_rto >= 1);
	expect(scene, SERVER, TIMEOUTS, truth.total_rto);
	expect(scene, CLIENT, TIMEOUTS, 0);
	check_counts(scene, SERVER);
}

static void test_half_closed_goes_on(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene->talk);
	conversation_send(&scene->talk, CLIENT, 1000);
	shutdown(scene->talk.ends[CLIENT], SHUT_WR);
	wait_state(scene->talk.ends[SERVER], BPF_TCP_CLOSE_WAIT);
	expect_open(scene, 1, 1);
	conversation_send(&scene->talk, SERVER, 100000);
	conversation_settle(&scene->talk);
	check_both(scene);
	expect_open(scene, 1, 1);
	shutdown(scene->talk.ends[SERVER], SHUT_WR);
	wait_state(scene->talk.ends[CLIENT], BPF_TCP_CLOSE);
	expect_open(scene, 0, 0);
	check_both(scene);
}

#define CLOSE_PAUSE_US 300000

/* close() by one side first: FIN_WAIT2 and TIME_WAIT are not open any more to who has let go. */
static void check_close(void **state, enum end first)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	enum end second = first == CLIENT ? SERVER : CLIENT;

	conversation_connect(&scene->talk);
	conversation_ask(&scene->talk, 3, 1000);
	close(scene->talk.ends[first]);
	scene->talk.ends[first] = -1;
	usleep(CLOSE_PAUSE_US);
	expect(scene, first, OPEN, 0);
	expect(scene, second, OPEN, 1);
	check_counts(scene, second);
	conversation_close(&scene->talk);
	usleep(CLOSE_PAUSE_US);
	expect_open(scene, 0, 0);
	for (enum end end = CLIENT; end <= SERVER; end++)
		expect_resets(scene, end, 0, 0);
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
	struct scene *scene = scene_watched(state, &slow, IPV4);

	set_relay(DELAY_US, 0, 0);
	conversation_connect(&scene->talk);
	conversation_ask(&scene->talk, 2, 1000);
	shutdown(scene->talk.ends[CLIENT], SHUT_WR);
	shutdown(scene->talk.ends[SERVER], SHUT_WR);
	wait_state(scene->talk.ends[CLIENT], BPF_TCP_CLOSE);
	wait_state(scene->talk.ends[SERVER], BPF_TCP_CLOSE);
	expect_open(scene, 0, 0);
	check_both(scene);
}

/* --- tests: a reader that does not read --- */

static void fill_window(const struct scene *scene, enum end sender)
{
	static const char data[65536];
	double deadline = seconds_now() + CONVERSATION_PATIENCE_MS / 1e3;
	int descriptor = scene->talk.ends[sender];

	while (truth_of(descriptor).snd_wnd > 0) {
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
	struct truth truth;
	char data[65536];

	do {
		assert_true(seconds_now() < deadline);
		while (recv(scene->talk.ends[reader], data, sizeof(data), MSG_DONTWAIT) > 0)
			;
		usleep(1000);
		truth = truth_of(sender);
	} while (truth.notsent_bytes > 0 || truth.info.tcpi_unacked > 0);
}

static void check_stalls(void **state, enum end sender, useconds_t stall_us)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);
	enum end reader = sender == CLIENT ? SERVER : CLIENT;

	conversation_connect(&scene->talk);
	expect(scene, sender, ZERO_WINDOWS, 0);
	for (int stalls = 1; stalls <= 2; stalls++) {
		fill_window(scene, sender);
		usleep(stall_us);
		expect(scene, sender, ZERO_WINDOWS, stalls);
		drain(scene, reader);
		conversation_settle(&scene->talk);
		expect(scene, sender, ZERO_WINDOWS, stalls);
	}
	expect(scene, reader, ZERO_WINDOWS, 0);
	check_both(scene);
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
	struct scene *scene = scene_new(state, network, ip);
	struct truth before[ENDS];

	conversation_listen(&scene->talk);
	conversation_connect(&scene->talk);
	conversation_ask(&scene->talk, 5, 5000);
	conversation_settle(&scene->talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		before[end] = truth_of(scene->talk.ends[end]);
		watch(scene, end);
	}
	if (loss)
		wire.drops[SERVER]->bss->drop_every = 7;
	conversation_send(&scene->talk, CLIENT, 100000);
	conversation_send(&scene->talk, SERVER, 54321);
	wire.drops[SERVER]->bss->drop_every = 0;
	conversation_settle(&scene->talk);
	for (enum end end = CLIENT; end <= SERVER; end++) {
		struct truth now = truth_of(scene->talk.ends[end]);

		expect(scene, end, OPENED, 0);
		expect(scene, end, ACCEPTED, 0);
		expect(scene, end, OPEN, 1);
		expect(scene, end, SENT_BYTES, end == CLIENT ? 100000 : 54321);
		expect(scene, end, RETRANSMITTED,
		       now.info.tcpi_total_retrans - before[end].info.tcpi_total_retrans);
		expect(scene, end, SENT_PACKETS, now.segs_out - before[end].segs_out);
	}
	conversation_shut(&scene->talk, CLIENT);
	expect_open(scene, 0, 0);
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
	struct scene *scene = scene_watched(state, &wire, IPV4);

	names_are_known = false;
	conversation_connect(&scene->talk);
	conversation_send(&scene->talk, CLIENT, 1000);
	conversation_settle(&scene->talk);
	expect(scene, CLIENT, SENT_BYTES, 0);
	conversation_send(&scene->talk, CLIENT, 1000);
	conversation_shut(&scene->talk, CLIENT);
	expect(scene, CLIENT, OPENED, 0);
	names_are_known = true;
	expect(scene, CLIENT, OPENED, 1);
	check_both(scene);
	expect_open(scene, 0, 0);
}

/* What came after the last read is told by the detachment itself. */
static void test_detach_tells_the_rest(void **state)
{
	struct scene *scene = scene_watched(state, &wire, IPV4);

	conversation_connect(&scene->talk);
	expect(scene, CLIENT, OPEN, 1);
	conversation_send(&scene->talk, CLIENT, 12345);
	conversation_settle(&scene->talk);
	unwatch(scene, CLIENT);
	check_counts(scene, CLIENT);
	expect(scene, CLIENT, OPEN, 0);
}

#define scene_test(test) cmocka_unit_test_teardown(test, scene_end)

int main(void)
{
	struct CMUnitTest tests[] = {
		scene_test(test_ipv4),
		scene_test(test_ipv6),
		scene_test(test_dual_stack_listener_has_ipv4_peer),
		scene_test(test_loss_of_every_7th),
		scene_test(test_loss_of_every_100th),
		scene_test(test_loss_both_ways),
		scene_test(test_delay),
		scene_test(test_reordered_and_repeated),
		scene_test(test_within_the_pod),
		scene_test(test_first_bytes_end_the_handshake),
		scene_test(test_short_connection_to_the_digit),
		scene_test(test_many_at_once),
		scene_test(test_lost_syn_makes_connecting_slow),
		scene_test(test_lost_answer_to_syn),
		scene_test(test_young_server_is_told_at_its_end),
		scene_test(test_refused_ipv4),
		scene_test(test_refused_ipv6),
		scene_test(test_connect_that_times_out),
		scene_test(test_connect_that_is_given_up),
		scene_test(test_reset_by_client),
		scene_test(test_reset_by_server),
		scene_test(test_close_with_unread_bytes_resets),
		scene_test(test_established_one_is_given_up),
		scene_test(test_retransmission_timeouts),
		scene_test(test_half_closed_goes_on),
		scene_test(test_client_closes_first),
		scene_test(test_server_closes_first),
		scene_test(test_both_close_at_once),
		scene_test(test_zero_window_of_server),
		scene_test(test_zero_window_of_client),
		scene_test(test_older_connection),
		scene_test(test_older_connection_with_loss),
		scene_test(test_older_connection_to_dual_stack),
		scene_test(test_late_names),
		scene_test(test_detach_tells_the_rest),
	};

	return fixture_run(tests, setup, teardown);
}
