// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/base/tests/parse.h"

#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/json.h"
#include "lib/kube/access_review.h"
#include "lib/kube/client_internal.h"
#include "lib/kube/event.h"
#include "lib/kube/tests/fake_server.h"
#include "lib/kube/token_review.h"
#include "lib/kube/transfer.h"

/* A client and its server on one loop, and what the last handler was told. */
struct world {
	uv_loop_t loop;
	struct fake_server server;
	struct kube_client *client;
	int answers;
	int status;
	int retry_after_seconds;
	bool has_body;
	bool answered;
	char reason[512];
	char owner[256];
};

static void world_open(struct world *world, const struct fake_step *steps)
{
	struct kube_config config = {.token = (char *)"secret"};
	char server[64];

	memset(world, 0, sizeof(*world));
	uv_loop_init(&world->loop);
	fake_server_start(&world->server, &world->loop, steps);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", world->server.port);
	config.server = server;
	assert_int_equal(kube_client_new(&world->loop, &config, &world->client, NULL), 0);
}

static void world_close(struct world *world)
{
	world->client = kube_client_free(world->client);
	assert_false(world->server.is_wrong);
	fake_server_stop(&world->server);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
}

static void wait_for_answers(struct world *world, int count)
{
	for (int i = 0; i < 1000 && world->answers < count; i++)
		uv_run(&world->loop, UV_RUN_ONCE);
	assert_int_equal(world->answers, count);
}

static void on_response(void *context, const struct kube_response *response)
{
	struct world *world = context;

	world->answers++;
	world->status = response->status;
	world->retry_after_seconds = response->retry_after_seconds;
	world->has_body = response->body;
	snprintf(world->reason, sizeof(world->reason), "%s", response->reason ?: "");
}

static void ask(struct world *world, const char *method, const char *path, const cJSON *body)
{
	assert_int_equal(kube_request(world->client, method, path, KUBE_APPLY, body, on_response,
				      world, NULL),
			 0);
}

static void sends_what_it_is_given(void **state)
{
	static const struct fake_step steps[] = {
		{"PATCH /apis/x/y?force=true ", FAKE_WHOLE, 200, NULL, "{\"a\":1}"}, {0}};
	cJSON *body = cJSON_Parse("{\"spec\":{}}");
	struct world world;

	(void)state;
	world_open(&world, steps);
	ask(&world, "PATCH", "/apis/x/y?force=true", body);
	cJSON_Delete(body);
	assert_int_equal(world.answers, 0); /* never from within the call */
	wait_for_answers(&world, 1);
	assert_int_equal(world.status, 200);
	assert_true(world.has_body);
	assert_string_equal(world.reason, "");
	assert_non_null(strstr(world.server.last_request.data, "Bearer secret\r\n"));
	assert_non_null(strstr(world.server.last_request.data, "Content-Type: " KUBE_APPLY "\r\n"));
	assert_non_null(strstr(world.server.last_request.data, "\r\n\r\n{\"spec\":{}}"));
	world_close(&world);
}

static void tells_refusals_in_the_servers_words(void **state)
{
	static const struct fake_step steps[] = {
		{NULL, FAKE_WHOLE, 422, NULL, "{\"reason\":\"Invalid\",\"message\":\"spec.x\"}"},
		{NULL, FAKE_WHOLE, 429, "Retry-After: 7\r\n", "slow down"},
		{0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	ask(&world, "GET", "/api/v1/pods?limit=1", NULL);
	wait_for_answers(&world, 1);
	assert_int_equal(world.status, 422);
	assert_string_equal(world.reason, "GET /api/v1/pods: status 422 Invalid: spec.x");
	ask(&world, "GET", "/api/v1/pods", NULL);
	wait_for_answers(&world, 2);
	assert_int_equal(world.status, 429);
	assert_int_equal(world.retry_after_seconds, 7);
	assert_false(world.has_body);
	world_close(&world);
}

static void tells_that_no_answer_came(void **state)
{
	static const struct fake_step steps[] = {{NULL, FAKE_STREAM_CUT, 200, NULL, "{\"cut\":"},
						 {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	ask(&world, "GET", "/healthz", NULL);
	wait_for_answers(&world, 1);
	assert_int_equal(world.status, 0);
	assert_non_null(strstr(world.reason, "GET /healthz: no answer from http://127.0.0.1"));
	world_close(&world);
}

static void tells_that_nobody_listens(void **state)
{
	const struct kube_config config = {.server = (char *)"http://127.0.0.1:1"};
	struct world world = {0};

	(void)state;
	uv_loop_init(&world.loop);
	assert_int_equal(kube_client_new(&world.loop, &config, &world.client, NULL), 0);
	ask(&world, "GET", "/healthz", NULL);
	wait_for_answers(&world, 1);
	assert_int_equal(world.status, 0);
	assert_non_null(strstr(world.reason, "127.0.0.1"));
	kube_client_free(world.client);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
}

static void cancels_all_when_freed(void **state)
{
	static const struct fake_step steps[] = {
		{NULL, FAKE_SILENCE, 200, NULL, NULL}, {NULL, FAKE_SILENCE, 200, NULL, NULL}, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	ask(&world, "GET", "/a", NULL);
	ask(&world, "GET", "/b", NULL);
	while (world.server.requests < 2)
		uv_run(&world.loop, UV_RUN_ONCE);
	ask(&world, "GET", "/c", NULL);
	world_close(&world);
	assert_int_equal(world.answers, 0);
}

static void on_owner(void *context, const struct kube_token_owner *owner, const char *refusal,
		     bool answered)
{
	struct world *world = context;

	world->answers++;
	world->answered = answered;
	snprintf(world->reason, sizeof(world->reason), "%s", refusal ?: "");
	snprintf(world->owner, sizeof(world->owner), "%s %s %s", owner ? owner->username : "-",
		 owner && owner->pod_name ? owner->pod_name : "-",
		 owner && owner->pod_uid ? owner->pod_uid : "-");
}

#define REVIEW(status) "{\"kind\":\"TokenReview\",\"status\":{" status "}}"
#define OWNER                                                                                      \
	"\"authenticated\":true,\"user\":{\"username\":\"system:serviceaccount:skep:agent\","      \
	"\"extra\":{\"authentication.kubernetes.io/pod-name\":[\"agent-1\"],"                      \
	"\"authentication.kubernetes.io/pod-uid\":[\"u-1\"]}}"

struct review_case {
	struct fake_step steps[2];
	const char *owner;
	const char *refusal;
	bool answered;
};

static const struct review_case review_cases[] = {
	{{{NULL, FAKE_WHOLE, 201, NULL, REVIEW(OWNER ",\"audiences\":[\"skep-operator\"]")}},
	 "system:serviceaccount:skep:agent agent-1 u-1",
	 "",
	 true},
	{{{NULL, FAKE_WHOLE, 201, NULL, REVIEW(OWNER ",\"audiences\":[\"other\"]")}},
	 "- - -",
	 "not meant for this audience",
	 true},
	{{{NULL, FAKE_WHOLE, 201, NULL, REVIEW(OWNER)}},
	 "- - -",
	 "not meant for this audience",
	 true},
	{{{NULL, FAKE_WHOLE, 201, NULL, REVIEW("\"error\":\"expired\"")}},
	 "- - -",
	 "expired",
	 true},
	{{{NULL, FAKE_WHOLE, 201, NULL, "nonsense"}}, "- - -", "does not know the token", false},
	{{{NULL, FAKE_WHOLE, 403, NULL, "{}"}}, "- - -", "status 403", false},
	{{{NULL, FAKE_STREAM_CUT, 200, NULL, "{"}}, "- - -", "no answer", false},
};

static void reviews_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(review_cases) / sizeof(review_cases[0]); i++) {
		const struct review_case *review = &review_cases[i];
		struct world world;

		world_open(&world, review->steps);
		assert_int_equal(kube_token_review(world.client, "t\"1", "skep-operator", on_owner,
						   &world, NULL),
				 0);
		wait_for_answers(&world, 1);
		assert_string_equal(world.owner, review->owner);
		assert_non_null(strstr(world.reason, review->refusal));
		assert_int_equal(world.answered, review->answered);
		assert_non_null(strstr(world.server.last_request.data, "\"token\":\"t\\\"1\""));
		world_close(&world);
	}
}

/* Without an audience the API server checks the token for itself, and names none. */
static void reviews_tokens_for_the_api_server(void **state)
{
	static const struct fake_step steps[] = {
		{"tokenreviews ", FAKE_WHOLE, 201, NULL, REVIEW(OWNER)}, {0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	assert_int_equal(kube_token_review(world.client, "t", "", on_owner, &world, NULL), 0);
	wait_for_answers(&world, 1);
	assert_string_equal(world.owner, "system:serviceaccount:skep:agent agent-1 u-1");
	assert_non_null(strstr(world.server.last_request.data, "\"audiences\":[]"));
	world_close(&world);
}

static void on_allowed(void *context, bool allowed, const char *failure)
{
	struct world *world = context;

	world->answers++;
	world->status = allowed;
	snprintf(world->reason, sizeof(world->reason), "%s", failure ?: "");
}

static void reviews_rights(void **state)
{
	static const struct {
		struct fake_step steps[2];
		bool allowed;
		const char *failure;
	} cases[] = {
		{{{"/subjectaccessreviews ", FAKE_WHOLE, 201, NULL,
		   "{\"status\":{\"allowed\":true}}"}},
		 true,
		 ""},
		{{{NULL, FAKE_WHOLE, 201, NULL, "{\"status\":{\"allowed\":false}}"}}, false, ""},
		{{{NULL, FAKE_WHOLE, 201, NULL, "{\"status\":{}}"}}, false, "does not say"},
		{{{NULL, FAKE_WHOLE, 403, NULL, "{\"status\":{\"allowed\":true}}"}},
		 false,
		 "status 403"},
	};
	cJSON *user = cJSON_Parse("{\"username\":\"ann\",\"uid\":\"1\",\"groups\":[\"g\"],"
				  "\"extra\":{\"k\":[\"v\"]}}");
	const struct kube_access_question question = {
		.user = user, .verb = "get", .group = "x", .resource = "y", .namespace = "n"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world;

		world_open(&world, cases[i].steps);
		assert_int_equal(
			kube_access_review(world.client, &question, on_allowed, &world, NULL), 0);
		wait_for_answers(&world, 1);
		assert_int_equal(world.status, cases[i].allowed);
		assert_non_null(strstr(world.reason, cases[i].failure));
		assert_int_equal(!*world.reason, !*cases[i].failure);
		assert_non_null(strstr(
			world.server.last_request.data,
			"\"spec\":{\"user\":\"ann\",\"uid\":\"1\",\"groups\":[\"g\"],\"extra\":{"
			"\"k\":[\"v\"]},\"resourceAttributes\":{\"verb\":\"get\",\"group\":\"x\","
			"\"resource\":\"y\",\"namespace\":\"n\"}}"));
		world_close(&world);
	}
	cJSON_Delete(user);
}

static void frees_a_review_that_is_cancelled(void **state)
{
	static const struct fake_step steps[] = {{0}};
	struct world world;

	(void)state;
	world_open(&world, steps);
	assert_int_equal(kube_token_review(world.client, "t", "a", on_owner, &world, NULL), 0);
	uv_run(&world.loop, UV_RUN_ONCE);
	world_close(&world);
	assert_int_equal(world.answers, 0);
}

static void wait_for_requests(struct world *world, size_t count)
{
	while (world->server.requests < count)
		uv_run(&world->loop, UV_RUN_ONCE);
}

static void sends_events(void **state)
{
	static const struct fake_step steps[] = {
		{"POST /api/v1/namespaces/shop/events ", FAKE_WHOLE, 201, NULL, "{}"},
		{"PATCH /api/v1/namespaces/shop/events/p.", FAKE_WHOLE, 404, NULL, "{}"},
		{"POST /api/v1/namespaces/shop/events ", FAKE_WHOLE, 201, NULL, "{}"},
		{"PATCH /api/v1/namespaces/shop/events/p.", FAKE_WHOLE, 200, NULL, "{}"},
		{0}};
	const struct kube_object_reference object = {"v1", "Pod", "shop", "p", "u"};
	struct world world;

	(void)state;
	world_open(&world, steps);
	for (int i = 0; i < 3; i++)
		kube_event_send(world.client, &object, false, "Ready", "it is", "skep-operator");
	wait_for_requests(&world, 1);
	assert_says(world.server.last_request.data, "\"type\":\"Normal\"");
	wait_for_requests(&world, 2); /* the other two, in one */
	assert_says(world.server.last_request.data, "{\"count\":3,\"lastTimestamp\":\"20");
	/* Somebody deleted it: it is written anew, with what nobody else tells any more. */
	wait_for_requests(&world, 3);
	assert_says(world.server.last_request.data, "\"message\":\"it is\"");
	assert_says(world.server.last_request.data, "\"involvedObject\":{\"apiVersion\":\"v1\"");
	assert_says(world.server.last_request.data, "\"count\":2");
	while (world.client->events.events[0].is_under_way)
		uv_run(&world.loop, UV_RUN_ONCE);
	kube_event_send(world.client, &object, false, "Ready", "it is", "skep-operator");
	wait_for_requests(&world, 4);
	assert_says(world.server.last_request.data, "{\"count\":3,\"lastTimestamp\":\"20");
	world_close(&world);
}

/* Where it cannot be written anew either, nobody goes on trying. */
static void gives_up_on_an_event(void **state)
{
	static const struct fake_step steps[] = {
		{"POST /api/v1/namespaces/shop/events ", FAKE_WHOLE, 201, NULL, "{}"},
		{"PATCH /api/v1/namespaces/shop/events/p.", FAKE_WHOLE, 404, NULL, "{}"},
		{"POST /api/v1/namespaces/shop/events ", FAKE_WHOLE, 404, NULL, "{}"},
		{0}};
	const struct kube_object_reference object = {"v1", "Pod", "shop", "p", "u"};
	struct world world;

	(void)state;
	world_open(&world, steps);
	for (int i = 0; i < 2; i++)
		kube_event_send(world.client, &object, true, "Failed", "no", "skep-operator");
	while (world.client->events.events[0].key)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(world.server.requests, 3);
	world_close(&world);
}

/* A server in a thread of its own: sends without end, as fast as it is read. */
struct torrent {
	pthread_t thread;
	int listener, port;
	size_t received;
	unsigned int turns;
};

static void *torrent_run(void *context)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
	static char data[64 << 10];
	struct torrent *torrent = context;
	int peer = accept(torrent->listener, NULL, NULL);

	(void)!read(peer, data, sizeof(data));
	memset(data, 'x', sizeof(data));
	if (send(peer, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0)
		while (send(peer, data, sizeof(data), MSG_NOSIGNAL) > 0)
			;
	close(peer);
	return NULL;
}

static void torrent_open(struct torrent *torrent)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	torrent->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(torrent->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(torrent->listener, 1), 0);
	assert_int_equal(getsockname(torrent->listener, (struct sockaddr *)&address, &size), 0);
	torrent->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&torrent->thread, NULL, torrent_run, torrent), 0);
}

static void on_torrent(void *context, const char *data, size_t length)
{
	(void)data;
	((struct torrent *)context)->received += length;
}

static void on_torrent_over(void *context, const struct kube_response *response)
{
	(void)context;
	fail_msg("%s", response->reason);
}

static void on_turn(uv_check_t *check)
{
	((struct torrent *)check->data)->turns++;
}

static void a_busy_stream_leaves_the_loop_to_others(void **state)
{
	struct torrent torrent = {0};
	const struct kube_transfer_request request = {.method = "GET",
						      .path = "/watch",
						      .is_endless = true,
						      .stream = on_torrent,
						      .done = on_torrent_over,
						      .context = &torrent};
	struct kube_config config = {0};
	struct kube_transfer *transfer;
	struct kube_client *client;
	char server[64];
	uv_check_t check;
	uv_loop_t loop;

	(void)state;
	torrent_open(&torrent);
	snprintf(server, sizeof(server), "http://127.0.0.1:%d", torrent.port);
	config.server = server;
	uv_loop_init(&loop);
	uv_check_init(&loop, &check);
	check.data = &torrent;
	uv_check_start(&check, on_turn);
	assert_int_equal(kube_client_new(&loop, &config, &client, NULL), 0);
	assert_int_equal(kube_transfer_start(client, &request, &transfer, NULL), 0);
	while (torrent.received < 32 << 20)
		uv_run(&loop, UV_RUN_ONCE);
	assert_in_range(torrent.turns, 40, UINT_MAX); /* twice 256 KiB in each, and a bit */
	kube_transfer_cancel(transfer);
	kube_client_free(client);
	uv_close((uv_handle_t *)&check, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(torrent.listener);
	pthread_join(torrent.thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_it_is_given),
		cmocka_unit_test(tells_refusals_in_the_servers_words),
		cmocka_unit_test(tells_that_no_answer_came),
		cmocka_unit_test(tells_that_nobody_listens),
		cmocka_unit_test(a_busy_stream_leaves_the_loop_to_others),
		cmocka_unit_test(cancels_all_when_freed),
		cmocka_unit_test(reviews_tokens),
		cmocka_unit_test(reviews_tokens_for_the_api_server),
		cmocka_unit_test(reviews_rights),
		cmocka_unit_test(frees_a_review_that_is_cancelled),
		cmocka_unit_test(sends_events),
		cmocka_unit_test(gives_up_on_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
