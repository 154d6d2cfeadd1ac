// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/table.h"

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/client.h"
#include "lib/link/message.h"
#include "lib/link/report.h"
#include "lib/net/context.h"

#define SERVER_NAME "skep-operator.skep-system.svc"

/*
 * Agents that share a context of libwebsockets, which goes through a list of all its connections
 * whenever one of them sets a timer.
 */
#define CONTEXT_AGENTS 250

#define UID_SIZE       37
#define DIALLING_LIMIT 48 /* of the 64 that the operator has room for before they are let in */
#define DIAL_MS	       5
#define TELL_MS	       1000 /* a real agent waits that long after a change */

/* One pod that an agent observes. */
struct observed {
	uint32_t pod;
	uint32_t incarnation;
	uint8_t setting; /* which of world_arguments() its Exec probe was told */
	bool marked;	 /* is in the snapshot that is read */
	char uid[UID_SIZE];
	UT_hash_handle hh;
};

struct agent {
	struct agents *agents;
	struct link_client *client;
	struct net_context *net;
	uint32_t node;
	bool queued;   /* to dial */
	bool dialling; /* and not connected yet */
	char epoch[32];
	uint64_t revision;
	bool answered;
	int64_t told; /* how many pods it said that it observes, on this connection; -1: nothing */
	struct observed *observed; /* by pod */
};

struct agents {
	const struct world *world;
	uv_loop_t *loop;
	uint32_t count;
	struct agents_totals totals;
	uv_timer_t dial;
	uv_timer_t tell;
	uint32_t dialling;
	int port;
	char folder[128];
	struct agent agents[];
};

static void say_hello(struct agent *agent)
{
	char name[WORLD_NAME_SIZE];
	const struct hello hello = {
		.node = name,
		.agent_version = "fleet",
		.kernel = "none",
		.applied = {.epoch = agent->epoch, .revision = agent->revision},
	};

	world_node_name(agent->node, name);
	link_client_send(agent->client, hello_encode(&hello));
}

static void say_report(struct agent *agent)
{
	const struct report report = {.epoch = agent->epoch, .revision = agent->revision};

	link_client_send(agent->client, report_encode(&report));
}

/* Says of the node what a real agent says, as far as the number of its pods is another one. */
static void tell_node(struct agent *agent)
{
	unsigned int pods = HASH_COUNT(agent->observed);
	cJSON *message;
	char text[1024];

	if (!agent->answered || agent->told == pods)
		return;
	agent->told = pods;
	snprintf(text, sizeof(text),
		 "{\"type\":\"node\",\"agent\":{\"version\":\"fleet\"},\"kernel\":{\"release\":\"6."
		 "18.0\","
		 "\"architecture\":\"x86_64\"},\"cgroup\":{\"mode\":\"V2\",\"path\":"
		 "\"/host/cgroup\"},\"capabilities\":{\"available\":[\"Bpf\",\"RingBuffer\","
		 "\"Tracefs\"],\"missing\":[]},\"pods\":{\"selected\":%u,\"attached\":%u,"
		 "\"waiting\":0,\"failed\":0,\"unsupported\":0},\"probes\":[{\"type\":\"TCP\","
		 "\"pods\":%u},{\"type\":\"Exec\",\"pods\":%u}],\"programs\":[{\"name\":\"tcp_"
		 "sent\","
		 "\"type\":\"cgroup_skb\",\"probe\":\"TCP\"}],\"kernelMemory\":{\"programs\":53248,"
		 "\"maps\":4194304},\"lost\":{\"rateLimited\":0,\"ringFull\":0,\"tableFull\":0,"
		 "\"decode\":0,\"export\":0}}",
		 pods, pods, pods, pods);
	message = cJSON_Parse(text);
	if (!message)
		abort();
	link_client_send(agent->client, message);
}

static void on_tell(uv_timer_t *timer)
{
	struct agents *agents = timer->data;

	for (uint32_t i = 0; i < agents->count; i++)
		tell_node(&agents->agents[i]);
}

static void set_answered(struct agent *agent, bool answered)
{
	agent->agents->totals.answered += (unsigned int)answered - (unsigned int)agent->answered;
	agent->answered = answered;
	if (!answered || !agent->dialling)
		return;
	agent->dialling = false;
	agent->agents->dialling--;
}

static void on_connected(void *context)
{
	struct agent *agent = context;

	agent->told = -1;
	say_hello(agent);
}

/* One that had its selection waits for its turn again; others try again by themselves. */
static void on_disconnected(void *context, const char *why)
{
	struct agent *agent = context;

	if (agent->answered && agent->agents->totals.disconnections++ == 0)
		fprintf(stderr, "fleet: agent %u lost its connection: %s\n", agent->node, why);
	agent->queued |= agent->answered;
	set_answered(agent, false);
}

/* Which of world_arguments() the Exec probe has; none of them where it has no such probe. */
static uint8_t read_setting(const cJSON *item)
{
	const char *word = "";
	const cJSON *probe;
	uint8_t setting = 0;

	cJSON_ArrayForEach(probe, json_find(item, "probes")) {
		if (strcmp(json_text(probe, "type"), "Exec") == 0)
			word = json_text(probe, "exec", "arguments");
	}
	while (setting < WORLD_SETTINGS && strcmp(world_arguments(setting), word) != 0)
		setting++;
	return setting;
}

static void forget(struct agent *agent, struct observed *observed)
{
	HASH_DEL(agent->observed, observed);
	free(observed);
	agent->agents->totals.pods--;
}

static struct observed *find(const struct agent *agent, uint32_t pod)
{
	struct observed *observed;

	HASH_FIND(hh, agent->observed, &pod, sizeof(pod), observed);
	return observed;
}

static void observe(struct agent *agent, const cJSON *item)
{
	struct observed *observed;
	uint32_t pod, incarnation;

	agent->agents->totals.upserts++;
	if (!world_read_pod_name(json_text(item, "name"), &pod, &incarnation))
		return;
	observed = find(agent, pod);
	if (!observed) {
		observed = calloc(1, sizeof(*observed));
		if (!observed)
			abort();
		observed->pod = pod;
		HASH_ADD(hh, agent->observed, pod, sizeof(pod), observed);
		if (!is_in_table(observed))
			abort();
		agent->agents->totals.pods++;
	}
	snprintf(observed->uid, sizeof(observed->uid), "%s", json_text(item, "uid"));
	observed->incarnation = incarnation;
	observed->setting = read_setting(item);
	observed->marked = true;
}

/* A pod that was replaced on its node may have come before its predecessor goes. */
static void let_go(struct agent *agent, const char *uid)
{
	struct observed *observed, *next;

	HASH_ITER(hh, agent->observed, observed, next) {
		if (strcmp(observed->uid, uid) == 0)
			forget(agent, observed);
	}
}

static void carry_out(struct agent *agent, const struct selection_change *change)
{
	struct observed *observed, *next;
	const cJSON *item;

	HASH_ITER(hh, agent->observed, observed, next)
		observed->marked = false;
	cJSON_ArrayForEach(item, change->remove)
		let_go(agent, json_text_of(item));
	cJSON_ArrayForEach(item, change->upsert)
		observe(agent, item);
	HASH_ITER(hh, agent->observed, observed, next) {
		if (change->snapshot && !observed->marked)
			forget(agent, observed);
	}
	snprintf(agent->epoch, sizeof(agent->epoch), "%s", change->version.epoch);
	agent->revision = change->version.revision;
}

static void on_message(void *context, const cJSON *message)
{
	struct agent *agent = context;
	struct agents_totals *totals = &agent->agents->totals;
	struct selection_change change;

	if (selection_change_decode(message, &change, NULL) < 0)
		return;
	if (!change.snapshot &&
	    (change.from != agent->revision || strcmp(change.version.epoch, agent->epoch) != 0)) {
		say_hello(agent);
		return;
	}
	totals->snapshots += change.snapshot;
	totals->deltas += !change.snapshot;
	carry_out(agent, &change);
	set_answered(agent, true);
	totals->last_ms = uv_now(agent->agents->loop);
	say_report(agent);
}

static void dial(struct agent *agent)
{
	static const struct link_client_handlers handlers = {
		.connected = on_connected, .message = on_message, .disconnected = on_disconnected};
	const struct agents *agents = agent->agents;
	char ca_file[256], token_file[256];
	const struct link_client_settings settings = {
		.host = "127.0.0.1",
		.port = agents->port,
		.server_name = SERVER_NAME,
		.ca_file = ca_file,
		.token_file = token_file,
	};
	struct error error;

	snprintf(ca_file, sizeof(ca_file), "%s/ca.crt", agents->folder);
	snprintf(token_file, sizeof(token_file), "%s/token-%u", agents->folder, agent->node);
	if (link_client_new(agent->net, &settings, &handlers, agent, &agent->client, &error) < 0) {
		fprintf(stderr, "fleet: agent %u: %s\n", agent->node, error.message);
		exit(EXIT_FAILURE);
	}
}

static void on_dial(uv_timer_t *timer)
{
	struct agents *agents = timer->data;

	for (uint32_t i = 0; i < agents->count; i++) {
		struct agent *agent = &agents->agents[i];

		if (!agent->queued)
			continue;
		agent->client = link_client_free(agent->client);
		if (agents->dialling == DIALLING_LIMIT)
			continue;
		agent->queued = false;
		agent->dialling = true;
		agents->dialling++;
		dial(agent);
	}
}

void agents_wake(struct agents *agents)
{
	for (uint32_t i = 0; i < agents->count; i++)
		agents->agents[i].queued = true;
	uv_timer_start(&agents->dial, on_dial, 0, DIAL_MS);
}

void agents_rest(struct agents *agents)
{
	uv_timer_stop(&agents->dial);
	agents->dialling = 0;
	for (uint32_t i = 0; i < agents->count; i++) {
		struct agent *agent = &agents->agents[i];

		agent->client = link_client_free(agent->client);
		agent->dialling = agent->queued = false;
		set_answered(agent, false);
	}
}

static struct net_context *open_context(uv_loop_t *loop)
{
	struct net_context *net;
	struct error error;

	if (net_context_new(loop, CONTEXT_AGENTS + 8, &net, &error) == 0)
		return net;
	fprintf(stderr, "fleet: %s\n", error.message);
	exit(EXIT_FAILURE);
}

struct agents *agents_new(uv_loop_t *loop, const struct world *world, const char *folder, int port)
{
	uint32_t count = world->sizes.counts[WORLD_NODES];
	struct agents *agents = calloc(1, sizeof(*agents) + count * sizeof(struct agent));

	if (!agents)
		abort();
	agents->world = world;
	agents->loop = loop;
	agents->count = count;
	agents->port = port;
	snprintf(agents->folder, sizeof(agents->folder), "%s", folder);
	uv_timer_init(loop, &agents->dial);
	agents->dial.data = agents;
	uv_timer_init(loop, &agents->tell);
	agents->tell.data = agents;
	uv_timer_start(&agents->tell, on_tell, TELL_MS, TELL_MS);
	for (uint32_t node = 0; node < count; node++) {
		struct agent *agent = &agents->agents[node];

		agent->agents = agents;
		agent->node = node;
		agent->net = node % CONTEXT_AGENTS ? agent[-1].net : open_context(loop);
	}
	return agents;
}

struct agents_totals agents_totals(const struct agents *agents)
{
	return agents->totals;
}

/* Whether the pod is observed as the world is now. */
static bool is_right(const struct agents *agents, uint32_t pod)
{
	const struct world *world = agents->world;
	uint32_t policy = world_policy_of(world, pod);
	const struct observed *observed = find(&agents->agents[world_node_of(world, pod)], pod);
	const struct world_object *object = &world->objects[WORLD_PODS][pod];
	bool wanted = policy < world->sizes.counts[WORLD_POLICIES] &&
		      world_has(world, WORLD_POLICIES, policy) && object->stage != STAGE_ABSENT &&
		      object->stage != STAGE_PENDING;

	if (!wanted || !observed)
		return !wanted && !observed;
	return observed->incarnation == object->incarnation &&
	       observed->setting ==
		       world->objects[WORLD_POLICIES][policy].incarnation % WORLD_SETTINGS;
}

uint64_t agents_wrong(const struct agents *agents)
{
	uint64_t wrong = 0;

	for (uint32_t pod = 0; pod < agents->world->sizes.counts[WORLD_PODS]; pod++)
		wrong += !is_right(agents, pod);
	return wrong;
}

uint32_t agents_lacking(const struct agents *agents, uint32_t policy)
{
	const struct world *world = agents->world;
	uint32_t nodes = world->sizes.counts[WORLD_NODES];
	uint32_t deployments = world->sizes.counts[WORLD_POLICIES] - 1;
	bool everywhere = policy == deployments;
	uint32_t first = everywhere ? nodes : 2 * nodes + policy;
	uint32_t end = everywhere ? 2 * nodes : world->sizes.counts[WORLD_PODS];
	uint32_t lacking = 0;

	for (uint32_t pod = first; pod < end; pod += everywhere ? 1 : deployments)
		lacking += !is_right(agents, pod);
	return lacking;
}
