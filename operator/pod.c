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

struct pod *pod_free(struct pod *pod)
{
	if (!pod)
		return NULL;
	free(pod->uid);
	free(pod->static_uid);
	free(pod->namespace);
	free(pod->name);
	free(pod->node);
	free(pod->workload_kind);
	free(pod->workload_name);
	labels_free(&pod->labels);
	for (size_t i = 0; i < pod->container_count; i++) {
		free(pod->containers[i].name);
		free(pod->containers[i].id);
	}
	free(pod->containers);
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

static void decode_workload(const cJSON *object, struct pod *pod)
{
	const cJSON *owner = find_controller(object);
	const char *kind = json_text(owner, "kind");
	const char *name = json_text(owner, "name");
	size_t length = 0;

	/* The API server takes an owner of any length from whoever may create pods. */
	if (!*kind || !*name || strlen(kind) > POD_KIND_LIMIT || strlen(name) > POD_NAME_LIMIT) {
		kind = "Pod";
		name = pod->name;
	}
	if (strcmp(kind, "ReplicaSet") == 0)
		length = deployment_name_length(name, &pod->labels);
	pod->workload_kind = strdup(length ? "Deployment" : kind);
	pod->workload_name = length ? strndup(name, length) : strdup(name);
}

/* "containerd://abc" → "abc"; NULL for a container that has no ID yet. */
static char *decode_container_id(const char *id)
{
	const char *scheme = strstr(id, "://");

	return *id ? strdup(scheme ? scheme + 3 : id) : NULL;
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

static int decode_containers(const cJSON *specs, const cJSON *statuses, struct pod *pod)
{
	const cJSON *spec;

	cJSON_ArrayForEach(spec, specs) {
		const char *name = json_text(spec, "name");
		const char *id = find_container_id(statuses, name);
		struct pod_container *container = &pod->containers[pod->container_count];

		if (pod->container_count == POD_CONTAINERS_LIMIT)
			return 0; /* the others go unobserved where a policy names them */
		*container = (struct pod_container){
			.name = strdup(name),
			.id = decode_container_id(id),
		};
		pod->container_count++;
		if (!container->name || (*id && !container->id))
			return -ENOMEM;
	}
	return 0;
}

static int decode_all_containers(const cJSON *object, struct pod *pod)
{
	static const char *const kinds[][2] = {
		{"containers", "containerStatuses"},
		{"initContainers", "initContainerStatuses"},
		{"ephemeralContainers", "ephemeralContainerStatuses"},
	};
	const cJSON *spec = json_find(object, "spec");
	const cJSON *status = json_find(object, "status");
	int count = 0, result = 0;

	for (size_t i = 0; i < 3; i++)
		count += cJSON_GetArraySize(json_find(spec, kinds[i][0]));
	if (count == 0)
		return 0;
	if (count > POD_CONTAINERS_LIMIT)
		count = POD_CONTAINERS_LIMIT;
	pod->containers = calloc((size_t)count, sizeof(*pod->containers));
	if (!pod->containers)
		return -ENOMEM;
	for (size_t i = 0; i < 3 && result == 0; i++)
		result = decode_containers(json_find(spec, kinds[i][0]),
					   json_find(status, kinds[i][1]), pod);
	return result;
}

/*
 * A static pod is started by the kubelet from a file, under a UID of its own; what the API server
 * shows is its mirror, which tells that UID in an annotation (kubernetes.io/config.hash).
 *
 * Anybody may write that annotation. It is believed in kube-system only, where whoever can make
 * pods rules the cluster anyway, and only in the form of the kubelet's hash, which no API UID has:
 * a tenant could name another tenant's pod by it.
 */
static int decode_static_uid(const cJSON *object, struct pod *pod)
{
	const cJSON *annotations = json_find(object, "metadata", "annotations");
	const char *hash = json_text(annotations, "kubernetes.io/config.hash");

	if (!json_string(annotations, "kubernetes.io/config.mirror") ||
	    strcmp(pod->namespace, "kube-system") != 0 || strlen(hash) != STATIC_UID_LENGTH ||
	    strspn(hash, "0123456789abcdef") != STATIC_UID_LENGTH)
		return 0;
	pod->static_uid = strdup(hash);
	return pod->static_uid ? 0 : -ENOMEM;
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

static int decode_members(const cJSON *object, struct pod *pod)
{
	const char *phase = json_text(object, "status", "phase");
	int result;

	pod->uid = strdup(json_text(object, "metadata", "uid"));
	pod->namespace = strdup(json_text(object, "metadata", "namespace"));
	pod->name = strdup(json_text(object, "metadata", "name"));
	pod->node = strdup(json_text(object, "spec", "nodeName"));
	if (!pod->uid || !pod->namespace || !pod->name || !pod->node)
		return -ENOMEM;
	if (!*pod->uid || !*pod->namespace || !*pod->name)
		return -EINVAL;
	if (decode_static_uid(object, pod) < 0)
		return -ENOMEM;
	pod->finished = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
	pod->started = timestamp_parse(json_text(object, "status", "startTime"));
	decode_addresses(object, pod);
	result = labels_decode(json_find(object, "metadata", "labels"), &pod->labels);
	if (result < 0)
		return result;
	decode_workload(object, pod);
	if (!pod->workload_kind || !pod->workload_name)
		return -ENOMEM;
	return decode_all_containers(object, pod);
}

int pod_decode(const cJSON *object, struct pod **ret_pod)
{
	struct pod *pod = calloc(1, sizeof(*pod));
	int result;

	if (!pod)
		return -ENOMEM;
	result = decode_members(object, pod);
	if (result < 0) {
		pod_free(pod);
		return result;
	}
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
