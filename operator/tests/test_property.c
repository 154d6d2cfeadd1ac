// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Random sequences of what may happen to a small cluster (objects come, change and go; agents
 * connect, report and vanish) go through the controller's own handlers. After every step, what the
 * operator arrived at piece by piece is compared with what a fresh start computes from the objects
 * as they are: selections, statuses, whose addresses are; and each policy whose numbers have
 * changed must have been touched.
 *
 * Without arguments: a few seeds that do not change. `test_property SEED [SEEDS [STEPS]]` runs
 * others, and longer.
 */

#include "operator/tests/fixture.h"

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/event.h"
#include "lib/link/message.h"
#include "operator/aggregate.h"
#include "operator/compile.h"
#include "operator/controller_internal.h"

#define SEEDS	   16
#define STEPS	   250
#define OBJECTS	   256
#define NODES	   4
#define NAMESPACES 3
#define ADDRESSES  6
#define POLICIES   32
#define SEEN_PODS  64
#define TEXT_SIZE  4096

static uint64_t first_seed = 1, seeds = SEEDS, steps = STEPS;
static const char *last_step = ""; /* for messages */

/* An object as the API server has it. */
struct object {
	enum watch kind;
	const char *namespace; /* of the JSON */
	const char *name;
	const char *uid;
	cJSON *json;
};

/* A pod as an agent was told of it, and as it has said to have carried it out. */
struct seen {
	char uid[64];
	char *applied;
	char *reported; /* NULL: not yet */
};

struct model_agent {
	bool connected;
	bool reported; /* on this connection */
	uint64_t revision;
	struct seen pods[SEEN_PODS];
	size_t count;
};

struct world {
	uint64_t random;
	uint64_t now_ms;
	unsigned int serial; /* of UIDs and generations */
	uv_loop_t loop;
	struct controller *controller;
	struct object objects[OBJECTS];
	size_t count;
	struct model_agent agents[NODES];
};

/* A writer of statuses that only keeps which policies were touched stands for the real one. */

struct status_writer {
	char touched[POLICIES][64];
	size_t count;
};

static struct status_writer writer;

void status_writer_learn(struct status_writer *self, const char *policy_id, const cJSON *status)
{
	(void)self, (void)policy_id, (void)status;
}

void status_writer_touch(struct status_writer *self, const char *policy_id)
{
	for (size_t i = 0; i < self->count; i++)
		if (strcmp(self->touched[i], policy_id) == 0)
			return;
	assert_true(self->count < POLICIES);
	snprintf(self->touched[self->count++], sizeof(self->touched[0]), "%s", policy_id);
}

void status_writer_tick(struct status_writer *self)
{
	(void)self;
}

void status_writer_forget(struct status_writer *self, const char *policy_id)
{
	(void)self, (void)policy_id;
}

struct status_writer_stats status_writer_stats(const struct status_writer *self)
{
	(void)self;
	return (struct status_writer_stats){0};
}

int status_writer_new(struct kube_client *client, uv_loop_t *loop, const struct cluster *cluster,
		      const struct fleet *fleet, status_writer_guard may_write, void *context,
		      struct status_writer **ret_writer, struct error *error)
{
	(void)client, (void)loop, (void)cluster, (void)fleet, (void)may_write, (void)context;
	(void)error;
	*ret_writer = &writer;
	return 0;
}

struct status_writer *status_writer_free(struct status_writer *self)
{
	(void)self;
	return NULL;
}

void status_writer_rest(struct status_writer *self)
{
	(void)self;
}

void status_writer_wake(struct status_writer *self, uint64_t settled_ms)
{
	(void)self, (void)settled_ms;
}

/* An election that has one candidate, who leads when the test says so. */

struct leader {
	struct leader_handlers handlers;
	void *context;
};

int leader_new(struct kube_client *client, uv_loop_t *loop, const struct leader_settings *settings,
	       const struct leader_handlers *handlers, void *context, struct leader **ret_leader,
	       struct error *error)
{
	struct leader *leader = calloc(1, sizeof(*leader));

	(void)client, (void)loop, (void)settings, (void)error;
	assert_non_null(leader);
	*leader = (struct leader){.handlers = *handlers, .context = context};
	*ret_leader = leader;
	return 0;
}

bool leader_is_leading(const struct leader *leader)
{
	return leader;
}

void leader_name(const struct leader *leader, char *name, size_t size)
{
	(void)leader;
	snprintf(name, size, "none");
}

void leader_publish(struct leader *leader)
{
	(void)leader;
}

void leader_resign(struct leader *leader, void (*done)(void *context), void *context)
{
	(void)leader;
	done(context);
}

struct leader *leader_free(struct leader *leader)
{
	free(leader);
	return NULL;
}

static bool was_touched(const char *policy_id)
{
	for (size_t i = 0; i < writer.count; i++)
		if (strcmp(writer.touched[i], policy_id) == 0)
			return true;
	return false;
}

/* Chance (Steele, Lea, Flood: splitmix64). */

static uint32_t chance(struct world *world, uint32_t below)
{
	uint64_t z = world->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)((z ^ z >> 31) % below);
}

#define pick(world, array) ((array)[chance(world, sizeof(array) / sizeof((array)[0]))])

static const char *const namespaces[NAMESPACES] = {"shop", "mill", "kube-system"};

/* A controller that was never connected to anything. */

static struct controller *controller_bare(struct world *world)
{
	struct controller *controller = calloc(1, sizeof(*controller));

	assert_non_null(controller);
	controller->loop = &world->loop;
	uv_timer_init(controller->loop, &controller->compile_timer);
	controller->compile_timer.data = controller;
	controller->status_writer = &writer;
	return controller;
}

static void controller_end(struct controller *controller)
{
	addresses_clear(&controller->addresses);
	cluster_clear(&controller->cluster);
	fleet_clear(&controller->fleet);
	leader_free(controller->leader);
	uv_close((uv_handle_t *)&controller->compile_timer, NULL);
	uv_run(controller->loop, UV_RUN_NOWAIT);
	free(controller);
}

/* Of quotas that cannot be read. */
static unsigned int events_sent;

void kube_event_send(struct kube_client *client, const struct kube_object_reference *object,
		     bool warning, const char *reason, const char *message, const char *component)
{
	(void)client;
	(void)warning;
	(void)message;
	(void)component;
	assert_string_equal(object->kind, "ProbeQuota");
	assert_string_equal(reason, "InvalidSpec");
	events_sent++;
}

static unsigned int count_unreadable(const struct controller *controller)
{
	const struct quota *quota = controller->cluster.quotas;
	unsigned int count = 0;

	for (; quota; quota = quota->hh.next)
		count += *quota->trouble.message != '\0';
	return count;
}

/* Who stands by tells nobody of anything. */
static void begin_to_lead(struct controller *controller, unsigned int sent_before)
{
	assert_int_equal(events_sent, sent_before);
	for (int i = 0; i < WATCHES; i++)
		controller_watches[i].handlers.synced(controller);
	controller->leader->handlers.lead(controller->leader->context);
	assert_int_equal(events_sent, sent_before + count_unreadable(controller));
	assert_true(controller->compiling);
}

static void compile_all(struct controller *controller)
{
	while (controller->compiling)
		uv_run(controller->loop, UV_RUN_ONCE);
}

/* Objects. */

static struct object *object_find(struct world *world, enum watch kind, const char *namespace,
				  const char *name)
{
	for (size_t i = 0; i < world->count; i++)
		if (world->objects[i].kind == kind &&
		    strcmp(world->objects[i].namespace, namespace) == 0 &&
		    strcmp(world->objects[i].name, name) == 0)
			return &world->objects[i];
	return NULL;
}

static struct object *object_any(struct world *world, enum watch kind)
{
	size_t start = world->count ? chance(world, (uint32_t)world->count) : 0;

	for (size_t i = 0; i < world->count; i++) {
		struct object *object = &world->objects[(start + i) % world->count];

		if (object->kind == kind)
			return object;
	}
	return NULL;
}

static void object_remove(struct world *world, struct object *object)
{
	struct object old = *object;

	*object = world->objects[--world->count];
	controller_watches[old.kind].handlers.remove(world->controller, old.namespace, old.name,
						     old.uid);
	cJSON_Delete(old.json);
}

/* Makes the object known; takes `json`. As an informer, tells of the end of one of its name. */
static void object_put(struct world *world, enum watch kind, cJSON *json)
{
	struct object object = {
		.kind = kind,
		.namespace = json_text(json, "metadata", "namespace"),
		.name = json_text(json, "metadata", "name"),
		.uid = json_text(json, "metadata", "uid"),
		.json = json,
	};
	struct object *old = object_find(world, kind, object.namespace, object.name);

	if (old && strcmp(old->uid, object.uid) != 0) {
		object_remove(world, old);
		old = NULL;
	}
	controller_watches[kind].handlers.upsert(world->controller, json);
	if (!old) {
		assert_true(world->count < OBJECTS);
		old = &world->objects[world->count++];
	} else {
		cJSON_Delete(old->json);
	}
	*old = object;
}

/* What is said of the objects. */

static const char *random_labels(struct world *world)
{
	static const char *const labels[] = {"{}", "{'app': 'a'}", "{'app': 'b'}",
					     "{'app': 'a', 'tier': 'x'}",
					     "{'app': 'b', 'tier': 'x'}"};

	return pick(world, labels);
}

static const char *random_spec(struct world *world, char spec[TEXT_SIZE])
{
	static const char *const selectors[] = {
		"{}", "{'matchLabels': {'app': 'a'}}", "{'matchLabels': {'app': 'b'}}",
		"{'matchExpressions': [{'key': 'tier', 'operator': 'Exists'}]}",
		"{'matchExpressions': [{'key': 'app', 'operator': 'Never'}]}" /* refused */};
	static const char *const nodes[] = {"", "", ", 'nodeSelector': {'pool': 'x'}"};
	static const char *const containers[] = {"", "", ", 'containers': ['server']",
						 ", 'containers': ['proxy', 'none']"};
	static const char *const probes[] = {
		"{'type': 'TCP'}", "{'type': 'DNS'}", "{'type': 'TCP'}, {'type': 'Exec'}",
		"{'type': 'Exec', 'exec': {'arguments': 'Raw'}}",
		"{'type': 'HTTP'}, {'type': 'DNS', 'dns': {'slowThreshold': '5ms'}}"};
	static const char *const rest[] = {"",
					   "",
					   "",
					   "",
					   ", 'suspend': true",
					   ", 'mode': 'Preview'",
					   ", 'budget': {'eventsPerSecond': 20}"};

	snprintf(spec, TEXT_SIZE, "{'selector': %s%s%s, 'probes': [%s]%s", pick(world, selectors),
		 pick(world, nodes), pick(world, containers), pick(world, probes),
		 pick(world, rest));
	return spec;
}

static void put_policy(struct world *world)
{
	const char *namespace = pick(world, namespaces);
	char name[8], uid[64], spec[TEXT_SIZE];
	const struct object *old;

	snprintf(name, sizeof(name), "p%u", chance(world, 3));
	old = object_find(world, WATCH_POLICIES, namespace, name);
	world->serial++;
	if (old && chance(world, 5))
		snprintf(uid, sizeof(uid), "%s", old->uid);
	else
		snprintf(uid, sizeof(uid), "policy%u", world->serial);
	object_put(world, WATCH_POLICIES,
		   json_format("{'metadata': {'namespace': '%s', 'name': '%s', 'uid': '%s',"
			       " 'generation': %u}, 'spec': %s}}",
			       namespace, name, uid, world->serial, random_spec(world, spec)));
}

static void put_cluster_policy(struct world *world)
{
	static const char *const reaches[] = {
		"", ", 'namespaceSelector': {}",
		", 'namespaceSelector': {'matchLabels': {'env': 'x'}}"};
	char spec[TEXT_SIZE];

	object_put(world, WATCH_CLUSTER_POLICIES,
		   json_format("{'metadata': {'name': 'c%u', 'uid': 'cluster', 'generation': %u},"
			       " 'spec': %s%s}}",
			       chance(world, 2), ++world->serial, random_spec(world, spec),
			       pick(world, reaches)));
}

/* The same policy with a status: nothing that counts has changed. */
static void renew_policy(struct world *world)
{
	const struct object *old = object_any(world, WATCH_POLICIES);
	cJSON *json;

	if (!old)
		return;
	json = cJSON_Duplicate(old->json, true);
	cJSON_DeleteItemFromObject(json, "status");
	cJSON_AddItemToObject(json, "status", json_of("{'observedGeneration': 1}"));
	object_put(world, WATCH_POLICIES, json);
}

static void put_quota(struct world *world)
{
	static const char *const specs[] = {
		"{}",
		"{'policiesPerNamespace': 1}",
		"{'allowedProbes': ['TCP', 'DNS']}",
		"{'text': 'None'}",
		"{'eventsPerSecond': 5}",
		"{'namespaceSelector': {'matchExpressions': [{'key': 'env', 'operator': '?'}]}}",
		"{'eventsPerSecond': 50, 'seriesPerPolicy': 70}",
		"{'namespaceSelector': {'matchLabels': {'env': 'x'}}, 'policiesPerNamespace': 2}"};

	object_put(world, WATCH_QUOTAS,
		   json_format("{'metadata': {'name': 'q%u', 'uid': 'quota', 'generation': %u},"
			       " 'spec': %s}",
			       chance(world, 2), ++world->serial, pick(world, specs)));
}

static void put_namespace(struct world *world)
{
	static const char *const labels[] = {"{}", "{'env': 'x'}"};

	object_put(world, WATCH_NAMESPACES,
		   json_format("{'metadata': {'name': '%s', 'uid': 'namespace', 'labels': %s}}",
			       pick(world, namespaces), pick(world, labels)));
}

static void put_node(struct world *world)
{
	static const char *const labels[] = {"{}", "{'pool': 'x'}", "{'pool': 'y'}"};

	object_put(world, WATCH_NODES,
		   json_format("{'metadata': {'name': 'n%u', 'uid': 'node', 'labels': %s},"
			       " 'status': {'addresses': [{'type': 'InternalIP', 'address':"
			       " '10.0.0.%u'}]}}",
			       chance(world, NODES), pick(world, labels),
			       chance(world, ADDRESSES)));
}

static void put_service(struct world *world)
{
	object_put(world, WATCH_SERVICES,
		   json_format("{'metadata': {'namespace': '%s', 'name': 's%u', 'uid': 'service',"
			       " 'creationTimestamp': '2026-11-21T05:00:0%uZ'}, 'spec': {"
			       "'clusterIP': '10.0.0.%u'}}",
			       pick(world, namespaces), chance(world, 2), chance(world, 10),
			       chance(world, ADDRESSES)));
}

/* A static pod's UID, which a mirror pod tells; some pods are mirrors, and some change their mind.
 */
static const char *random_annotations(struct world *world, const char *name, char text[TEXT_SIZE])
{
	if (chance(world, 3))
		return "{}";
	snprintf(text, TEXT_SIZE,
		 "{'kubernetes.io/config.mirror': 'x', 'kubernetes.io/config.hash':"
		 " '%c%c00000000000000000000000000%04u'}",
		 name[0], name[1], chance(world, 2));
	return text;
}

static const char *random_status(struct world *world, char text[TEXT_SIZE])
{
	static const char *const phases[] = {"Pending", "Running", "Running", "Running",
					     "Succeeded"};
	static const char *const containers[] = {"[]",
						 "[{'name': 'server', 'containerID': 'cri://s'}]",
						 "[{'name': 'server', 'containerID': 'cri://s'},"
						 " {'name': 'proxy', 'containerID': 'cri://p'}]"};

	snprintf(text, TEXT_SIZE,
		 "{'phase': '%s', 'containerStatuses': %s, 'podIP': '10.0.0.%u',"
		 " 'startTime': '2026-11-21T05:00:0%uZ'}",
		 pick(world, phases), pick(world, containers), chance(world, ADDRESSES),
		 chance(world, 10));
	return text;
}

/* A pod comes, is scheduled, changes, or is replaced by another one of its name. */
static void put_pod(struct world *world)
{
	static const char *const containers[] = {"[{'name': 'server'}]",
						 "[{'name': 'server'}, {'name': 'proxy'}]"};
	const char *namespace = pick(world, namespaces);
	char name[8], node[8] = "", annotations[TEXT_SIZE], status[TEXT_SIZE], uid[64];
	const struct object *old;

	snprintf(name, sizeof(name), "%c%u", 'a' + (int)chance(world, 6), chance(world, 2));
	old = object_find(world, WATCH_PODS, namespace, name);
	if (old && chance(world, 4)) {
		snprintf(uid, sizeof(uid), "%s", old->uid);
		snprintf(node, sizeof(node), "%s", json_text(old->json, "spec", "nodeName"));
	} else {
		snprintf(uid, sizeof(uid), "pod%u", ++world->serial);
	}
	if (!*node && chance(world, 4)) /* once bound, a pod stays where it is */
		snprintf(node, sizeof(node), "n%u", chance(world, NODES));
	object_put(world, WATCH_PODS,
		   json_format("{'metadata': {'namespace': '%s', 'name': '%s', 'uid': '%s',"
			       " 'labels': %s, 'annotations': %s}, 'spec': {'nodeName': '%s',"
			       " 'containers': %s, 'hostNetwork': %s}, 'status': %s}",
			       namespace, name, uid, random_labels(world),
			       random_annotations(world, name, annotations), node,
			       pick(world, containers), chance(world, 8) ? "false" : "true",
			       random_status(world, status)));
}

/* A namespace goes when all that was in it has gone. */
static bool is_inhabited(const struct world *world, const struct object *object)
{
	for (size_t i = 0; i < world->count; i++)
		if (object->kind == WATCH_NAMESPACES &&
		    strcmp(world->objects[i].namespace, object->name) == 0)
			return true;
	return false;
}

static void remove_any(struct world *world)
{
	static const enum watch kinds[] = {
		WATCH_PODS,  WATCH_PODS,   WATCH_PODS,	     WATCH_POLICIES,	    WATCH_SERVICES,
		WATCH_NODES, WATCH_QUOTAS, WATCH_NAMESPACES, WATCH_CLUSTER_POLICIES};
	struct object *object = object_any(world, pick(world, kinds));

	if (object && !is_inhabited(world, object))
		object_remove(world, object);
}

/* Agents. */

static struct fleet_node *fleet_node_of(struct world *world, unsigned int number)
{
	char name[8];

	snprintf(name, sizeof(name), "n%u", number);
	return fleet_find_node(&world->controller->fleet, name);
}

static void seen_free(struct seen *seen)
{
	free(seen->applied);
	free(seen->reported);
	*seen = (struct seen){0};
}

static struct seen *seen_find(struct model_agent *agent, const char *uid)
{
	for (size_t i = 0; i < agent->count; i++)
		if (strcmp(agent->pods[i].uid, uid) == 0)
			return &agent->pods[i];
	return NULL;
}

static void seen_remove(struct model_agent *agent, const char *uid)
{
	struct seen *seen = seen_find(agent, uid);

	if (!seen)
		return;
	seen_free(seen);
	*seen = agent->pods[--agent->count];
	agent->pods[agent->count] = (struct seen){0};
}

static void seen_put(struct model_agent *agent, const cJSON *item)
{
	const char *uid = json_text(item, "uid");
	struct seen *seen = seen_find(agent, uid);

	if (!seen) {
		assert_true(agent->count < SEEN_PODS);
		seen = &agent->pods[agent->count++];
		snprintf(seen->uid, sizeof(seen->uid), "%s", uid);
	}
	free(seen->applied);
	seen->applied = cJSON_PrintUnformatted(item);
}

static void agent_forget(struct model_agent *agent)
{
	while (agent->count)
		seen_free(&agent->pods[--agent->count]);
}

/* The agent carries a message out; takes it. */
static void agent_receive(struct model_agent *agent, cJSON *message)
{
	struct selection_change change;
	const cJSON *item;

	assert_int_equal(selection_change_decode(message, &change, NULL), 0);
	if (change.snapshot)
		agent_forget(agent);
	else
		assert_int_equal(change.from, agent->revision);
	cJSON_ArrayForEach(item, change.remove)
		seen_remove(agent, json_text_of(item));
	cJSON_ArrayForEach(item, change.upsert)
		seen_put(agent, item);
	agent->revision = change.version.revision;
	cJSON_Delete(message);
}

static void agent_connect(struct world *world, unsigned int number)
{
	struct model_agent *agent = &world->agents[number];
	struct fleet_node *node;
	char name[8];

	snprintf(name, sizeof(name), "n%u", number);
	node = fleet_ensure_node(&world->controller->fleet, name, world->now_ms);
	fleet_node_connect(node, true, world->now_ms);
	agent->connected = true;
	agent->reported = false;
	agent_receive(agent, fleet_node_snapshot(&world->controller->fleet, node));
	controller_touch_news(world->controller, node);
}

static void agent_leave(struct world *world, unsigned int number)
{
	struct fleet_node *node = fleet_node_of(world, number);

	if (!world->agents[number].connected)
		return;
	fleet_node_connect(node, false, world->now_ms);
	world->agents[number].connected = false;
	controller_touch_news(world->controller, node);
}

static void push(struct world *world, unsigned int number)
{
	struct fleet_node *node = fleet_node_of(world, number);

	if (node && world->agents[number].connected && node->changed)
		agent_receive(&world->agents[number],
			      fleet_node_delta(&world->controller->fleet, node));
}

static void agent_report(struct world *world, unsigned int number)
{
	struct model_agent *agent = &world->agents[number];
	struct fleet_node *node = fleet_node_of(world, number);
	struct report report = {.epoch = strdup(world->controller->fleet.epoch),
				.revision = agent->revision};

	if (!agent->connected) {
		report_free(&report);
		return;
	}
	for (size_t i = 0; i < agent->count; i++) {
		free(agent->pods[i].reported);
		agent->pods[i].reported = strdup(agent->pods[i].applied);
		if (chance(world, 6) == 0)
			report_add(&report, agent->pods[i].uid,
				   (enum probe_type)chance(world, PROBE_TYPES),
				   (enum probe_state)(PROBE_WAITING + chance(world, 3)), "Reason",
				   "message");
	}
	agent->reported = true;
	fleet_node_take_report(&world->controller->fleet, node, &report);
	controller_touch_news(world->controller, node);
}

/* What must hold. */

/* The cluster as a fresh start reads it, in another order. */
static struct controller *recompute(struct world *world)
{
	struct controller *fresh = controller_bare(world);
	size_t start = world->count ? chance(world, (uint32_t)world->count) : 0;
	unsigned int sent = events_sent;

	for (size_t i = 0; i < world->count; i++) {
		const struct object *object = &world->objects[(start + i) % world->count];

		controller_watches[object->kind].handlers.upsert(fresh, object->json);
	}
	begin_to_lead(fresh, sent);
	compile_all(fresh);
	return fresh;
}

/* What is to be done on a pod, as the message would say it; NULL for nothing. */
static char *compile_text(const struct controller *fresh, const struct pod *pod)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&fresh->cluster, pod->namespace);
	const struct policy_lists policies = {
		.of_namespace = namespace->policies,
		.of_cluster = fresh->cluster.cluster_policies,
	};
	const struct cluster_node *node = cluster_find_node(&fresh->cluster, pod->node);
	struct selected_pod *selected = NULL;
	cJSON *json;
	char *text;

	/* Before a namespace is known, nobody knows which quotas bind it. */
	if (!node || !namespace->exists)
		return NULL;
	assert_int_equal(compile_pod(&policies, pod, &node->labels, &selected), 0);
	if (!selected)
		return NULL;
	json = selected_pod_encode(selected);
	text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	selected_pod_free(selected);
	return text;
}

/* An agent that was told everything does exactly what is wanted. */
static void check_selection(struct world *world, const struct controller *fresh,
			    unsigned int number)
{
	struct model_agent *agent = &world->agents[number];
	const struct fleet_node *node = fleet_node_of(world, number);
	size_t wanted = 0;

	if (!agent->connected || node->changed)
		return;
	for (size_t i = 0; i < fresh->cluster.pods.capacity; i++) {
		const struct pod *pod = fresh->cluster.pods.slots[i];
		cleanup_free char *text = NULL;
		const struct seen *seen;

		if (!pod || strcmp(pod->node, node->name) != 0)
			continue;
		text = compile_text(fresh, pod);
		seen = seen_find(agent, pod_cgroup_uid(pod));
		if (!text)
			continue;
		wanted++;
		if (!seen || strcmp(seen->applied, text) != 0)
			fail_msg("%s: %s does\n%s\nand is to do\n%s", last_step, node->name,
				 seen ? seen->applied : "nothing", text);
	}
	if (agent->count != wanted)
		fail_msg("%s: %s does something on %zu pods, and is to on %zu", last_step,
			 node->name, agent->count, wanted);
}

static void check_addresses(const struct controller *controller, const struct controller *fresh)
{
	for (int i = 0; i < ADDRESSES; i++) {
		char text[32];
		struct ip_address address;
		struct peer peer, wanted;

		snprintf(text, sizeof(text), "10.0.0.%d", i);
		address = address_of(text);
		peer = addresses_find(&controller->addresses, &address);
		wanted = addresses_find(&fresh->addresses, &address);
		assert_int_equal(peer.kind, wanted.kind);
		assert_string_equal(peer.namespace, wanted.namespace);
		assert_string_equal(peer.name, wanted.name);
		assert_string_equal(peer.uid, wanted.uid);
	}
}

static void check_counts(const struct aggregate *is, const struct aggregate *wanted)
{
	assert_memory_equal(&is->pods, &wanted->pods, sizeof(is->pods));
	assert_memory_equal(&is->nodes, &wanted->nodes, sizeof(is->nodes));
	assert_memory_equal(is->probes, wanted->probes, sizeof(is->probes));
	assert_int_equal(is->failure_total, wanted->failure_total);
	assert_int_equal(is->failure_count, wanted->failure_count);
	for (unsigned int i = 0; i < is->failure_count; i++) {
		assert_string_equal(is->failures[i].node, wanted->failures[i].node);
		assert_string_equal(is->failures[i].pod, wanted->failures[i].pod);
		assert_int_equal(is->failures[i].probe, wanted->failures[i].probe);
		assert_string_equal(is->failures[i].reason, wanted->failures[i].reason);
	}
}

/* Counts pods and nodes of a policy node by node, the long way. */
static void check_long_way(const struct aggregate *is, const struct policy *policy,
			   const struct cluster *cluster)
{
	unsigned int pods = 0, nodes = 0, skipped = 0;

	for (const struct cluster_node *node = cluster->nodes; node; node = node->hh.next) {
		bool taken = policy_selects_node(policy, &node->labels);
		unsigned int matched = 0;

		for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
			matched += policy_matches_pod(policy, pod);
		pods += taken ? matched : 0;
		nodes += taken && matched;
		skipped += !taken && matched;
	}
	assert_int_equal(is->pods.matched, pods);
	assert_int_equal(is->nodes.matched, nodes);
	assert_int_equal(is->nodes.skipped, skipped);
}

static void check_statuses(const struct world *world, const struct controller *fresh)
{
	const struct policy *wanted = fresh->cluster.policies;

	assert_int_equal(HASH_COUNT(world->controller->cluster.policies),
			 HASH_COUNT(fresh->cluster.policies));
	for (; wanted; wanted = wanted->hh.next) {
		const struct policy *policy =
			cluster_find_policy(&world->controller->cluster, wanted->id);
		const struct fleet *fleet = &world->controller->fleet;
		struct aggregate is, should;

		assert_non_null(policy);
		is = aggregate_policy(policy, &world->controller->cluster, fleet, world->now_ms);
		should = aggregate_policy(wanted, &fresh->cluster, fleet, world->now_ms);
		check_counts(&is, &should);
		check_long_way(&is, wanted, &fresh->cluster);
	}
}

/* The entry of a probe in a pod's message, as text; NULL where it is not asked for. */
static char *probe_text(const char *pod, enum probe_type type)
{
	cleanup_json cJSON *json = pod ? cJSON_Parse(pod) : NULL;
	const cJSON *probe;

	cJSON_ArrayForEach(probe, json_find(json, "probes")) {
		if (strcmp(json_text(probe, "type"), probe_type_name(type)) == 0)
			return cJSON_PrintUnformatted(probe);
	}
	return NULL;
}

/*
 * A probe counts as attached only in the form that the agent has said to have carried out, and as
 * pending only while there is something that it has not answered.
 */
static void check_standing(struct world *world, unsigned int number, const struct seen *seen,
			   enum probe_type type)
{
	const struct model_agent *agent = &world->agents[number];
	const struct fleet_node *node = fleet_node_of(world, number);
	cleanup_free char *is = probe_text(seen->applied, type);
	cleanup_free char *reported = probe_text(seen->reported, type);
	struct standing standing;

	if (!is || node->changed)
		return;
	standing = fleet_node_standing(node, seen->uid, type, world->now_ms);
	if (standing.standing == STANDING_ATTACHED)
		assert_true(reported && strcmp(is, reported) == 0);
	if (standing.standing == STANDING_PENDING)
		assert_false(agent->reported && node->report.revision == node->revision);
}

static void check_standings(struct world *world, unsigned int number)
{
	const struct model_agent *agent = &world->agents[number];

	for (size_t i = 0; agent->connected && i < agent->count; i++)
		for (int type = 0; type < PROBE_TYPES; type++)
			check_standing(world, number, &agent->pods[i], (enum probe_type)type);
}

/* The numbers of each policy before a step, to see which of them it has changed. */
struct before {
	char ids[POLICIES][64];
	struct aggregate aggregates[POLICIES];
	size_t count;
};

static void remember(const struct world *world, struct before *before)
{
	const struct policy *policy = world->controller->cluster.policies;

	before->count = 0;
	for (; policy; policy = policy->hh.next) {
		snprintf(before->ids[before->count], sizeof(before->ids[0]), "%s", policy->id);
		before->aggregates[before->count++] =
			aggregate_policy(policy, &world->controller->cluster,
					 &world->controller->fleet, world->now_ms);
	}
	writer.count = 0;
}

/* Nothing is said of a policy before it is known which quotas bind its namespace. */
static bool is_judged(const struct world *world, const struct policy *policy)
{
	const struct cluster_namespace *namespace;

	if (policy->scope == POLICY_CLUSTER)
		return true;
	namespace = cluster_find_namespace(&world->controller->cluster, policy->namespace);
	return namespace->exists;
}

static bool counts_differ(const struct aggregate *a, const struct aggregate *b)
{
	return memcmp(&a->pods, &b->pods, sizeof(a->pods)) != 0 ||
	       memcmp(&a->nodes, &b->nodes, sizeof(a->nodes)) != 0 ||
	       memcmp(a->probes, b->probes, sizeof(a->probes)) != 0 ||
	       a->failure_total != b->failure_total;
}

static bool matches_differ(const struct aggregate *a, const struct aggregate *b)
{
	return a->pods.matched != b->pods.matched || a->nodes.matched != b->nodes.matched ||
	       a->nodes.skipped != b->nodes.skipped;
}

/*
 * After a change of an object, another policy's probes may be pending until the agent answers,
 * whose report touches it: only what it matches counts then.
 */
static void check_touched(const struct world *world, const struct before *before,
			  bool (*differ)(const struct aggregate *, const struct aggregate *))
{
	for (size_t i = 0; i < before->count; i++) {
		const struct policy *policy =
			cluster_find_policy(&world->controller->cluster, before->ids[i]);
		struct aggregate now;

		if (!policy || !is_judged(world, policy))
			continue;
		now = aggregate_policy(policy, &world->controller->cluster,
				       &world->controller->fleet, world->now_ms);
		if (differ(&before->aggregates[i], &now) && !was_touched(policy->id))
			fail_msg("%s: the numbers of %s have changed, and nobody is told",
				 last_step, policy->id);
	}
}

static void check(struct world *world)
{
	struct controller *fresh = recompute(world);

	check_addresses(world->controller, fresh);
	check_statuses(world, fresh);
	for (unsigned int i = 0; i < NODES; i++) {
		check_selection(world, fresh, i);
		check_standings(world, i);
	}
	controller_end(fresh);
}

/* Steps. */

static void step_objects(struct world *world)
{
	static const struct {
		const char *name;
		void (*work)(struct world *);
	} kinds[] = {
		{"pod", put_pod},
		{"pod", put_pod},
		{"pod", put_pod},
		{"pod", put_pod},
		{"pod", put_pod},
		{"policy", put_policy},
		{"policy", put_policy},
		{"policy's status", renew_policy},
		{"cluster policy", put_cluster_policy},
		{"node", put_node},
		{"Service", put_service},
		{"namespace", put_namespace},
		{"namespace", put_namespace},
		{"quota", put_quota},
		{"end of an object", remove_any},
		{"end of an object", remove_any},
	};
	uint32_t kind = chance(world, sizeof(kinds) / sizeof(kinds[0]));

	last_step = kinds[kind].name;
	kinds[kind].work(world);
}

static void step_agents(struct world *world)
{
	unsigned int number = chance(world, NODES);

	last_step = "agent";
	switch (chance(world, 5)) {
	case 0:
		agent_connect(world, number);
		return;
	case 1:
		agent_leave(world, number);
		return;
	default:
		agent_report(world, number);
		return;
	}
}

static void step(struct world *world)
{
	struct before before;

	remember(world, &before);
	if (chance(world, 3)) {
		step_objects(world);
		check_touched(world, &before, matches_differ);
	} else {
		step_agents(world);
		check_touched(world, &before, counts_differ);
	}
	if (chance(world, 3))
		for (unsigned int i = 0; i < NODES; i++)
			push(world, i);
	check(world);
	if (chance(world, 4) == 0)
		world->now_ms += chance(world, FLEET_AGENT_GRACE_MS);
}

static void world_end(struct world *world)
{
	for (unsigned int i = 0; i < NODES; i++)
		agent_forget(&world->agents[i]);
	while (world->count)
		cJSON_Delete(world->objects[--world->count].json);
	controller_end(world->controller);
	uv_loop_close(&world->loop);
}

static void run_seed(uint64_t seed)
{
	static struct world world;
	unsigned int sent = events_sent;
	uint64_t begin;

	memset(&world, 0, sizeof(world));
	world.random = seed;
	uv_loop_init(&world.loop);
	world.controller = controller_bare(&world);
	begin = chance(&world, 200); /* some objects are there before the lists are complete */
	while (begin--)
		step_objects(&world);
	begin_to_lead(world.controller, sent);
	begin = chance(&world, 50); /* and some come while all are compiled */
	while (begin--)
		step_objects(&world);
	compile_all(world.controller);
	for (uint64_t i = 0; i < steps; i++)
		step(&world);
	world_end(&world);
}

static void arrives_where_a_fresh_start_does(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
		printf("seed %llu, %llu steps\n", (unsigned long long)seed,
		       (unsigned long long)steps);
		fflush(stdout); /* the last line names the seed that failed */
		run_seed(seed);
	}
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrives_where_a_fresh_start_does),
	};

	log_set_level(LOG_LEVEL_ERROR);
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		seeds = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		steps = strtoull(argv[3], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
