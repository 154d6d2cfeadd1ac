// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * What the watches tell: it goes into the cluster's picture, and whom it concerns is told. Policies
 * are in controller_policies.c.
 */

#include <stdio.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "operator/api_group.h"
#include "operator/controller_internal.h"

/* Pods. */

/* Lets the addresses know the pod as it is now. `old`, as it was, may be NULL. */
static void replace_addresses(struct addresses *addresses, const struct pod *old,
			      const struct pod *pod)
{
	if (old && pod_holds_same(old, pod)) {
		addresses_renew_pod(addresses, old, pod);
		return;
	}
	if (old)
		addresses_take_pod(addresses, old);
	if (addresses_add_pod(addresses, pod) < 0)
		log_error("the addresses of pod %s/%s cannot be kept: out of memory",
			  pod->namespace, pod->name);
}

/* Takes both. */
static void replace_pod(struct controller *controller, struct pod *old, struct pod *pod)
{
	if (old) {
		/* A mirror pod may be told to be that of another static pod. */
		if (strcmp(pod_cgroup_uid(old), pod_cgroup_uid(pod)) != 0)
			controller_deselect(controller, old);
		controller_touch_pod(controller, old);
		cluster_take_pod(&controller->cluster, old);
	}
	if (cluster_add_pod(&controller->cluster, pod) == 0) {
		replace_addresses(&controller->addresses, old, pod);
		controller_compile(controller, pod);
		controller_touch_pod(controller, pod);
	} else {
		log_error("a pod cannot be kept: out of memory");
		if (old)
			addresses_take_pod(&controller->addresses, old);
	}
	pod_free(old);
}

static void on_pod(void *context, const cJSON *object)
{
	struct controller *controller = context;
	struct pod *pod, *old;

	if (pod_decode(object, &pod) < 0) {
		log_error("pod %.80s/%.80s cannot be read: out of memory, or it is no pod",
			  json_text(object, "metadata", "namespace"),
			  json_text(object, "metadata", "name"));
		return;
	}
	old = cluster_find_pod(&controller->cluster, pod->uid);
	if (old && pod_equal(old, pod))
		pod_free(pod);
	else
		replace_pod(controller, old, pod);
}

static void on_pod_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	struct controller *controller = context;
	struct pod *pod = cluster_find_pod(&controller->cluster, uid);

	(void)namespace;
	(void)name;
	if (!pod)
		return;
	controller_deselect(controller, pod);
	controller_touch_pod(controller, pod);
	addresses_take_pod(&controller->addresses, pod);
	cluster_take_pod(&controller->cluster, pod);
	pod_free(pod);
}

/* Services. */

static void drop_service(struct controller *controller, struct service *service)
{
	addresses_take_service(&controller->addresses, service);
	cluster_take_service(&controller->cluster, service);
	service_free(service);
}

static void on_service(void *context, const cJSON *object)
{
	struct controller *controller = context;
	struct service *service, *old;

	if (service_decode(object, &service) < 0) {
		log_error("a Service cannot be read: out of memory, or an object without a name");
		return;
	}
	old = cluster_find_service(&controller->cluster, service->id);
	if (old && service_equal(old, service)) {
		service_free(service);
		return;
	}
	if (old)
		drop_service(controller, old);
	if (cluster_add_service(&controller->cluster, service) < 0)
		log_error("a Service cannot be kept: out of memory");
	else if (addresses_add_service(&controller->addresses, service) < 0)
		log_error("the addresses of Service %s cannot be kept: out of memory", service->id);
}

static void on_service_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	struct controller *controller = context;
	char id[2 * POLICY_NAME_LIMIT + 2];
	struct service *service;

	(void)uid;
	snprintf(id, sizeof(id), "%s/%s", namespace, name);
	service = cluster_find_service(&controller->cluster, id);
	if (service)
		drop_service(controller, service);
}

/* Nodes. */

/* Its report is owned by the node with this UID. */
static void keep_uid(struct controller *controller, const cJSON *object)
{
	struct cluster_node *node =
		cluster_find_node(&controller->cluster, json_text(object, "metadata", "name"));

	if (cluster_set_node_uid(node, json_text(object, "metadata", "uid")) < 0)
		log_error("the UID of node %s cannot be kept: out of memory", node->name);
}

static void replace_node_addresses(struct controller *controller, const cJSON *object)
{
	struct cluster_node *node =
		cluster_find_node(&controller->cluster, json_text(object, "metadata", "name"));
	int result;

	if (cluster_node_has_addresses(node, object))
		return;
	addresses_take_node(&controller->addresses, node);
	result = cluster_set_node_addresses(node, object);
	if (result == 0)
		result = addresses_add_node(&controller->addresses, node);
	if (result < 0)
		log_error("the addresses of node %s cannot be kept: out of memory", node->name);
}

static void on_node(void *context, const cJSON *object)
{
	struct controller *controller = context;
	const char *name = json_text(object, "metadata", "name");
	struct labels labels;
	bool changed;

	if (labels_decode(json_find(object, "metadata", "labels"), &labels) < 0 ||
	    cluster_set_node(&controller->cluster, name, &labels, &changed) < 0) {
		log_error("node %.80s cannot be kept: out of memory", name);
		return;
	}
	keep_uid(controller, object);
	replace_node_addresses(controller, object);
	if (!changed)
		return;
	controller_compile_node(controller, name);
	controller_touch_node(controller, name);
}

static void on_node_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	struct controller *controller = context;
	struct cluster_node *node;

	(void)namespace;
	(void)uid;
	controller_touch_node(controller, name);
	node = cluster_find_node(&controller->cluster, name);
	if (node)
		addresses_take_node(&controller->addresses, node);
	cluster_remove_node(&controller->cluster, name);
	controller_compile_node(controller, name);
}

static void on_node_report(void *context, const cJSON *object)
{
	struct controller *controller = context;

	const char *name = json_text(object, "metadata", "name");

	if (node_book_learn(&controller->nodes, name, object) < 0)
		log_error("the report of node %.253s cannot be kept: out of memory", name);
}

static void on_node_report_gone(void *context, const char *namespace, const char *name,
				const char *uid)
{
	struct controller *controller = context;

	(void)namespace;
	(void)uid;
	node_book_gone(&controller->nodes, name);
}

/* Namespaces. */

/*
 * A namespace is selected by its name with it. API servers before 1.21 do not set it, and let
 * anybody who may write a namespace set it to anything.
 */
#define NAME_LABEL "kubernetes.io/metadata.name"

static void on_namespace_changed(struct controller *controller, const char *name)
{
	(void)controller_judge_namespace(controller, name); /* all of it is compiled anyway */
	controller_compile_namespace(controller, name);
	controller_touch_namespace(controller, name);
	controller_touch_cluster_policies(controller);
}

static void on_namespace(void *context, const cJSON *object)
{
	struct controller *controller = context;
	const char *name = json_text(object, "metadata", "name");
	struct labels labels = {0};
	bool changed;
	int result = labels_decode(json_find(object, "metadata", "labels"), &labels);

	if (result == 0)
		result = labels_set(&labels, NAME_LABEL, name);
	if (result < 0)
		labels_free(&labels);
	else
		result = cluster_set_namespace(&controller->cluster, name, &labels, &changed);
	if (result < 0)
		log_error("namespace %.80s cannot be kept: out of memory", name);
	else if (changed)
		on_namespace_changed(controller, name);
}

static void on_namespace_gone(void *context, const char *namespace, const char *name,
			      const char *uid)
{
	struct controller *controller = context;

	(void)namespace;
	(void)uid;
	cluster_remove_namespace(&controller->cluster, name);
	on_namespace_changed(controller, name);
}

static void on_synced(void *context)
{
	struct controller *controller = context;

	controller->synced++;
	if (controller->synced == WATCHES)
		controller_synced(controller);
}

const struct controller_watch controller_watches[WATCHES] = {
	[WATCH_POLICIES] = {API_PATH "/observabilitypolicies",
			    {.upsert = controller_on_policy,
			     .remove = controller_on_policy_gone,
			     .synced = on_synced}},
	[WATCH_CLUSTER_POLICIES] = {API_PATH "/clusterobservabilitypolicies",
				    {.upsert = controller_on_cluster_policy,
				     .remove = controller_on_policy_gone,
				     .synced = on_synced}},
	[WATCH_QUOTAS] = {API_PATH "/probequotas",
			  {.upsert = controller_on_quota,
			   .remove = controller_on_quota_gone,
			   .synced = on_synced}},
	[WATCH_NAMESPACES] = {"/api/v1/namespaces",
			      {.upsert = on_namespace,
			       .remove = on_namespace_gone,
			       .synced = on_synced}},
	[WATCH_PODS] = {"/api/v1/pods",
			{.upsert = on_pod, .remove = on_pod_gone, .synced = on_synced}},
	[WATCH_NODES] = {"/api/v1/nodes",
			 {.upsert = on_node, .remove = on_node_gone, .synced = on_synced}},
	[WATCH_SERVICES] = {"/api/v1/services",
			    {.upsert = on_service, .remove = on_service_gone, .synced = on_synced}},
	[WATCH_NODE_REPORTS] = {API_PATH "/nodeprobereports",
				{.upsert = on_node_report,
				 .remove = on_node_report_gone,
				 .synced = on_synced}},
};

int controller_start_watches(struct controller *controller, struct error *error)
{
	int result = 0;

	for (int i = 0; i < WATCHES && result == 0; i++)
		result = kube_informer_new(controller->client, controller_watches[i].path, NULL,
					   &controller_watches[i].handlers, controller,
					   &controller->informers[i], error);
	return result;
}
