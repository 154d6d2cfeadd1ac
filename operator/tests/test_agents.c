// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The agents' door: a true agent's end of the link, and an API server that answers by a script. */
#include "operator/tests/fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/jwt.h"
#include "lib/kube/tests/fake_server.h"
#include "lib/link/client.h"
#include "lib/link/message.h"
#include "operator/agents_internal.h"

#define NAME	    "skep-operator.skep-system.svc"
#define USER	    "system:serviceaccount:skep-system:skep-node-agent"
#define PATIENCE_MS 20000

#define OWNER(uid)                                                                                 \
	{                                                                                          \
		.expect = "POST /apis/authentication.k8s.io/v1/tokenreviews", .status = 201,       \
		.body = "{\"status\":{\"authenticated\":true,\"audiences\":[\"skep-operator\"],"   \
			"\"user\":{\"username\":\"" USER "\",\"extra\":{"                          \
			"\"authentication.kubernetes.io/pod-uid\":[\"" uid "\"]}}}}"               \
	}
#define REFUSAL                                                                                    \
	{                                                                                          \
		.expect = "POST", .status = 201,                                                   \
		.body = "{\"status\":{\"authenticated\":false,\"error\":\"the account is gone\"}}" \
	}
#define TROUBLE                                                                                    \
	{                                                                                          \
		.expect = "POST", .status = 500, .body = "{}"                                      \
	}

struct world {
	uv_loop_t loop;
	uv_timer_t patience;
	bool late;
	struct fake_server server;
	struct kube_client *kube;
	struct net_context *net;
	struct pki_bundle bundle;
	struct cluster cluster;
	struct addresses addresses;
	struct fleet fleet;
	struct lookups lookups;
	struct edges edges;
	struct node_book nodes;
	struct agents *agents;
	struct link_client *client;
	struct pod *pod, *other;
	int port;
	char folder[64], ca_file[96], token_file[96];
	unsigned int connected, disconnected, snapshots;
	char why[256];
};

static void on_changed(void *context, struct fleet_node *node)
{
	(void)context, (void)node;
}

static void on_connected(void *context)
{
	const struct hello hello = {
		.node = "n1", .agent_version = "test", .kernel = "6.0", .applied.epoch = ""};
	struct world *world = context;

	world->connected++;
	assert_int_equal(link_client_send(world->client, hello_encode(&hello)), 0);
}

static void on_message(void *context, const cJSON *message)
{
	struct world *world = context;

	world->snapshots += strcmp(json_text(message, "type"), "snapshot") == 0;
}

static void on_disconnected(void *context, const char *why)
{
	struct world *world = context;

	world->disconnected++;
	snprintf(world->why, sizeof(world->why), "%s", why);
}

static void on_patience(uv_timer_t *timer)
{
	((struct world *)timer->data)->late = true;
}

#define run_until(world, condition)                                                                \
	do {                                                                                       \
		uv_timer_start(&(world)->patience, on_patience, PATIENCE_MS, 0);                   \
		while (!(condition) && !(world)->late)                                             \
			uv_run(&(world)->loop, UV_RUN_ONCE);                                       \
		uv_timer_stop(&(world)->patience);                                                 \
		assert_true(condition);                                                            \
	} while (0)

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int probe = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(probe, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
	close(probe);
	return ntohs(address.sin_port);
}

static void make_files(struct world *world)
{
	static const char *const names[] = {NAME};

	snprintf(world->folder, sizeof(world->folder), "/tmp/test-agents-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	snprintf(world->ca_file, sizeof(world->ca_file), "%s/ca.crt", world->folder);
	snprintf(world->token_file, sizeof(world->token_file), "%s/token", world->folder);
	assert_int_equal(pki_bundle_make(names, 1, time(NULL), &world->bundle, NULL), 0);
	write_file(world->ca_file, world->bundle.ca_certificate);
	write_file(world->token_file, "first");
}

static void connect_client(struct world *world, uint64_t show_token_ms)
{
	const struct link_client_settings settings = {
		.host = "127.0.0.1",
		.port = world->port,
		.server_name = NAME,
		.ca_file = world->ca_file,
		.token_file = world->token_file,
		.show_token_ms = show_token_ms,
	};
	static const struct link_client_handlers handlers = {
		.connected = on_connected, .message = on_message, .disconnected = on_disconnected};

	assert_int_equal(
		link_client_new(world->net, &settings, &handlers, world, &world->client, NULL), 0);
}

static void open_door(struct world *world, uint64_t stay_ms)
{
	const struct agents_settings settings = {
		.times = {.stay_ms = stay_ms, .show_least_ms = 1},
		.address = "127.0.0.1",
		.port = world->port,
		.service_account = "skep-system:skep-node-agent",
	};
	const struct agents_books books = {
		.cluster = &world->cluster,
		.addresses = &world->addresses,
		.fleet = &world->fleet,
		.lookups = &world->lookups,
		.edges = &world->edges,
		.nodes = &world->nodes,
	};

	assert_int_equal(agents_new(world->net, world->kube, &settings, &world->bundle, &books,
				    on_changed, world, &world->agents, NULL),
			 0);
}

static void world_open(struct world *world, const struct fake_step *steps, uint64_t stay_ms,
		       uint64_t show_token_ms)
{
	struct kube_config config = {.token = (char *)"secret"};
	char server[64];

	log_set_level(LOG_LEVEL_ERROR);
	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	uv_timer_init(&world->loop, &world->patience);
	world->patience.data = world;
	world->port = free_port();
	make_files(world);
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->kube, NULL), 0);
	assert_int_equal(net_context_new(&world->loop, 64, &world->net, NULL), 0);
	world->fleet.epoch = strdup("0123456789abcdef");
	world->pod = pod_in("skep-system", "agent", "n1", "{}");
	world->other = pod_in("skep-system", "other", "n1", "{}");
	assert_int_equal(cluster_add_pod(&world->cluster, world->pod), 0);
	assert_int_equal(cluster_add_pod(&world->cluster, world->other), 0);
	open_door(world, stay_ms);
	connect_client(world, show_token_ms);
}

static void world_close(struct world *world)
{
	world->client = link_client_free(world->client);
	world->kube = kube_client_free(world->kube);
	world->agents = agents_free(world->agents);
	world->net = net_context_free(world->net);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_close((uv_handle_t *)&world->patience, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	edges_clear(&world->edges);
	node_book_clear(&world->nodes);
	fleet_clear(&world->fleet);
	cluster_clear(&world->cluster);
	pki_bundle_free(&world->bundle);
	unlink(world->ca_file);
	unlink(world->token_file);
	assert_int_equal(rmdir(world->folder), 0);
}

static void lets_in_and_lets_stay(void **state)
{
	static const struct fake_step steps[] = {
		OWNER("uid-agent"), OWNER("uid-agent"), OWNER("uid-agent"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 50);
	run_until(&world, world.snapshots == 1);
	write_file(world.token_file, "second"); /* as the kubelet does */
	run_until(&world, world.server.requests == 2);
	assert_non_null(strstr(world.server.last_request.data, "second"));
	write_file(world.token_file, "third");
	run_until(&world, world.server.requests == 3);
	assert_int_equal(world.disconnected, 0);
	world_close(&world);
}

/* Whatever node a message names, what it says is of the node that the token is bound to. */
static void believes_an_agent_of_its_own_node_only(void **state)
{
	static const struct fake_step steps[] = {OWNER("uid-agent"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 0);
	run_until(&world, world.snapshots == 1);
	assert_int_equal(
		link_client_send(
			world.client,
			json_of("{'type': 'node', 'node': 'n2', 'agent': {'version': '1'},"
				" 'kernel': {'release': '6'}, 'metadata': {'name': 'n2'}}")),
		0);
	run_until(&world, world.nodes.records);
	assert_int_equal(HASH_COUNT(world.nodes.records), 1);
	assert_string_equal(world.nodes.records->name, "n1");
	assert_null(strstr(world.nodes.records->facts, "n2"));
	assert_int_equal(link_client_send(world.client, json_of("{'type': 'node'}")), 0);
	run_until(&world, world.disconnected == 1);
	assert_non_null(strstr(world.why, "agent.version"));
	world_close(&world);
}

static void ends_whose_token_holds_no_more(void **state)
{
	static const struct fake_step steps[] = {OWNER("uid-agent"), REFUSAL, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 50);
	run_until(&world, world.snapshots == 1);
	write_file(world.token_file, "second");
	run_until(&world, world.disconnected == 1);
	assert_non_null(strstr(world.why, "the account is gone"));
	world_close(&world);
}

static void ends_who_shows_another_pods_token(void **state)
{
	static const struct fake_step steps[] = {OWNER("uid-agent"), OWNER("uid-other"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 50);
	run_until(&world, world.snapshots == 1);
	write_file(world.token_file, "second");
	run_until(&world, world.disconnected == 1);
	assert_non_null(strstr(world.why, "another pod"));
	world_close(&world);
}

static void keeps_who_is_in_while_nobody_can_be_asked(void **state)
{
	static const struct fake_step steps[] = {
		OWNER("uid-agent"), TROUBLE, TROUBLE, OWNER("uid-agent"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 50);
	run_until(&world, world.snapshots == 1);
	write_file(world.token_file, "second");
	run_until(&world, world.server.requests == 4);
	assert_int_equal(world.disconnected, 0);
	world_close(&world);
}

static void ends_who_shows_no_token_again(void **state)
{
	static const struct fake_step steps[] = {OWNER("uid-agent"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 200, 0);
	run_until(&world, world.snapshots == 1);
	run_until(&world, world.disconnected == 1);
	assert_non_null(strstr(world.why, "was not shown again"));
	/* It comes again with the same token, about which nobody is asked twice within moments. */
	run_until(&world, world.snapshots == 2);
	assert_int_equal(world.server.requests, 1);
	world_close(&world);
}

static void ends_whose_pod_is_gone(void **state)
{
	static const struct fake_step steps[] = {OWNER("uid-agent"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 0);
	run_until(&world, world.snapshots == 1);
	cluster_take_pod(&world.cluster, world.pod);
	pod_free(world.pod);
	run_until(&world, world.disconnected == 1);
	assert_non_null(strstr(world.why, "is gone"));
	run_until(&world, world.disconnected == 2); /* nor is it let in again */
	assert_non_null(strstr(world.why, "bound to no running pod"));
	world_close(&world);
}

static void is_shut_and_opened_again(void **state)
{
	static const struct fake_step steps[] = {OWNER("uid-agent"), {0}};
	struct world world;

	(void)state;
	world_open(&world, steps, 60000, 0);
	run_until(&world, world.snapshots == 1);
	agents_shut(world.agents, "another operator leads");
	run_until(&world, world.disconnected == 1);
	assert_int_equal(agents_reopen(world.agents, NULL), 0);
	run_until(&world, world.snapshots == 2);
	world_close(&world);
}

static void stays_as_long_as_the_token(void **state)
{
	(void)state;
	assert_int_equal(session_until_ms(5, 900000, 1000, 0), 900005);
	assert_int_equal(session_until_ms(5, 900000, 1000, 1000 + 3600), 900005);
	assert_int_equal(session_until_ms(5, 900000, 1000, 1000 + 300), 300005);
	/* Our clock is ahead: the API server has just said that the token holds. */
	assert_int_equal(session_until_ms(5, 900000, 1000, 990), 60005);
	assert_int_equal(session_until_ms(5, 900000, 1000, INT64_MAX), 900005);
}

static void reads_when_a_token_ends(void **state)
{
	(void)state;
	/* {"exp":1795003600,"sub":"?>?"}, in the alphabet of URLs and without padding */
	assert_int_equal(jwt_expiry("h.eyJleHAiOjE3OTUwMDM2MDAsInN1YiI6Ij8-PyJ9.s"), 1795003600);
	assert_int_equal(jwt_expiry("h.eyJleHAiOiJzb29uIn0.s"), 0); /* {"exp":"soon"} */
	assert_int_equal(jwt_expiry("h.eyJleHAiOi01fQ.s"), 0);	    /* {"exp":-5} */
	assert_int_equal(jwt_expiry("no token"), 0);
	assert_int_equal(jwt_expiry("a.b.c"), 0);
	assert_int_equal(jwt_expiry("."), 0);
	assert_int_equal(jwt_expiry(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_in_and_lets_stay),
		cmocka_unit_test(believes_an_agent_of_its_own_node_only),
		cmocka_unit_test(ends_whose_token_holds_no_more),
		cmocka_unit_test(ends_who_shows_another_pods_token),
		cmocka_unit_test(keeps_who_is_in_while_nobody_can_be_asked),
		cmocka_unit_test(ends_who_shows_no_token_again),
		cmocka_unit_test(ends_whose_pod_is_gone),
		cmocka_unit_test(is_shut_and_opened_again),
		cmocka_unit_test(stays_as_long_as_the_token),
		cmocka_unit_test(reads_when_a_token_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
