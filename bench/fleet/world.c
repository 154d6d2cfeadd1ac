// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"

#define NAMESPACE_EVERYWHERE "everywhere"
#define NAMESPACE_AGENTS     "skep-system"

/* Blocks of pods are shifted by this many nodes, so that a Deployment has no node twice. */
#define SHIFT 37

static uint32_t count_of(const struct world *world, enum world_kind kind)
{
	return world->sizes.counts[kind];
}

static uint32_t deployments_of(const struct world *world)
{
	return count_of(world, WORLD_POLICIES) - 1;
}

void world_make(struct world *world, const struct world_sizes *sizes)
{
	uint32_t deployments = sizes->counts[WORLD_POLICIES] - 1;

	*world = (struct world){.sizes = *sizes, .version = 1};
	world->sizes.counts[WORLD_SERVICES] = deployments;
	world->sizes.counts[WORLD_NAMESPACES] =
		(deployments + WORLD_NAMESPACE_POLICIES - 1) / WORLD_NAMESPACE_POLICIES + 2;
	for (int kind = 0; kind < WORLD_KINDS; kind++) {
		uint32_t count = world->sizes.counts[kind];

		world->hidden[kind] = true;
		world->objects[kind] = calloc(count, sizeof(struct world_object));
		if (!world->objects[kind])
			abort();
		for (uint32_t i = 0; i < count; i++)
			world->objects[kind][i] =
				(struct world_object){.version = 1, .incarnation = 1};
	}
}

void world_free(struct world *world)
{
	for (uint32_t i = 0; i < count_of(world, WORLD_POLICIES); i++)
		free(world->objects[WORLD_POLICIES][i].status);
	for (int kind = 0; kind < WORLD_KINDS; kind++)
		free(world->objects[kind]);
	free(world->changes);
	*world = (struct world){0};
}

bool world_has(const struct world *world, enum world_kind kind, uint32_t index)
{
	return !world->hidden[kind] && world->objects[kind][index].stage != STAGE_ABSENT;
}

/* Which pod is what: agents' first, then the DaemonSet's, then the Deployments' in turn. */

uint32_t world_agent_pod(const struct world *world, uint32_t node)
{
	(void)world;
	return node;
}

uint32_t world_node_of(const struct world *world, uint32_t pod)
{
	uint32_t nodes = count_of(world, WORLD_NODES);

	if (pod < 2 * nodes)
		return pod % nodes;
	pod -= 2 * nodes;
	return (pod + pod / nodes * SHIFT) % nodes;
}

uint32_t world_policy_of(const struct world *world, uint32_t pod)
{
	uint32_t nodes = count_of(world, WORLD_NODES);

	if (pod < nodes)
		return count_of(world, WORLD_POLICIES);
	if (pod < 2 * nodes)
		return deployments_of(world);
	return (pod - 2 * nodes) % deployments_of(world);
}

uint32_t world_selected(const struct world *world, uint32_t policy)
{
	uint32_t nodes = count_of(world, WORLD_NODES), deployments = deployments_of(world);
	uint32_t pods = count_of(world, WORLD_PODS) - 2 * nodes;

	if (policy == deployments)
		return nodes;
	return pods / deployments + (policy < pods % deployments);
}

/* Names. */

const char *world_kind_name(enum world_kind kind)
{
	static const char *const names[WORLD_KINDS] = {
		[WORLD_POLICIES] = "observabilitypolicies",
		[WORLD_PODS] = "pods",
		[WORLD_NODES] = "nodes",
		[WORLD_SERVICES] = "services",
		[WORLD_NAMESPACES] = "namespaces",
	};

	return names[kind];
}

void world_node_name(uint32_t node, char name[WORLD_NAME_SIZE])
{
	snprintf(name, WORLD_NAME_SIZE, "node-%05u.fleet.example", node);
}

void world_pod_uid(uint32_t pod, uint32_t incarnation, char uid[WORLD_NAME_SIZE])
{
	snprintf(uid, WORLD_NAME_SIZE, "%08x-7a1c-4c0e-9b5d-%012x", pod, incarnation);
}

static void namespace_name(const struct world *world, uint32_t policy, char name[WORLD_NAME_SIZE])
{
	if (policy == count_of(world, WORLD_POLICIES))
		snprintf(name, WORLD_NAME_SIZE, NAMESPACE_AGENTS);
	else if (policy == deployments_of(world))
		snprintf(name, WORLD_NAME_SIZE, NAMESPACE_EVERYWHERE);
	else
		snprintf(name, WORLD_NAME_SIZE, "team-%04u", policy / WORLD_NAMESPACE_POLICIES);
}

static void app_name(const struct world *world, uint32_t policy, char name[WORLD_NAME_SIZE])
{
	if (policy == count_of(world, WORLD_POLICIES))
		snprintf(name, WORLD_NAME_SIZE, "skep-node-agent");
	else if (policy == deployments_of(world))
		snprintf(name, WORLD_NAME_SIZE, "log");
	else
		snprintf(name, WORLD_NAME_SIZE, "service-%u", policy % WORLD_NAMESPACE_POLICIES);
}

static uint32_t policy_find(const struct world *world, const char *namespace, const char *name)
{
	unsigned int team, service;

	if (strcmp(namespace, NAMESPACE_EVERYWHERE) == 0)
		return deployments_of(world);
	if (sscanf(namespace, "team-%u", &team) == 1 && sscanf(name, "service-%u", &service) == 1 &&
	    team * WORLD_NAMESPACE_POLICIES + service < deployments_of(world))
		return team * WORLD_NAMESPACE_POLICIES + service;
	return count_of(world, WORLD_POLICIES);
}

/* Changing. */

static void log_change(struct world *world, enum world_kind kind, uint32_t index,
		       enum world_change_type type)
{
	struct world_object *object = &world->objects[kind][index];

	object->version = ++world->version;
	if (world->change_count == world->change_room) {
		world->change_room = world->change_room ? 2 * world->change_room : 1024;
		world->changes =
			reallocarray(world->changes, world->change_room, sizeof(*world->changes));
		if (!world->changes)
			abort();
	}
	world->changes[world->change_count++] = (struct world_change){
		.version = world->version,
		.index = index,
		.incarnation = object->incarnation,
		.kind = (uint8_t)kind,
		.type = (uint8_t)type,
		.stage = object->stage,
	};
	if (world->changed)
		world->changed(world->context);
}

void world_reveal(struct world *world, enum world_kind kind)
{
	world->hidden[kind] = false;
	for (uint32_t i = 0; i < count_of(world, kind); i++) {
		if (kind != WORLD_PODS) {
			log_change(world, kind, i, CHANGE_ADDED);
			continue;
		}
		world->objects[kind][i].stage = STAGE_SCHEDULED;
		log_change(world, kind, i, CHANGE_ADDED);
		world_move_pod(world, i, STAGE_RUNNING);
	}
}

void world_edit_policy(struct world *world, uint32_t policy)
{
	world->objects[WORLD_POLICIES][policy].incarnation++;
	log_change(world, WORLD_POLICIES, policy, CHANGE_MODIFIED);
}

const char *world_arguments(uint32_t generation)
{
	static const char *const words[WORLD_SETTINGS] = {"None", "Redacted", "Raw"};

	return words[generation % WORLD_SETTINGS];
}

bool world_set_status(struct world *world, const char *namespace, const char *name,
		      const char *status)
{
	uint32_t policy = policy_find(world, namespace, name);
	struct world_object *object = &world->objects[WORLD_POLICIES][policy];

	if (policy == count_of(world, WORLD_POLICIES) ||
	    (object->status && strcmp(object->status, status) == 0))
		return false;
	free(object->status);
	object->status = strdup(status);
	return true;
}

void world_tell_policy(struct world *world, const char *namespace, const char *name)
{
	uint32_t policy = policy_find(world, namespace, name);

	if (policy < count_of(world, WORLD_POLICIES))
		log_change(world, WORLD_POLICIES, policy, CHANGE_MODIFIED);
}

bool world_policy_is_ready(const struct world *world, uint32_t policy)
{
	const struct world_object *object = &world->objects[WORLD_POLICIES][policy];
	cleanup_json cJSON *status = object->status ? cJSON_Parse(object->status) : NULL;
	const cJSON *condition;

	if (json_integer(status, 0, "observedGeneration") != object->incarnation)
		return false;
	cJSON_ArrayForEach(condition, json_find(status, "conditions")) {
		if (strcmp(json_text(condition, "type"), "Ready") == 0)
			return strcmp(json_text(condition, "status"), "True") == 0;
	}
	return false;
}

void world_beat_node(struct world *world, uint32_t node)
{
	world->objects[WORLD_NODES][node].incarnation++;
	log_change(world, WORLD_NODES, node, CHANGE_MODIFIED);
}

void world_move_pod(struct world *world, uint32_t pod, enum world_stage stage)
{
	struct world_object *object = &world->objects[WORLD_PODS][pod];

	if (stage == STAGE_ABSENT) {
		log_change(world, WORLD_PODS, pod, CHANGE_DELETED);
		object->stage = STAGE_ABSENT;
		object->incarnation++;
		return;
	}
	object->stage = (uint8_t)stage;
	log_change(world, WORLD_PODS, pod, stage == STAGE_PENDING ? CHANGE_ADDED : CHANGE_MODIFIED);
}

/* Writing. Objects are as large as those of a usual cluster; most of it the operator passes by. */

static void write_metadata(const char *namespace, const char *name, const char *uid,
			   uint64_t version, struct text *out)
{
	text_append_format(out, "\"metadata\":{\"name\":\"%s\",\"uid\":\"%s\",", name, uid);
	if (*namespace)
		text_append_format(out, "\"namespace\":\"%s\",", namespace);
	text_append_format(out,
			   "\"resourceVersion\":\"%llu\","
			   "\"creationTimestamp\":\"2026-11-21T05:00:00Z\"",
			   (unsigned long long)version);
}

static void write_policy(const struct world *world, uint32_t index,
			 const struct world_object *object, struct text *out)
{
	char namespace[WORLD_NAME_SIZE], name[WORLD_NAME_SIZE], uid[WORLD_NAME_SIZE];

	namespace_name(world, index, namespace);
	app_name(world, index, name);
	snprintf(uid, sizeof(uid), "%08x-0000-4000-8000-00000000p0l1", index);
	text_append_string(out, "{\"apiVersion\":\"skep.dev/v1alpha1\","
				"\"kind\":\"ObservabilityPolicy\",");
	write_metadata(namespace, name, uid, object->version, out);
	text_append_format(out,
			   ",\"generation\":%u},\"spec\":{\"selector\":{\"matchLabels\":{"
			   "\"app\":\"%s\"}},\"probes\":[{\"type\":\"TCP\"},{\"type\":\"Exec\","
			   "\"exec\":{\"arguments\":\"%s\"}}]}",
			   object->incarnation, name, world_arguments(object->incarnation));
	if (object->status)
		text_append_format(out, ",\"status\":%s", object->status);
	text_append_string(out, "}");
}

/* What a template's hash looks like: the same for all pods of one Deployment. */
static void write_pod_name(const struct world *world, uint32_t pod, uint32_t incarnation,
			   char name[WORLD_NAME_SIZE], char owner[WORLD_NAME_SIZE])
{
	uint32_t policy = world_policy_of(world, pod);
	char app[WORLD_NAME_SIZE / 2];
	char whole[WORLD_NAME_SIZE];

	app_name(world, policy, whole);
	snprintf(app, sizeof(app), "%.*s", (int)sizeof(app) - 1, whole);
	if (policy >= deployments_of(world)) {
		snprintf(owner, WORLD_NAME_SIZE, "%s", app);
		snprintf(name, WORLD_NAME_SIZE, "%s-%05x%x", app, pod, incarnation);
		return;
	}
	snprintf(owner, WORLD_NAME_SIZE, "%s-%010u", app, policy);
	snprintf(name, WORLD_NAME_SIZE, "%s-%010u-%05x%x", app, policy, pod, incarnation);
}

bool world_read_pod_name(const char *name, uint32_t *ret_pod, uint32_t *ret_incarnation)
{
	const char *end = strrchr(name, '-');

	return end && sscanf(end, "-%5x%x", ret_pod, ret_incarnation) == 2;
}

static void write_pod_metadata(const struct world *world, uint32_t pod,
			       const struct world_object *object, struct text *out)
{
	uint32_t policy = world_policy_of(world, pod);
	bool daemon = policy >= deployments_of(world);
	char namespace[WORLD_NAME_SIZE], name[WORLD_NAME_SIZE], owner[WORLD_NAME_SIZE];
	char app[WORLD_NAME_SIZE], uid[WORLD_NAME_SIZE];

	namespace_name(world, policy, namespace);
	app_name(world, policy, app);
	write_pod_name(world, pod, object->incarnation, name, owner);
	world_pod_uid(pod, object->incarnation, uid);
	write_metadata(namespace, name, uid, object->version, out);
	text_append_format(out,
			   ",\"generateName\":\"%s-\",\"labels\":{\"app\":\"%s\","
			   "\"app.kubernetes.io/part-of\":\"shop\",\"app.kubernetes.io/version\":"
			   "\"1.4.2\",\"%s\":\"%010u\"},\"ownerReferences\":[{\"apiVersion\":"
			   "\"apps/v1\",\"kind\":\"%s\",\"name\":\"%s\",\"uid\":"
			   "\"3f1c2d7e-55aa-4b7e-8c1d-0123456789ab\",\"controller\":true,"
			   "\"blockOwnerDeletion\":true}]",
			   owner, app, daemon ? "controller-revision-hash" : "pod-template-hash",
			   policy, daemon ? "DaemonSet" : "ReplicaSet", owner);
}

/* What the API server keeps of who set which field; the operator has no use for it. */
static void write_managed_fields(struct text *out)
{
	text_append_string(
		out,
		",\"managedFields\":[{\"manager\":\"kube-controller-manager\",\"operation\":"
		"\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-11-21T05:00:00Z\",\"fieldsType\":"
		"\"FieldsV1\",\"fieldsV1\":{\"f:metadata\":{\"f:generateName\":{},\"f:labels\":{"
		"\".\":{},\"f:app\":{},\"f:pod-template-hash\":{}},\"f:ownerReferences\":{\".\":{}}"
		"},\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"server\\\"}\":{\".\":{},"
		"\"f:image\":{},\"f:imagePullPolicy\":{},\"f:name\":{},\"f:resources\":{},"
		"\"f:terminationMessagePath\":{},\"f:terminationMessagePolicy\":{}}},"
		"\"f:dnsPolicy\":{},\"f:enableServiceLinks\":{},\"f:restartPolicy\":{},"
		"\"f:schedulerName\":{},\"f:securityContext\":{}}}},{\"manager\":\"kubelet\","
		"\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-11-21T05:00:05Z\","
		"\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:status\":{\"f:conditions\":{\".\":{}"
		"},\"f:containerStatuses\":{},\"f:hostIP\":{},\"f:phase\":{},\"f:podIP\":{},"
		"\"f:podIPs\":{},\"f:startTime\":{}}}}]}");
}

static void write_pod_spec(const struct world *world, uint32_t pod, bool scheduled,
			   struct text *out)
{
	char node[WORLD_NAME_SIZE];

	world_node_name(world_node_of(world, pod), node);
	text_append_string(out, ",\"spec\":{");
	if (scheduled)
		text_append_format(out, "\"nodeName\":\"%s\",", node);
	text_append_string(
		out,
		"\"volumes\":[{\"name\":\"token\",\"projected\":{\"defaultMode\":420,\"sources\":[{"
		"\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}}]}}],"
		"\"containers\":[{\"name\":\"server\",\"image\":\"registry.example/shop/server:"
		"1.4.2\",\"ports\":[{\"containerPort\":8080,\"protocol\":\"TCP\"}],\"env\":[{"
		"\"name\":\"PORT\",\"value\":\"8080\"}],\"resources\":{\"limits\":{\"memory\":"
		"\"256Mi\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"}},\"volumeMounts\":"
		"[{\"name\":\"token\",\"readOnly\":true,\"mountPath\":"
		"\"/var/run/secrets/kubernetes.io/serviceaccount\"}],\"readinessProbe\":{"
		"\"httpGet\":{\"path\":\"/healthz\",\"port\":8080,\"scheme\":\"HTTP\"},"
		"\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,"
		"\"failureThreshold\":3},\"terminationMessagePath\":\"/dev/termination-log\","
		"\"imagePullPolicy\":\"IfNotPresent\"}],\"restartPolicy\":\"Always\","
		"\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\","
		"\"securityContext\":{},\"schedulerName\":"
		"\"default-scheduler\",\"tolerations\":[{\"key\":"
		"\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
		"\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,");
	text_append_format(out, "\"serviceAccountName\":\"%s\"}",
			   pod < count_of(world, WORLD_NODES) ? "skep-node-agent" : "default");
}

static void write_container_status(uint32_t pod, uint32_t incarnation, struct text *out)
{
	text_append_format(
		out,
		"\"containerStatuses\":[{\"name\":\"server\",\"state\":{\"running\":{"
		"\"startedAt\":\"2026-11-21T05:00:04Z\"}},\"lastState\":{},\"ready\":true,"
		"\"restartCount\":0,\"image\":\"registry.example/shop/server:1.4.2\",\"imageID\":"
		"\"registry.example/shop/server@sha256:"
		"52f33635109de97c8f93fd4c5dcdf1bd00e1a0c4b6f3ce3f8dd3bbd92d2c4c8e\","
		"\"containerID\":\"containerd://%032x%032x\",\"started\":true}]",
		incarnation, pod);
}

static void write_address(uint32_t pod, struct text *out)
{
	char ip[24];

	snprintf(ip, sizeof(ip), "10.%u.%u.%u", 64 + (pod >> 16), pod >> 8 & 0xff, pod & 0xff);
	text_append_format(out,
			   "\"hostIP\":\"192.168.0.1\",\"podIP\":\"%s\",\"podIPs\":[{\"ip\":"
			   "\"%s\"}],\"startTime\":\"2026-11-21T05:00:01Z\",",
			   ip, ip);
}

static void write_pod_status(uint32_t pod, uint32_t incarnation, bool running, struct text *out)
{
	text_append_format(out,
			   ",\"status\":{\"phase\":\"%s\",\"conditions\":[{\"type\":\"Initialized\""
			   ",\"status\":\"True\",\"lastTransitionTime\":\"2026-11-21T05:00:01Z\"},{"
			   "\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":"
			   "\"2026-11-21T05:00:05Z\"},{\"type\":\"PodScheduled\",\"status\":"
			   "\"True\",\"lastTransitionTime\":\"2026-11-21T05:00:00Z\"}],",
			   running ? "Running" : "Pending");
	if (running) {
		write_address(pod, out);
		write_container_status(pod, incarnation, out);
		text_append_string(out, ",");
	}
	text_append_string(out, "\"qosClass\":\"Burstable\"}");
}

static void write_pod(const struct world *world, uint32_t pod, const struct world_object *object,
		      struct text *out)
{
	bool running = object->stage == STAGE_RUNNING || object->stage == STAGE_ENDING;

	text_append_string(out, "{");
	write_pod_metadata(world, pod, object, out);
	write_managed_fields(out);
	write_pod_spec(world, pod, object->stage != STAGE_PENDING, out);
	write_pod_status(pod, object->incarnation, running, out);
	text_append_string(out, "}");
}

static void write_node(uint32_t node, const struct world_object *object, struct text *out)
{
	char name[WORLD_NAME_SIZE], uid[WORLD_NAME_SIZE];

	world_node_name(node, name);
	snprintf(uid, sizeof(uid), "%08x-0000-4000-8000-0000000n0de5", node);
	text_append_string(out, "{");
	write_metadata("", name, uid, object->version, out);
	text_append_format(
		out,
		",\"labels\":{\"kubernetes.io/hostname\":\"%s\",\"kubernetes.io/os\":\"linux\","
		"\"kubernetes.io/arch\":\"amd64\",\"topology.kubernetes.io/zone\":\"zone-%u\"}},"
		"\"spec\":{\"podCIDR\":\"10.64.0.0/24\"},\"status\":{\"capacity\":{\"cpu\":\"16\","
		"\"memory\":\"65536000Ki\",\"pods\":\"110\"},\"addresses\":[{\"type\":"
		"\"InternalIP\",\"address\":\"172.%u.%u.%u\"}],\"conditions\":[{\"type\":\"Ready\","
		"\"status\":\"True\",\"reason\":\"KubeletReady\",\"message\":\"beat %u\"}],"
		"\"nodeInfo\":{\"kernelVersion\":\"6.18.0\",\"kubeletVersion\":\"v1.34.0\"}}}",
		name, node % 3, 16 + (node >> 16), node >> 8 & 0xff, node & 0xff,
		object->incarnation);
}

static void write_service(const struct world *world, uint32_t service,
			  const struct world_object *object, struct text *out)
{
	char namespace[WORLD_NAME_SIZE], name[WORLD_NAME_SIZE], uid[WORLD_NAME_SIZE];

	namespace_name(world, service, namespace);
	app_name(world, service, name);
	snprintf(uid, sizeof(uid), "%08x-0000-4000-8000-000005e7v1ce", service);
	text_append_string(out, "{");
	write_metadata(namespace, name, uid, object->version, out);
	text_append_format(out,
			   "},\"spec\":{\"type\":\"ClusterIP\",\"clusterIP\":\"10.60.%u.%u\","
			   "\"selector\":{\"app\":\"%s\"},\"ports\":[{\"port\":80,\"protocol\":"
			   "\"TCP\",\"targetPort\":8080}]}}",
			   service >> 8 & 0xff, service & 0xff, name);
}

static void write_namespace(const struct world *world, uint32_t index,
			    const struct world_object *object, struct text *out)
{
	uint32_t teams = count_of(world, WORLD_NAMESPACES) - 2;
	char name[WORLD_NAME_SIZE], uid[WORLD_NAME_SIZE];

	if (index < teams)
		snprintf(name, sizeof(name), "team-%04u", index);
	else
		snprintf(name, sizeof(name), "%s",
			 index == teams ? NAMESPACE_EVERYWHERE : NAMESPACE_AGENTS);
	snprintf(uid, sizeof(uid), "%08x-0000-4000-8000-0000namespace", index);
	text_append_string(out, "{");
	write_metadata("", name, uid, object->version, out);
	text_append_format(out, ",\"labels\":{\"kubernetes.io/metadata.name\":\"%s\"}}}", name);
}

void world_write(const struct world *world, enum world_kind kind, uint32_t index,
		 const struct world_object *object, struct text *out)
{
	switch (kind) {
	case WORLD_POLICIES:
		write_policy(world, index, object, out);
		return;
	case WORLD_PODS:
		write_pod(world, index, object, out);
		return;
	case WORLD_NODES:
		write_node(index, object, out);
		return;
	case WORLD_SERVICES:
		write_service(world, index, object, out);
		return;
	case WORLD_NAMESPACES:
		write_namespace(world, index, object, out);
		return;
	}
}
