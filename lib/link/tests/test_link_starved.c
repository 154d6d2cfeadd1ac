// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Messages are written, queued, put together and read, or it is said that memory ran out. */

#include "lib/base/tests/starve.h"

#include "lib/base/tests/parse.h"

#include "lib/base/cleanup.h"
#include "lib/link/edges.h"
#include "lib/link/frames.h"
#include "lib/link/message.h"
#include "lib/link/peers.h"
#include "lib/link/queue.h"
#include "lib/link/report.h"
#include "lib/link/selection.h"

#define PIECE 40 /* bytes of a message that come at one time */

/* Sends a message (takes it, it may be NULL) and returns what arrives; NULL: no memory. */
static cJSON *travel(cJSON *message)
{
	struct link_queue queue = {.limit = 1 << 20};
	struct link_frames frames = {0};
	struct link_piece piece;
	cJSON *arrived = NULL;
	int result = message ? link_queue_push_json(&queue, message) : -1;

	while (result == 0 && link_queue_next(&queue, PIECE, &piece)) {
		result = link_frames_add(&frames, &piece, 1 << 20);
		link_queue_advance(&queue, piece.length);
	}
	if (result == 1)
		arrived = link_message_parse(frames.message.data, frames.message.length);
	link_queue_free(&queue);
	link_frames_reset(&frames);
	return arrived;
}

static bool say_hello(void *context)
{
	const struct hello hello = {1, "n1", "0.1", "6.18", {"e", 1}};
	cleanup_json cJSON *message = travel(hello_encode(&hello));
	struct hello heard;

	(void)context;
	return message && hello_decode(message, &heard, NULL) == 0;
}

static bool show_token(void *context)
{
	cleanup_json cJSON *message = travel(token_encode("t"));
	const char *token;

	(void)context;
	return message && token_decode(message, &token, NULL) == 0;
}

static bool send_selection(void *context)
{
	const struct selection_version version = {"e", 2};
	struct selected_pod *pod = NULL;
	struct selection_change change;
	cleanup_json cJSON *message = NULL;
	cJSON *upsert = cJSON_CreateArray(), *removed = cJSON_CreateArray();
	bool done = upsert && removed && selected_pod_decode(context, &pod, NULL) == 0;

	if (done) {
		cJSON *json = selected_pod_encode(pod);

		done = json && cJSON_AddItemToArray(upsert, json);
	}
	message = travel(delta_encode(&version, 1, upsert, removed));
	selected_pod_free(pod);
	return done && message && selection_change_decode(message, &change, NULL) == 0;
}

static bool send_report(void *context)
{
	struct report report = {0}, decoded = {0};
	cleanup_json cJSON *message = NULL;
	bool done;

	(void)context;
	report.epoch = strdup("e");
	done = report.epoch && report_add(&report, "u", PROBE_TCP, PROBE_FAILED, "R", "m") == 0 &&
	       report_add(&report, "v", PROBE_EXEC, PROBE_WAITING, "R", "m") == 0;
	if (done)
		message = travel(report_encode(&report));
	done = message && report_decode(message, &decoded, NULL) == 0;
	report_free(&report);
	report_free(&decoded);
	return done;
}

static bool ask_for_peers(void *context)
{
	const struct lookup lookup = {.address_count = 2, .forget_count = 1};
	cleanup_json cJSON *message = travel(lookup_encode(&lookup));
	struct lookup asked;

	(void)context;
	return message && lookup_decode(message, &asked, NULL) == 0;
}

static bool tell_peers(void *context)
{
	const struct peer peer = {
		.kind = PEER_POD, .namespace = "s", .name = "p", .uid = "u", "Deployment", "d"};
	cJSON *array = cJSON_CreateArray();
	bool done = array && peer_encode(array, &peer);
	cleanup_json cJSON *message = travel(peers_encode(array));

	(void)context;
	return done && message && peers_array(message);
}

static bool tell_edges(void *context)
{
	const struct reported_edge edge = {.protocol = "http",
					   .workload = {"shop", "Deployment", "web"},
					   .peer = {"", "External", "example.org"}};
	cJSON *edges = cJSON_CreateArray();
	bool done = edges && reported_edge_encode(edges, &edge, true);
	cleanup_json cJSON *message =
		travel(edges_report_encode(true, false, edges, cJSON_CreateArray()));
	struct edges_report report;

	(void)context;
	return done && message && edges_report_decode(message, &report, NULL) == 0;
}

static void survives_without_memory(void **state)
{
	cJSON *pod =
		json_of("{'uid': 'u', 'namespace': 's', 'name': 'n', 'workload': {'kind':"
			" 'Pod', 'name': 'n'}, 'containers': [{'name': 'c', 'id': 'i'}],"
			" 'probes': [{'type': 'TCP', 'containers': ['c'], 'policies': ['s/p']},"
			" {'type': 'HTTP', 'http': {'ports': [80], 'routes': ['/a']}}]}");

	(void)state;
	assert_true(starve(say_hello, NULL) > 20);
	assert_true(starve(show_token, NULL) > 10);
	assert_true(starve(send_selection, pod) > 50);
	assert_true(starve(send_report, NULL) > 50);
	assert_true(starve(ask_for_peers, NULL) > 20);
	assert_true(starve(tell_peers, NULL) > 20);
	assert_true(starve(tell_edges, NULL) > 30);
	cJSON_Delete(pod);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
