// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/real_api.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/fleet/audit.h"
#include "bench/fleet/folder.h"
#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/client.h"
#include "lib/kube/informer.h"

#define LANES	 48 /* requests under way at one time */
#define TICK_MS	 200
#define CA_PATH	 "/api/v1/namespaces/skep-system/configmaps/skep-operator-ca"
#define POLICIES "/apis/skep.dev/v1alpha1/observabilitypolicies"
#define CONFLICT 409

struct real_api;

/* Makes the changes of its share of the objects, one after the other. */
struct lane {
	struct real_api *api;
	size_t next; /* change to make; the one before it is under way where the lane is busy */
	bool busy;
};

struct real_api {
	struct api api;
	struct world *world;
	const char *folder;
	struct kube_client *client;
	struct kube_informer *policies;
	uv_timer_t tick;
	int audit_log;
	bool asks_ca;
	struct lane lanes[LANES];
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "fleet: the API server: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void request(struct real_api *api, const char *method, const char *path, const char *type,
		    const cJSON *body, kube_response_handler handler, void *context)
{
	struct error error;

	if (kube_request(api->client, method, path, type, body, handler, context, &error) < 0)
		fail(path, error.message);
}

/* Changes as requests. */

/* The object as it is after a change. */
static cJSON *object_after(const struct world *world, const struct world_change *change)
{
	const struct world_object object = {
		.version = change->version,
		.incarnation = change->incarnation,
		.stage = change->stage,
	};
	cleanup_text struct text text = TEXT_EMPTY;
	cJSON *json;

	world_write(world, (enum world_kind)change->kind, change->index, &object, &text);
	json = cJSON_Parse(text.data);
	if (!json)
		abort();
	return json;
}

/* Where the objects like this one are. */
static void write_collection(const struct world_change *change, const cJSON *object,
			     struct text *path)
{
	const char *namespace = json_string(object, "metadata", "namespace");

	text_append_string(path,
			   change->kind == WORLD_POLICIES ? "/apis/skep.dev/v1alpha1" : "/api/v1");
	if (namespace)
		text_append_format(path, "/namespaces/%s", namespace);
	text_append_format(path, "/%s", world_kind_name((enum world_kind)change->kind));
}

/* Leaves out what the API server gives to an object. */
static void make_new(cJSON *object)
{
	static const char *const given[] = {"uid", "resourceVersion", "creationTimestamp",
					    "managedFields", "generation"};
	cJSON *metadata = cJSON_GetObjectItem(object, "metadata");

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		cJSON_DeleteItemFromObject(metadata, given[i]);
	cJSON_DeleteItemFromObject(cJSON_GetObjectItem(object, "spec"), "clusterIP");
}

static cJSON *binding_of(const cJSON *pod)
{
	cJSON *binding = cJSON_CreateObject();
	cJSON *target = cJSON_AddObjectToObject(binding, "target");

	cJSON_AddStringToObject(cJSON_AddObjectToObject(binding, "metadata"), "name",
				json_text(pod, "metadata", "name"));
	cJSON_AddStringToObject(target, "kind", "Node");
	cJSON_AddStringToObject(target, "name", json_text(pod, "spec", "nodeName"));
	return binding;
}

static cJSON *part_of(cJSON *object, const char *name)
{
	cJSON *part = cJSON_CreateObject();

	cJSON_AddItemToObject(part, name, cJSON_DetachItemFromObject(object, name));
	return part;
}

static cJSON *grace_of(enum world_stage stage)
{
	cJSON *options = cJSON_CreateObject();

	cJSON_AddNumberToObject(options, "gracePeriodSeconds", stage == STAGE_ENDING ? 30 : 0);
	return options;
}

static void on_made(void *context, const struct kube_response *response);

/* What a scheduler, a kubelet and whoever deletes it do to a pod. */
static void move_pod(struct lane *lane, enum world_stage stage, cJSON *pod, struct text *path)
{
	cleanup_json cJSON *body = NULL;
	const char *method = "POST", *type = KUBE_JSON;

	if (stage == STAGE_SCHEDULED) {
		body = binding_of(pod);
		text_append_string(path, "/binding");
	} else if (stage == STAGE_RUNNING) {
		method = "PATCH";
		type = KUBE_MERGE_PATCH;
		body = part_of(pod, "status");
		text_append_string(path, "/status");
	} else {
		method = "DELETE";
		body = grace_of(stage);
	}
	request(lane->api, method, path->data, type, body, on_made, lane);
}

static void make_change(struct lane *lane, const struct world_change *change)
{
	cleanup_json cJSON *object = object_after(lane->api->world, change), *part = NULL;
	cleanup_text struct text path = TEXT_EMPTY;

	write_collection(change, object, &path);
	if (change->type == CHANGE_ADDED) {
		make_new(object);
		request(lane->api, "POST", path.data, KUBE_JSON, object, on_made, lane);
		return;
	}
	text_append_format(&path, "/%s", json_text(object, "metadata", "name"));
	if (change->kind == WORLD_PODS) {
		move_pod(lane, change->type == CHANGE_DELETED ? STAGE_ABSENT : change->stage,
			 object, &path);
		return;
	}
	if (change->kind == WORLD_NODES)
		text_append_string(&path, "/status");
	part = part_of(object, change->kind == WORLD_NODES ? "status" : "spec");
	request(lane->api, "PATCH", path.data, KUBE_MERGE_PATCH, part, on_made, lane);
}

/* Lanes. */

static void go_on(struct lane *lane)
{
	const struct world *world = lane->api->world;

	while (!lane->busy && lane->next < world->change_count) {
		const struct world_change *change = &world->changes[lane->next++];

		if (change->index % LANES != (uint32_t)(lane - lane->api->lanes))
			continue;
		lane->busy = true;
		make_change(lane, change);
	}
}

static void finish(struct lane *lane)
{
	lane->api->api.behind--;
	lane->busy = false;
	go_on(lane);
}

static void on_token(void *context, const struct kube_response *response)
{
	struct lane *lane = context;
	const struct world_change *change = &lane->api->world->changes[lane->next - 1];
	char name[WORLD_NAME_SIZE];

	if (response->reason)
		fail("the token of an agent", response->reason);
	snprintf(name, sizeof(name), "token-%u", change->index);
	folder_write(lane->api->folder, name, json_text(response->body, "status", "token"));
	finish(lane);
}

/* A token as a kubelet gets it for the pod of an agent. */
static void ask_token(struct lane *lane, const char *pod)
{
	cleanup_json cJSON *body = cJSON_Parse(
		"{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{"
		"\"audiences\":[\"skep-operator\"],\"expirationSeconds\":86400,"
		"\"boundObjectRef\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}}}");
	cJSON *reference = cJSON_GetObjectItem(cJSON_GetObjectItem(body, "spec"), "boundObjectRef");

	cJSON_AddStringToObject(reference, "name", pod);
	request(lane->api, "POST",
		"/api/v1/namespaces/skep-system/serviceaccounts/skep-node-agent/token", KUBE_JSON,
		body, on_token, lane);
}

static void on_made(void *context, const struct kube_response *response)
{
	struct lane *lane = context;
	const struct world *world = lane->api->world;
	const struct world_change *change = &world->changes[lane->next - 1];
	bool is_there = change->kind == WORLD_NAMESPACES && response->status == CONFLICT;

	if (response->reason && !is_there)
		fail("a change", response->reason);
	if (change->kind == WORLD_PODS && change->stage == STAGE_RUNNING &&
	    change->type == CHANGE_MODIFIED &&
	    change->index == world_agent_pod(world, world_node_of(world, change->index)))
		ask_token(lane, json_text(response->body, "metadata", "name"));
	else
		finish(lane);
}

static void on_world_changed(void *context)
{
	struct real_api *api = context;
	const struct world_change *last = &api->world->changes[api->world->change_count - 1];

	api->api.behind++;
	go_on(&api->lanes[last->index % LANES]);
}

/* What the operator writes. */

static void on_policy(void *context, const cJSON *policy)
{
	struct real_api *api = context;
	cleanup_free char *status = cJSON_PrintUnformatted(json_find(policy, "status"));

	if (status && world_set_status(api->world, json_text(policy, "metadata", "namespace"),
				       json_text(policy, "metadata", "name"), status))
		api->api.last_status_ms = uv_now(api->tick.loop);
}

static void on_policy_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	(void)context, (void)uid;
	fail(namespace, name);
}

static void on_policies(void *context)
{
	(void)context; /* there are none at first */
}

static void on_ca(void *context, const struct kube_response *response)
{
	struct real_api *api = context;
	const char *ca = json_string(response->body, "data", "ca.crt");

	api->asks_ca = false;
	if (!ca)
		return;
	folder_write(api->folder, "ca.crt", ca);
	api->api.has_ca = true;
}

static void on_tick(uv_timer_t *tick)
{
	struct real_api *api = tick->data;
	uint64_t reports = api->api.counts[API_NODE_REPORTS];

	audit_read(api->audit_log, api->api.counts);
	if (api->api.counts[API_NODE_REPORTS] != reports)
		api->api.last_report_ms = uv_now(tick->loop);
	if (api->api.has_ca || api->asks_ca)
		return;
	api->asks_ca = true;
	request(api, "GET", CA_PATH, NULL, NULL, on_ca, api);
}

/* Beginning. */

static void connect_to(struct real_api *api, uv_loop_t *loop, const char *server)
{
	const struct kube_informer_handlers handlers = {on_policy, on_policy_gone, on_policies};
	struct kube_config config;
	struct error error;
	char path[256];

	snprintf(path, sizeof(path), "%s/admin.kubeconfig", server);
	if (kube_config_load(path, &config, &error) < 0 ||
	    kube_client_new(loop, &config, &api->client, &error) < 0 ||
	    kube_informer_new(api->client, POLICIES, NULL, &handlers, api, &api->policies, &error) <
		    0)
		fail(path, error.message);
	kube_config_free(&config);
	snprintf(path, sizeof(path), "%s/audit.log", server);
	api->audit_log = open(path, O_RDONLY | O_CLOEXEC);
	if (api->audit_log < 0)
		fail(path, "there is none");
}

struct api *real_api_open(uv_loop_t *loop, struct world *world, const char *folder,
			  const char *server)
{
	struct real_api *api = calloc(1, sizeof(*api));

	if (!api)
		abort();
	api->world = world;
	api->folder = folder;
	connect_to(api, loop, server);
	for (int i = 0; i < LANES; i++)
		api->lanes[i].api = api;
	world->changed = on_world_changed;
	world->context = api;
	uv_timer_init(loop, &api->tick);
	api->tick.data = api;
	uv_timer_start(&api->tick, on_tick, TICK_MS, TICK_MS);
	return &api->api;
}
