// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/pod.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/strings.h"
#include "operator/timestamp.h"

/* More containers than any pod has; a bound on what one object may cost. */
#define POD_CONTAINERS_LIMIT 128

/* Names of kinds and objects, as the API server bounds them where it does. */
#define POD_KIND_LIMIT 63
#define POD_NAME_LIMIT 253

#define STATIC_UID_LENGTH 32 /* an MD5 sum in hex */

/* What is read of a pod before it is put together; all belongs to the JSON, but for the labels. */
struct draft {
	const char *uid, *static_uid, *namespace, *name, *node;
	const char *workload_kind, *workload_name;
	size_t workload_name_length;
	struct labels labels;
	uint8_t container_count;
	const char *container_names[POD_CONTAINERS_LIMIT];
	const char *container_ids[POD_CONTAINERS_LIMIT];
};

struct pod *pod_free(struct pod *pod)
{
	if (!pod)
		return NULL;
	pod_template_release(pod->template);
	free(pod);
	return NULL;
}

static const cJSON *find_controller(const cJSON *object)
{
	const cJSON *owner;

	cJSON_ArrayForEach(owner, json_find(object, "metadata", "ownerReferences")) {
		if (json_boolean(owner, false, "controller") && *json_text(owner, "kind") &&
		    *json_text(owner, "name"))
			return owner;
	}
	return NULL;
}

/*
 * A Deployment names its ReplicaSets "<deployment>-<hash>" and labels their pods with the hash, so
 * the Deployment's name can be had without watching ReplicaSets. Returns its length, or 0.
 */
static size_t deployment_name_length(const char *replica_set, const struct labels *labels)
{
	const char *hash = labels_get(labels, "pod-template-hash");
	size_t length = strlen(replica_set);
	size_t suffix = hash ? strlen(hash) + 1 : 0;

	if (!hash || length <= suffix || replica_set[length - suffix] != '-' ||
	    strcmp(replica_set + length - suffix + 1, hash) != 0)
		return 0;
	return length - suffix;
}

static void decode_workload(const cJSON *object, struct draft *draft)
{
	const cJSON *owner = find_controller(object);
	const char *kind = json_text(owner, "kind");
	const char *name = json_text(owner, "name");
	size_t length = 0;

	/* The API server takes an owner of any length from whoever may create pods. */
	if (!*kind || !*name || strlen(kind) > POD_KIND_LIMIT || strlen(name) > POD_NAME_LIMIT) {
		kind = "Pod";
		name = draft->name;
	}
	if (strcmp(kind, "ReplicaSet") == 0)
		length = deployment_name_length(name, &draft->labels);
	draft->workload_kind = length ? "Deployment" : kind;
	draft->workload_name = name;
	draft->workload_name_length = length ? length : strlen(name);
}

/* "containerd://abc" → "abc"; NULL for a container that has no ID yet. */
static const char *decode_container_id(const char *id)
{
	const char *scheme = strstr(id, "://");

	if (!*id)
		return NULL;
	return scheme ? scheme + 3 : id;
}

/* Containers of the spec are there from the first; the status gives those that ran their IDs. */
static const char *find_container_id(const cJSON *statuses, const char *name)
{
	const cJSON *status;

	cJSON_ArrayForEach(status, statuses) {
		if (strcmp(json_text(status, "name"), name) == 0)
			return json_text(status, "containerID");
	}
	return "";
}

/* Beyond the limit, containers go unobserved where a policy names them. */
static void decode_containers(const cJSON *specs, const cJSON *statuses, struct draft *draft)
{
	const cJSON *spec;

	cJSON_ArrayForEach(spec, specs) {
		const char *name = json_text(spec, "name");

		if (draft->container_count == POD_CONTAINERS_LIMIT)
			return;
		draft->container_names[draft->container_count] = name;
		draft->container_ids[draft->container_count++] =
			decode_container_id(find_container_id(statuses, name));
	}
}

static void decode_all_containers(const cJSON *object, struct draft *draft)
{
	static const char *const kinds[][2] = {
		{"containers", "containerStatuses"},
		{"initContainers", "initContainerStatuses"},
		{"ephemeralContainers", "ephemeralContainerStatuses"},
	};
	const cJSON *spec = json_find(object, "spec");
	const cJSON *status = json_find(object, "status");

	for (size_t i = 0; i < 3; i++)
		decode_containers(json_find(spec, kinds[i][0]), json_find(status, kinds[i][1]),
				  draft);
}

/*
 * A static pod is started by the kubelet from a file, under a UID of its own; what the API server
 * shows is its mirror, which tells that UID in an annotation (kubernetes.io/config.hash).
 *
 * Anybody may write that annotation. It is believed in kube-system only, where whoever can make
 * pods rules the cluster anyway, and only in the form of the kubelet's hash, which no API UID has:
 * a tenant could name another tenant's pod by it.
 */
static void decode_static_uid(const cJSON *object, struct draft *draft)
{
	const cJSON *annotations = json_find(object, "metadata", "annotations");
	const char *hash = json_text(annotations, "kubernetes.io/config.hash");

	if (json_string(annotations, "kubernetes.io/config.mirror") &&
	    strcmp(draft->namespace, "kube-system") == 0 && strlen(hash) == STATIC_UID_LENGTH &&
	    strspn(hash, "0123456789abcdef") == STATIC_UID_LENGTH)
		draft->static_uid = hash;
}

static void add_address(struct pod *pod, const char *text)
{
	struct ip_address address;

	if (pod->address_count == POD_ADDRESSES_LIMIT || !ip_address_parse(text, &address))
		return;
	if (pod->address_count == 0 || memcmp(&address, pod->addresses, sizeof(address)) != 0)
		pod->addresses[pod->address_count++] = address;
}

/* podIPs holds podIP as well; a server that knows one family only may leave it out. */
static void decode_addresses(const cJSON *object, struct pod *pod)
{
	const cJSON *status = json_find(object, "status"), *item;

	if (pod->finished || json_boolean(object, false, "spec", "hostNetwork"))
		return;
	add_address(pod, json_string(status, "podIP"));
	cJSON_ArrayForEach(item, json_find(status, "podIPs"))
		add_address(pod, json_string(item, "ip"));
}

static bool addresses_equal(const struct pod *a, const struct pod *b)
{
	return a->address_count == b->address_count &&
	       memcmp(a->addresses, b->addresses, sizeof(a->addresses)) == 0;
}

bool pod_holds_same(const struct pod *a, const struct pod *b)
{
	return a->started == b->started && addresses_equal(a, b) && strcmp(a->uid, b->uid) == 0 &&
	       strcmp(a->workload_kind, b->workload_kind) == 0 &&
	       strcmp(a->workload_name, b->workload_name) == 0;
}

static int decode_draft(const cJSON *object, struct draft *draft)
{
	int result = labels_decode(json_find(object, "metadata", "labels"), &draft->labels);

	if (result < 0)
		return result;
	draft->uid = json_text(object, "metadata", "uid");
	draft->namespace = json_text(object, "metadata", "namespace");
	draft->name = json_text(object, "metadata", "name");
	draft->node = json_text(object, "spec", "nodeName");
	if (!*draft->uid || !*draft->namespace || !*draft->name)
		return -EINVAL;
	decode_static_uid(object, draft);
	decode_workload(object, draft);
	decode_all_containers(object, draft);
	return 0;
}

/* Where the members are that the template holds. */
static void set_template(struct pod *pod, struct pod_template *template)
{
	pod->template = template;
	pod->namespace = template->namespace;
	pod->workload_kind = template->workload_kind;
	pod->workload_name = template->workload_name;
	pod->labels = template->labels;
	for (uint8_t i = 0; i < pod->container_count; i++)
		pod->containers[i].name = template->container_names[i];
}

void pod_share_template(struct pod *pod, struct pod_template **table)
{
	set_template(pod, pod_template_share(table, pod->template));
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* The bytes of a pod with all that lies behind it. */
static size_t pod_size(const struct draft *draft)
{
	size_t size = sizeof(struct pod) + draft->container_count * sizeof(struct pod_container);

	for (uint8_t i = 0; i < draft->container_count; i++)
		size += text_size(draft->container_ids[i]);
	return size + text_size(draft->uid) + text_size(draft->static_uid) +
	       text_size(draft->name) + text_size(draft->node);
}

/* Copies `text` to *at, which goes on behind it. NULL stays NULL. */
static const char *put(char **at, const char *text)
{
	char *copy = *at;

	if (!text)
		return NULL;
	memcpy(copy, text, strlen(text) + 1);
	*at += strlen(text) + 1;
	return copy;
}

static void fill(struct pod *pod, const struct draft *draft)
{
	char *at;

	pod->containers = (struct pod_container *)(pod + 1);
	pod->container_count = draft->container_count;
	at = (char *)(pod->containers + pod->container_count);
	pod->uid = put(&at, draft->uid);
	pod->static_uid = put(&at, draft->static_uid);
	pod->name = put(&at, draft->name);
	pod->node = put(&at, draft->node);
	for (uint8_t i = 0; i < pod->container_count; i++)
		pod->containers[i].id = put(&at, draft->container_ids[i]);
}

static struct pod *pod_new(const struct draft *draft)
{
	const struct pod_template_parts parts = {
		.namespace = draft->namespace,
		.workload_kind = draft->workload_kind,
		.workload_name = draft->workload_name,
		.workload_name_length = draft->workload_name_length,
		.container_names = draft->container_names,
		.container_count = draft->container_count,
		.labels = &draft->labels,
	};
	struct pod_template *template = pod_template_new(&parts);
	struct pod *pod = template ? calloc(1, pod_size(draft)) : NULL;

	if (!pod) {
		pod_template_release(template);
		return NULL;
	}
	fill(pod, draft);
	set_template(pod, template);
	return pod;
}

static void decode_state(const cJSON *object, struct pod *pod)
{
	const char *phase = json_text(object, "status", "phase");

	pod->finished = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
	pod->started = timestamp_parse(json_text(object, "status", "startTime"));
	decode_addresses(object, pod);
}

int pod_decode(const cJSON *object, struct pod **ret_pod)
{
	struct draft draft = {0};
	struct pod *pod = NULL;
	int result = decode_draft(object, &draft);

	if (result == 0) {
		pod = pod_new(&draft);
		result = pod ? 0 : -ENOMEM;
	}
	labels_free(&draft.labels);
	if (result < 0)
		return result;
	decode_state(object, pod);
	*ret_pod = pod;
	return 0;
}

const char *pod_cgroup_uid(const struct pod *pod)
{
	return pod->static_uid ? pod->static_uid : pod->uid;
}

bool pod_has_container(const struct pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->container_count; i++)
		if (strcmp(pod->containers[i].name, name) == 0)
			return true;
	return false;
}

static bool containers_equal(const struct pod *a, const struct pod *b)
{
	if (a->container_count != b->container_count)
		return false;
	for (size_t i = 0; i < a->container_count; i++)
		if (!string_equal(a->containers[i].name, b->containers[i].name) ||
		    !string_equal(a->containers[i].id, b->containers[i].id))
			return false;
	return true;
}

bool pod_equal(const struct pod *a, const struct pod *b)
{
	return strcmp(a->namespace, b->namespace) == 0 && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->node, b->node) == 0 && string_equal(a->static_uid, b->static_uid) &&
	       a->finished == b->finished && pod_holds_same(a, b) &&
	       labels_equal(&a->labels, &b->labels) && containers_equal(a, b);
}
