// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Agents of many nodes in one process: the real agent's conversation and desired state, and nothing
 * below them. What they are told counts as attached, but for pods whose names say otherwise. They
 * obey lines of standard input:
 *
 *   add NODE PORT   an agent starts, dials the operator on that port of loopback
 *   end NODE        it is gone, and what it was told with it
 *   dump            all that they hold, as one line of JSON on standard output
 *
 * agents FOLDER: the folder has ca.crt and a token-NODE for each node.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/base/table.h"
#include "lib/base/text.h"
#include "lib/net/context.h"
#include "node-agent/selection/conversation.h"
#include "node-agent/selection/desired.h"

#define SERVER_NAME	 "skep-operator.skep-system.svc"
#define NAME_SIZE	 64
#define CONNECTION_LIMIT 512

/* Names of pods that cannot be attached, or not yet. */
#define NAME_FAILS "-fails-"
#define NAME_WAITS "-waits-"

struct agent {
	char node[NAME_SIZE];
	struct conversation *conversation;
	struct desired desired;
	uint64_t snapshots, deltas, refused;
	UT_hash_handle hh;
};

static uv_loop_t loop;
static struct net_context *net;
static const char *folder;
static struct agent *agents; /* by node */

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "agents: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static struct selection_version on_version(void *context)
{
	const struct agent *agent = context;

	return desired_version(&agent->desired);
}

static int on_change(void *context, const struct selection_change *change, struct error *error)
{
	struct agent *agent = context;
	struct strings changed = {0}, complaints = {0};
	int result = desired_apply(&agent->desired, change, &changed, &complaints, error);

	agent->snapshots += change->snapshot && result == 0;
	agent->deltas += !change->snapshot && result == 0;
	agent->refused += result < 0;
	strings_free(&changed);
	strings_free(&complaints);
	desired_release_retired(&agent->desired);
	return result;
}

static int report_pod(const struct selected_pod *pod, struct report *report)
{
	bool fails = strstr(pod->name, NAME_FAILS);
	int result = 0;

	if (!fails && !strstr(pod->name, NAME_WAITS))
		return 0;
	for (int type = 0; type < PROBE_TYPES && result == 0; type++)
		if (pod->probes[type].wanted)
			result = report_add(report, pod->uid, (enum probe_type)type,
					    fails ? PROBE_FAILED : PROBE_WAITING,
					    fails ? "AttachFailed" : "PodNotStarted", "");
	return result;
}

static int on_report(void *context, struct report *report)
{
	const struct agent *agent = context;
	const struct desired_pod *entry, *next;
	int result = desired_report_unreadable(&agent->desired, report);

	HASH_ITER(hh, agent->desired.pods, entry, next) {
		if (result == 0)
			result = report_pod(entry->pod, report);
	}
	return result;
}

static void on_connected(void *context)
{
	(void)context; /* there is nothing to say but what the conversation says */
}

static bool on_lookup(void *context, struct lookup *ret_lookup)
{
	(void)context, (void)ret_lookup;
	return false;
}

static void on_peers(void *context, const cJSON *peers)
{
	(void)context, (void)peers; /* nothing was asked */
}

static void dial(struct agent *agent, int port)
{
	static const struct conversation_handlers handlers = {
		.version = on_version,
		.change = on_change,
		.report = on_report,
		.connected = on_connected,
		.lookup = on_lookup,
		.peers = on_peers,
	};
	char ca_file[512], token_file[512];
	const struct link_client_settings settings = {
		.host = "127.0.0.1",
		.port = port,
		.server_name = SERVER_NAME,
		.ca_file = ca_file,
		.token_file = token_file,
	};
	struct error error;

	snprintf(ca_file, sizeof(ca_file), "%s/ca.crt", folder);
	snprintf(token_file, sizeof(token_file), "%s/token-%s", folder, agent->node);
	if (conversation_new(net, &settings, agent->node, "chaos", &handlers, agent,
			     &agent->conversation, &error) < 0)
		fail(agent->node, error.message);
}

static void add(const char *node, int port)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		fail("add", "out of memory");
	snprintf(agent->node, sizeof(agent->node), "%s", node);
	HASH_ADD_STR(agents, node, agent);
	dial(agent, port);
}

static void end(struct agent *agent)
{
	HASH_DEL(agents, agent);
	conversation_free(agent->conversation);
	desired_free(&agent->desired);
	free(agent);
}

static void add_number(cJSON *object, const char *name, uint64_t number)
{
	cJSON_AddNumberToObject(object, name, (double)number);
}

static cJSON *describe(const struct agent *agent)
{
	cJSON *object = desired_encode(&agent->desired);

	if (!object)
		fail("dump", "out of memory");
	cJSON_AddBoolToObject(object, "connected", conversation_is_connected(agent->conversation));
	add_number(object, "losses", conversation_losses(agent->conversation));
	add_number(object, "snapshots", agent->snapshots);
	add_number(object, "deltas", agent->deltas);
	add_number(object, "refused", agent->refused);
	return object;
}

static void dump(void)
{
	cleanup_json cJSON *all = cJSON_CreateObject();
	struct agent *agent, *next;
	char *printed;

	HASH_ITER(hh, agents, agent, next)
		cJSON_AddItemToObject(all, agent->node, describe(agent));
	printed = cJSON_PrintUnformatted(all);
	if (!printed)
		fail("dump", "out of memory");
	puts(printed);
	fflush(stdout);
	free(printed);
}

static void obey(const char *line)
{
	struct agent *agent = NULL;
	char node[NAME_SIZE];
	int port;

	if (strcmp(line, "dump") == 0) {
		dump();
		return;
	}
	if (sscanf(line, "add %63s %d", node, &port) == 2) {
		add(node, port);
		return;
	}
	if (sscanf(line, "end %63s", node) == 1)
		HASH_FIND_STR(agents, node, agent);
	if (!agent)
		fail("no such order", line);
	end(agent);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
	static char room[65536];

	(void)handle, (void)suggested;
	*ret_buffer = uv_buf_init(room, sizeof(room));
}

/* Whoever gives the orders has ended: so do the agents. */
static void finish(uv_stream_t *input)
{
	struct agent *agent, *next;

	HASH_ITER(hh, agents, agent, next)
		end(agent);
	uv_close((uv_handle_t *)input, NULL);
	net = net_context_free(net);
}

static void on_input(uv_stream_t *input, ssize_t count, const uv_buf_t *buffer)
{
	static char line[256];
	static size_t length;

	if (count < 0) {
		finish(input);
		return;
	}
	for (ssize_t i = 0; i < count; i++) {
		if (buffer->base[i] != '\n' && length < sizeof(line) - 1) {
			line[length++] = buffer->base[i];
			continue;
		}
		line[length] = '\0';
		length = 0;
		obey(line);
	}
}

int main(int argc, char *argv[])
{
	uv_pipe_t input;
	struct error error;

	if (argc != 2)
		fail("usage", "agents FOLDER");
	folder = argv[1];
	log_set_level(LOG_LEVEL_WARN);
	uv_loop_init(&loop);
	if (net_context_new(&loop, CONNECTION_LIMIT, &net, &error) < 0)
		fail("start", error.message);
	uv_pipe_init(&loop, &input, 0);
	if (uv_pipe_open(&input, STDIN_FILENO) < 0)
		fail("start", "standard input is no pipe");
	uv_read_start((uv_stream_t *)&input, on_allocate, on_input);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return EXIT_SUCCESS;
}
