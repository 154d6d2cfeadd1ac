// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "bench/fleet/stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include "lib/base/table.h"
#include <utlist.h>

#include "bench/fleet/folder.h"
#include "bench/fleet/http.h"
#include "lib/base/cleanup.h"
#include "lib/base/json.h"

#define WAITING_LIMIT	(1 << 20) /* bytes of a watch that the client has not taken yet */
#define WATCH_SECONDS	1800	  /* of a watch that names no end */
#define TICK_MS		1000
#define SERVICE_ACCOUNT "system:serviceaccount:skep-system:skep-node-agent"

struct watch {
	struct http_peer *peer;
	struct world *world;
	int kind;    /* enum world_kind, or -1 of a collection that is empty */
	size_t next; /* change to tell */
	uint64_t end_ms;
	struct watch *prev, *following;
};

/* An object that is kept as it came. */
struct stored {
	char *path;
	cJSON *object;
	UT_hash_handle hh;
};

struct stand_in {
	struct api api;
	struct http_door door;
	uv_timer_t tick;
	struct world *world;
	struct watch *watches;
	struct stored *stored;
	const char *folder;
	uint64_t versions; /* of stored objects */
};

static const struct {
	const char *path;
	const char *list_kind;
	const char *version;
} collections[WORLD_KINDS] = {
	[WORLD_POLICIES] = {"/apis/skep.dev/v1alpha1/observabilitypolicies",
			    "ObservabilityPolicyList", "skep.dev/v1alpha1"},
	[WORLD_PODS] = {"/api/v1/pods", "PodList", "v1"},
	[WORLD_NODES] = {"/api/v1/nodes", "NodeList", "v1"},
	[WORLD_SERVICES] = {"/api/v1/services", "ServiceList", "v1"},
	[WORLD_NAMESPACES] = {"/api/v1/namespaces", "NamespaceList", "v1"},
};

/* The number behind `name=` in a query, or `otherwise`. */
static uint64_t query_number(const char *query, const char *name, uint64_t otherwise)
{
	size_t length = strlen(name);
	const char *at = query;

	while (at) {
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return strtoull(at + length + 1, NULL, 10);
		at = strchr(at, '&');
		at = at ? at + 1 : NULL;
	}
	return otherwise;
}

/* Watches. */

static void write_event(const struct world *world, const struct world_change *change,
			struct text *out)
{
	static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
	const struct world_object object = {
		.version = change->version,
		.incarnation = change->incarnation,
		.stage = change->stage,
		.status = world->objects[change->kind][change->index].status,
	};

	text_append_format(out, "{\"type\":\"%s\",\"object\":", types[change->type]);
	world_write(world, (enum world_kind)change->kind, change->index, &object, out);
	text_append_string(out, "}\n");
}

/* Sends what has not been told yet, as far as the client takes it. */
static void watch_pump(struct watch *watch)
{
	const struct world *world = watch->world;
	struct text lines = TEXT_EMPTY;

	while (watch->next < world->change_count &&
	       http_waiting(watch->peer) + lines.length < WAITING_LIMIT) {
		const struct world_change *change = &world->changes[watch->next++];

		if ((int)change->kind == watch->kind)
			write_event(world, change, &lines);
	}
	if (lines.length)
		http_stream_send(watch->peer, &lines);
}

static void on_ready(void *context, struct http_peer *peer)
{
	(void)context; /* the watch says it all */
	if (http_data(peer))
		watch_pump(http_data(peer));
}

static void on_gone(void *context, struct http_peer *peer)
{
	struct stand_in *api = context;
	struct watch *watch = http_data(peer);

	if (!watch)
		return;
	DL_DELETE2(api->watches, watch, prev, following);
	free(watch);
	http_set_data(peer, NULL);
}

/* Watches end when the client wished them to. */
static void on_tick(uv_timer_t *tick)
{
	struct stand_in *api = tick->data;
	struct watch *watch, *next;

	DL_FOREACH_SAFE2(api->watches, watch, next, following) {
		struct http_peer *peer = watch->peer;

		if (uv_now(tick->loop) < watch->end_ms)
			continue;
		on_gone(api, peer);
		http_stream_end(peer);
	}
}

static void on_world_changed(void *context)
{
	struct stand_in *api = context;
	struct watch *watch, *next;

	DL_FOREACH_SAFE2(api->watches, watch, next, following) {
		watch_pump(watch);
	}
}

/* The first change that is later than `version`. */
static size_t change_after(const struct world *world, uint64_t version)
{
	size_t low = 0, high = world->change_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (world->changes[middle].version > version)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void start_watch(struct stand_in *api, struct http_peer *peer, const char *query, int kind)
{
	struct watch *watch;

	api->api.counts[API_WATCHES]++;
	http_stream(peer);
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		abort();
	*watch = (struct watch){
		.peer = peer,
		.world = api->world,
		.kind = kind,
		.next = change_after(api->world, query_number(query, "resourceVersion", 0)),
		.end_ms = uv_now(api->door.tcp.loop) +
			  1000 * query_number(query, "timeoutSeconds", WATCH_SECONDS),
	};
	http_set_data(peer, watch);
	DL_APPEND2(api->watches, watch, prev, following);
	watch_pump(watch);
}

/* Lists. */

static void list(struct stand_in *api, struct http_peer *peer, const char *query, int kind)
{
	const struct world *world = api->world;
	uint32_t at = (uint32_t)query_number(query, "continue", 0), count = 0;
	uint32_t end = kind < 0 ? 0 : world->sizes.counts[kind];
	uint32_t limit = (uint32_t)query_number(query, "limit", UINT32_MAX);
	struct text body = TEXT_EMPTY;

	api->api.counts[API_PAGES]++;
	text_append_format(&body, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"items\":[",
			   kind < 0 ? "List" : collections[kind].list_kind,
			   kind < 0 ? "v1" : collections[kind].version);
	for (; at < end && count < limit; at++) {
		if (!world_has(world, (enum world_kind)kind, at))
			continue;
		text_append_string(&body, count++ ? "," : "");
		world_write(world, (enum world_kind)kind, at, &world->objects[kind][at], &body);
	}
	text_append_format(&body, "],\"metadata\":{\"resourceVersion\":\"%llu\"",
			   (unsigned long long)world->version);
	if (at < end)
		text_append_format(&body, ",\"continue\":\"%u\"", at);
	text_append_string(&body, "}}");
	http_answer(peer, 200, &body);
}

static void get_collection(struct stand_in *api, struct http_peer *peer,
			   const struct http_request *request)
{
	int kind = WORLD_KINDS - 1;

	while (kind >= 0 && strcmp(collections[kind].path, request->path) != 0)
		kind--;
	if (query_number(request->query, "watch", 0))
		start_watch(api, peer, request->query, kind);
	else
		list(api, peer, request->query, kind);
}

/* Reviews of tokens: "agent-<node>" is the agent of that node. */

static void write_tokens(const struct stand_in *api)
{
	char name[WORLD_NAME_SIZE], token[WORLD_NAME_SIZE];

	for (uint32_t node = 0; node < api->world->sizes.counts[WORLD_NODES]; node++) {
		snprintf(name, sizeof(name), "token-%u", node);
		snprintf(token, sizeof(token), "agent-%u", node);
		folder_write(api->folder, name, token);
	}
}

static void review(struct stand_in *api, struct http_peer *peer, const struct http_request *request)
{
	cleanup_json cJSON *asked = cJSON_Parse(request->body);
	char uid[WORLD_NAME_SIZE];
	struct text body = TEXT_EMPTY;
	unsigned int node = UINT32_MAX;

	api->api.counts[API_REVIEWS]++;
	sscanf(json_text(asked, "spec", "token"), "agent-%u", &node);
	if (node < api->world->sizes.counts[WORLD_NODES]) {
		uint32_t pod = world_agent_pod(api->world, node);

		world_pod_uid(pod, api->world->objects[WORLD_PODS][pod].incarnation, uid);
		text_append_format(&body,
				   "{\"status\":{\"authenticated\":true,\"audiences\":["
				   "\"skep-operator\"],\"user\":{\"username\":\"" SERVICE_ACCOUNT
				   "\",\"extra\":{\"authentication.kubernetes.io/pod-uid\":[\"%s\"]"
				   "}}}}",
				   uid);
	} else {
		text_append_string(&body, "{\"status\":{\"authenticated\":false}}");
	}
	http_answer(peer, 201, &body);
}

/* Objects that are kept. */

/* What was written as text is read as base64 (core v1, Secret). */
static void encode_secret(cJSON *object)
{
	const cJSON *item;
	cJSON *data;

	if (!json_find(object, "stringData"))
		return;
	cJSON_DeleteItemFromObject(object, "data");
	data = cJSON_AddObjectToObject(object, "data");
	cJSON_ArrayForEach(item, json_find(object, "stringData")) {
		size_t length = strlen(json_text_of(item));
		unsigned char *encoded = malloc(length * 4 / 3 + 8);

		if (!encoded)
			abort();
		EVP_EncodeBlock(encoded, (const unsigned char *)json_text_of(item), (int)length);
		cJSON_AddStringToObject(data, item->string, (char *)encoded);
		free(encoded);
	}
	cJSON_DeleteItemFromObject(object, "stringData");
}

static struct stored *stored_find(const struct stand_in *api, const char *path)
{
	struct stored *stored;

	HASH_FIND_STR(api->stored, path, stored);
	return stored;
}

static struct stored *stored_ensure(struct stand_in *api, const char *path)
{
	struct stored *stored = stored_find(api, path);

	if (stored)
		return stored;
	stored = calloc(1, sizeof(*stored));
	if (stored)
		stored->path = strdup(path);
	if (!stored || !stored->path)
		abort();
	HASH_ADD_KEYPTR(hh, api->stored, stored->path, strlen(stored->path), stored);
	if (!is_in_table(stored))
		abort();
	return stored;
}

static void stamp(struct stand_in *api, cJSON *object)
{
	cJSON *metadata = cJSON_GetObjectItem(object, "metadata");
	char version[24];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)++api->versions);
	cJSON_DeleteItemFromObject(metadata, "resourceVersion");
	cJSON_AddStringToObject(metadata, "resourceVersion", version);
	if (!json_find(metadata, "uid"))
		cJSON_AddStringToObject(metadata, "uid", "00000000-0000-4000-8000-000000000000");
}

static void answer_object(struct http_peer *peer, int status, const cJSON *object)
{
	cleanup_free char *print = cJSON_PrintUnformatted(object);
	struct text body = TEXT_EMPTY;

	text_append_string(&body, print);
	http_answer(peer, status, &body);
}

/* A write of one object; `path` names it. */
static void store(struct stand_in *api, struct http_peer *peer, const char *path, cJSON *object)
{
	struct stored *stored = stored_ensure(api, path);

	encode_secret(object);
	stamp(api, object);
	if (json_string(object, "data", "ca.crt") && strstr(path, "/configmaps/")) {
		folder_write(api->folder, "ca.crt", json_text(object, "data", "ca.crt"));
		api->api.has_ca = true;
	}
	cJSON_Delete(stored->object);
	stored->object = object;
	answer_object(peer, 200, object);
}

static void refuse_missing(struct http_peer *peer)
{
	struct text body = TEXT_EMPTY;

	text_append_string(&body, "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":"
				  "\"NotFound\",\"message\":\"not found\",\"code\":404}");
	http_answer(peer, 404, &body);
}

/* A status that was written. One of a policy becomes part of the world. */
static void take_status(struct stand_in *api, struct http_peer *peer,
			const struct http_request *request)
{
	cleanup_json cJSON *object = cJSON_Parse(request->body);
	cleanup_free char *status = cJSON_PrintUnformatted(json_find(object, "status"));
	const char *namespace = json_text(object, "metadata", "namespace");
	const char *name = json_text(object, "metadata", "name");

	api->api.counts[API_STATUSES]++;
	api->api.last_status_ms = uv_now(api->door.tcp.loop);
	if (status && strstr(request->path, "/observabilitypolicies/") &&
	    world_set_status(api->world, namespace, name, status))
		world_tell_policy(api->world, namespace, name);
	stamp(api, object);
	answer_object(peer, 200, object);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* What is asked for one by one: Secrets, ConfigMaps, Leases, and what is written by name. */
static void get(struct stand_in *api, struct http_peer *peer, const struct http_request *request)
{
	const struct stored *stored = stored_find(api, request->path);

	if (stored) {
		api->api.counts[API_OTHERS]++;
		answer_object(peer, 200, stored->object);
	} else if (strstr(request->path, "/secrets/") || strstr(request->path, "/configmaps/") ||
		   strstr(request->path, "/leases/")) {
		api->api.counts[API_OTHERS]++;
		refuse_missing(peer);
	} else {
		get_collection(api, peer, request);
	}
}

/* A POST names the collection, and the object itself. */
static void create(struct stand_in *api, struct http_peer *peer, const struct http_request *request)
{
	cJSON *object = cJSON_Parse(request->body);
	char path[512];

	if (ends_with(request->path, "/events")) {
		api->api.counts[API_EVENTS]++;
		answer_object(peer, 201, object);
		cJSON_Delete(object);
		return;
	}
	api->api.counts[API_OTHERS]++;
	snprintf(path, sizeof(path), "%s/%s", request->path, json_text(object, "metadata", "name"));
	store(api, peer, path, object);
}

static void on_request(void *context, struct http_peer *peer, const struct http_request *request)
{
	struct stand_in *api = context;

	if (strcmp(request->method, "GET") == 0) {
		get(api, peer, request);
	} else if (ends_with(request->path, "/tokenreviews")) {
		review(api, peer, request);
	} else if (ends_with(request->path, "/status")) {
		take_status(api, peer, request);
	} else if (strcmp(request->method, "POST") == 0) {
		create(api, peer, request);
	} else {
		bool reports = strstr(request->path, "/nodeprobereports/");

		api->api.counts[reports ? API_NODE_REPORTS : API_OTHERS]++;
		if (reports)
			api->api.last_report_ms = uv_now(api->door.tcp.loop);
		store(api, peer, request->path, cJSON_Parse(request->body));
	}
}

static void write_kubeconfig(const char *folder, int port)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "apiVersion: v1\nkind: Config\ncurrent-context: fleet\n"
		 "clusters: [{name: fleet, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
		 "users: [{name: fleet, user: {token: fleet}}]\n"
		 "contexts: [{name: fleet, context: {cluster: fleet, user: fleet}}]\n",
		 port);
	folder_write(folder, "kubeconfig", text);
}

struct api *stand_in_open(uv_loop_t *loop, struct world *world, const char *folder)
{
	struct stand_in *api = calloc(1, sizeof(*api));
	int port;

	if (!api)
		abort();
	api->world = world;
	api->folder = folder;
	api->door = (struct http_door){
		.requested = on_request, .ready = on_ready, .closed = on_gone, .context = api};
	uv_timer_init(loop, &api->tick);
	api->tick.data = api;
	uv_timer_start(&api->tick, on_tick, TICK_MS, TICK_MS);
	world->changed = on_world_changed;
	world->context = api;
	port = http_door_open(&api->door, loop);
	if (port < 0) {
		fprintf(stderr, "fleet: cannot listen on loopback: %s\n", uv_strerror(port));
		exit(EXIT_FAILURE);
	}
	write_kubeconfig(folder, port);
	write_tokens(api);
	return &api->api;
}
