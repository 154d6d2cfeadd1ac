// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "lib/base/json.h"
#include "lib/base/strings.h"

struct policy *cluster_find_policy(const struct cluster *cluster, const char *id)
{
	struct policy *policy;

	HASH_FIND_STR(cluster->policies, id, policy);
	return policy;
}

struct quota *cluster_find_quota(const struct cluster *cluster, const char *name)
{
	struct quota *quota;

	HASH_FIND_STR(cluster->quotas, name, quota);
	return quota;
}

static uint64_t pod_hash(const void *item)
{
	const struct pod *pod = item;

	return pointer_set_hash(pod->uid, strlen(pod->uid));
}

static bool pod_has_uid(const void *item, const void *uid)
{
	const struct pod *pod = item;

	return strcmp(pod->uid, uid) == 0;
}

static const struct pointer_set_kind pods_kind = {pod_hash, pod_has_uid};

struct pod *cluster_find_pod(const struct cluster *cluster, const char *uid)
{
	return pointer_set_find(&cluster->pods, &pods_kind, uid,
				pointer_set_hash(uid, strlen(uid)));
}

struct service *cluster_find_service(const struct cluster *cluster, const char *id)
{
	struct service *service;

	HASH_FIND_STR(cluster->services, id, service);
	return service;
}

struct cluster_node *cluster_find_node(const struct cluster *cluster, const char *name)
{
	struct cluster_node *node;

	HASH_FIND_STR(cluster->nodes, name, node);
	return node;
}

struct cluster_namespace *cluster_find_namespace(const struct cluster *cluster, const char *name)
{
	struct cluster_namespace *namespace;

	HASH_FIND_STR(cluster->namespaces, name, namespace);
	return namespace;
}

static struct cluster_namespace *ensure_namespace(struct cluster *cluster, const char *name)
{
	struct cluster_namespace *known = cluster_find_namespace(cluster, name), *added;

	if (known)
		return known;
	added = calloc(1, sizeof(*added));
	if (added)
		added->name = strdup(name);
	if (!added || !added->name) {
		free(added);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, cluster->namespaces, added->name, strlen(added->name), added);
	if (is_in_table(added))
		return added;
	free(added->name);
	free(added);
	return NULL;
}

static void drop_namespace_if_empty(struct cluster *cluster, struct cluster_namespace *namespace)
{
	if (namespace->exists || namespace->pods || namespace->policies)
		return;
	HASH_DEL(cluster->namespaces, namespace);
	labels_free(&namespace->labels);
	free(namespace->name);
	free(namespace);
}

static struct cluster_node *ensure_node(struct cluster *cluster, const char *name)
{
	struct cluster_node *node = cluster_find_node(cluster, name);

	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (node)
		node->name = strdup(name);
	if (!node || !node->name) {
		free(node);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, cluster->nodes, node->name, strlen(node->name), node);
	if (is_in_table(node))
		return node;
	free(node->name);
	free(node);
	return NULL;
}

static void drop_node_if_empty(struct cluster *cluster, struct cluster_node *node)
{
	if (node->exists || node->pods)
		return;
	HASH_DEL(cluster->nodes, node);
	labels_free(&node->labels);
	free(node->addresses);
	free(node->uid);
	free(node->name);
	free(node);
}

int cluster_add_policy(struct cluster *cluster, struct policy *policy)
{
	struct policy **list = &cluster->cluster_policies;
	struct cluster_namespace *namespace = NULL;

	if (policy->scope == POLICY_NAMESPACED) {
		namespace = ensure_namespace(cluster, policy->namespace);
		if (!namespace) {
			policy_free(policy);
			return -ENOMEM;
		}
		list = &namespace->policies;
	}
	HASH_ADD_KEYPTR(hh, cluster->policies, policy->id, strlen(policy->id), policy);
	if (!is_in_table(policy)) {
		if (namespace)
			drop_namespace_if_empty(cluster, namespace);
		policy_free(policy);
		return -ENOMEM;
	}
	DL_INSERT_INORDER2(*list, policy, policy_compare_age, scope_prev, scope_next);
	return 0;
}

void cluster_take_policy(struct cluster *cluster, struct policy *policy)
{
	struct cluster_namespace *namespace;

	HASH_DEL(cluster->policies, policy);
	if (policy->scope == POLICY_CLUSTER) {
		DL_DELETE2(cluster->cluster_policies, policy, scope_prev, scope_next);
		return;
	}
	namespace = cluster_find_namespace(cluster, policy->namespace);
	DL_DELETE2(namespace->policies, policy, scope_prev, scope_next);
	drop_namespace_if_empty(cluster, namespace);
}

/* Puts it beside the namespace's other pods of its node (`node` may be NULL). */
static void add_to_namespace(struct cluster_namespace *namespace, const struct cluster_node *node,
			     struct pod *pod)
{
	struct pod *beside = node ? node->pods : NULL;

	while (beside && strcmp(beside->namespace, pod->namespace) != 0)
		beside = beside->node_next;
	if (beside)
		DL_APPEND_ELEM2(namespace->pods, beside, pod, namespace_prev, namespace_next);
	else
		DL_APPEND2(namespace->pods, pod, namespace_prev, namespace_next);
}

int cluster_add_pod(struct cluster *cluster, struct pod *pod)
{
	struct cluster_namespace *namespace = ensure_namespace(cluster, pod->namespace);
	struct cluster_node *node = *pod->node ? ensure_node(cluster, pod->node) : NULL;
	bool has_room = namespace && (node || !*pod->node);

	if (!has_room || pointer_set_add(&cluster->pods, &pods_kind, pod) < 0) {
		if (namespace)
			drop_namespace_if_empty(cluster, namespace);
		if (node)
			drop_node_if_empty(cluster, node);
		pod_free(pod);
		return -ENOMEM;
	}
	pod_share_template(pod, &cluster->pod_templates);
	add_to_namespace(namespace, node, pod);
	pod->namespace_labels = namespace->exists ? &namespace->labels : NULL;
	if (node)
		DL_APPEND2(node->pods, pod, node_prev, node_next);
	return 0;
}

void cluster_take_pod(struct cluster *cluster, struct pod *pod)
{
	struct cluster_namespace *namespace = cluster_find_namespace(cluster, pod->namespace);
	struct cluster_node *node = *pod->node ? cluster_find_node(cluster, pod->node) : NULL;

	pointer_set_remove(&cluster->pods, &pods_kind, pod);
	DL_DELETE2(namespace->pods, pod, namespace_prev, namespace_next);
	pod->namespace_labels = NULL;
	drop_namespace_if_empty(cluster, namespace);
	if (node) {
		DL_DELETE2(node->pods, pod, node_prev, node_next);
		drop_node_if_empty(cluster, node);
	}
}

/* Lets the pods know it as it is now. */
static void tell_pods(struct cluster_namespace *namespace)
{
	struct pod *pod;

	DL_FOREACH2(namespace->pods, pod, namespace_next)
		pod->namespace_labels = namespace->exists ? &namespace->labels : NULL;
}

int cluster_set_namespace(struct cluster *cluster, const char *name, struct labels *labels,
			  bool *ret_changed)
{
	struct cluster_namespace *namespace = ensure_namespace(cluster, name);

	if (!namespace) {
		labels_free(labels);
		return -ENOMEM;
	}
	*ret_changed = !namespace->exists || !labels_equal(&namespace->labels, labels);
	namespace->exists = true;
	labels_free(&namespace->labels);
	namespace->labels = *labels;
	*labels = (struct labels){0};
	tell_pods(namespace);
	return 0;
}

void cluster_remove_namespace(struct cluster *cluster, const char *name)
{
	struct cluster_namespace *namespace = cluster_find_namespace(cluster, name);

	if (!namespace)
		return;
	namespace->exists = false;
	labels_free(&namespace->labels);
	tell_pods(namespace);
	drop_namespace_if_empty(cluster, namespace);
}

int cluster_set_node(struct cluster *cluster, const char *name, struct labels *labels,
		     bool *ret_changed)
{
	struct cluster_node *node = ensure_node(cluster, name);

	if (!node) {
		labels_free(labels);
		return -ENOMEM;
	}
	*ret_changed = !node->exists || !labels_equal(&node->labels, labels);
	node->exists = true;
	labels_free(&node->labels);
	node->labels = *labels;
	*labels = (struct labels){0};
	return 0;
}

int cluster_set_node_uid(struct cluster_node *node, const char *uid)
{
	if (string_equal(node->uid, uid))
		return 0;
	free(node->uid);
	node->uid = strdup(uid);
	return node->uid ? 0 : -ENOMEM;
}

static size_t decode_addresses(const cJSON *object, struct ip_address addresses[])
{
	const cJSON *item;
	size_t count = 0;

	cJSON_ArrayForEach(item, json_find(object, "status", "addresses")) {
		const char *type = json_text(item, "type");

		if (count < NODE_ADDRESSES_LIMIT &&
		    (strcmp(type, "InternalIP") == 0 || strcmp(type, "ExternalIP") == 0) &&
		    ip_address_parse(json_string(item, "address"), &addresses[count]))
			count++;
	}
	return count;
}

bool cluster_node_has_addresses(const struct cluster_node *node, const cJSON *object)
{
	struct ip_address addresses[NODE_ADDRESSES_LIMIT];
	size_t count = decode_addresses(object, addresses);

	return count == node->address_count &&
	       (count == 0 || memcmp(addresses, node->addresses, count * sizeof(*addresses)) == 0);
}

int cluster_set_node_addresses(struct cluster_node *node, const cJSON *object)
{
	struct ip_address addresses[NODE_ADDRESSES_LIMIT], *kept = NULL;
	size_t count = decode_addresses(object, addresses);

	if (count) {
		kept = calloc(count, sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		memcpy(kept, addresses, count * sizeof(*kept));
	}
	free(node->addresses);
	node->addresses = kept;
	node->address_count = count;
	return 0;
}

int cluster_add_quota(struct cluster *cluster, struct quota *quota)
{
	HASH_ADD_KEYPTR(hh, cluster->quotas, quota->name, strlen(quota->name), quota);
	if (is_in_table(quota))
		return 0;
	quota_free(quota);
	return -ENOMEM;
}

void cluster_take_quota(struct cluster *cluster, struct quota *quota)
{
	HASH_DEL(cluster->quotas, quota);
}

int cluster_add_service(struct cluster *cluster, struct service *service)
{
	HASH_ADD_KEYPTR(hh, cluster->services, service->id, strlen(service->id), service);
	if (is_in_table(service))
		return 0;
	service_free(service);
	return -ENOMEM;
}

void cluster_take_service(struct cluster *cluster, struct service *service)
{
	HASH_DEL(cluster->services, service);
}

void cluster_remove_node(struct cluster *cluster, const char *name)
{
	struct cluster_node *node = cluster_find_node(cluster, name);

	if (!node)
		return;
	node->exists = false;
	node->address_count = 0;
	free(node->uid);
	node->uid = NULL;
	labels_free(&node->labels);
	drop_node_if_empty(cluster, node);
}

static void clear_pods(struct cluster *cluster)
{
	size_t slot = 0;

	while (slot < cluster->pods.capacity) {
		struct pod *pod = cluster->pods.slots[slot];

		if (!pod) {
			slot++;
			continue;
		}
		cluster_take_pod(cluster, pod); /* another one may come into its slot */
		pod_free(pod);
	}
}

void cluster_clear(struct cluster *cluster)
{
	struct policy *policy, *next_policy;
	struct quota *quota, *next_quota;
	struct service *service, *next_service;
	struct cluster_node *node, *next_node;
	struct cluster_namespace *namespace, *next_namespace;

	HASH_ITER(hh, cluster->policies, policy, next_policy) {
		cluster_take_policy(cluster, policy);
		policy_free(policy);
	}
	HASH_ITER(hh, cluster->quotas, quota, next_quota) {
		cluster_take_quota(cluster, quota);
		quota_free(quota);
	}
	clear_pods(cluster);
	HASH_ITER(hh, cluster->services, service, next_service) {
		cluster_take_service(cluster, service);
		service_free(service);
	}
	HASH_ITER(hh, cluster->nodes, node, next_node) {
		node->exists = false;
		drop_node_if_empty(cluster, node);
	}
	HASH_ITER(hh, cluster->namespaces, namespace, next_namespace)
		cluster_remove_namespace(cluster, namespace->name);
}
