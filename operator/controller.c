// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/controller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/informer.h"
#include "operator/certificates.h"
#include "operator/cluster.h"
#include "operator/compile.h"
#include "operator/fleet.h"
#include "operator/metrics.h"
#include "operator/status_writer.h"

#define TICK_MS 1000

struct controller {
	uv_loop_t *loop;
	struct net_context *net;
	struct kube_client *client;
	struct agents_settings settings; /* its strings are owned */

	struct cluster cluster;
	struct fleet fleet;
	struct certificates *certificates;
	struct agents *agents; /* NULL until certificates and first lists are there */
	struct status_writer *status_writer;
	const struct pki_bundle *bundle;

	struct kube_informer *informers[WATCHES];
	unsigned int synced; /* informers whose first list is complete */

	uv_timer_t push_timer; /* runs once after each burst of changes */
	uv_timer_t tick;
	uint64_t compiled; /* pods compiled, ever */
	unsigned int closing;
};

static bool is_synced(const struct controller *controller)
{
	return controller->synced == WATCHES;
}

bool controller_is_ready(const struct controller *controller)
{
	return controller->agents;
}

/* Pushing. */

static void on_push(uv_timer_t *timer)
{
	struct controller *controller = timer->data;
	struct fleet_node *node, *next;

	HASH_ITER(hh, controller->fleet.nodes, node, next) {
		if (node->changed)
			agents_push(controller->agents, node);
	}
}

static void push_soon(struct controller *controller)
{
	if (controller->agents)
		uv_timer_start(&controller->push_timer, on_push, 0, 0);
}

/* Compiling. */

static void compile(struct controller *controller, const struct pod *pod)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, pod->namespace);
	const struct cluster_node *node = cluster_find_node(&controller->cluster, pod->node);
	struct fleet_node *fleet_node;
	struct selected_pod *selected = NULL;
	int result;

	if (!is_synced(controller) || !namespace || !node)
		return;
	controller->compiled++;
	result = compile_pod(namespace->policies, pod, &node->labels, &selected);
	fleet_node = selected ? fleet_ensure_node(&controller->fleet, node->name,
						  uv_now(controller->loop))
			      : fleet_find_node(&controller->fleet, node->name);
	if (result == 0 && selected && !fleet_node) {
		selected_pod_free(selected);
		result = -ENOMEM;
	}
	if (result == 0 && fleet_node)
		result = fleet_node_select(fleet_node, pod_cgroup_uid(pod), selected);
	if (result < 0)
		log_error("pod %s/%s cannot be compiled: out of memory", pod->namespace, pod->name);
	if (result > 0)
		push_soon(controller);
}

static void compile_namespace(struct controller *controller, const char *name)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, name);

	if (!namespace)
		return;
	for (const struct pod *pod = namespace->pods; pod; pod = pod->namespace_next)
		compile(controller, pod);
}

static void compile_node(struct controller *controller, const char *name)
{
	const struct cluster_node *node = cluster_find_node(&controller->cluster, name);

	if (!node)
		return;
	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		compile(controller, pod);
}

/* Statuses. */

static void touch_policies_of_pod(struct controller *controller, const struct pod *pod)
{
	const struct cluster_namespace *namespace =
		cluster_find_namespace(&controller->cluster, pod->namespace);

	if (!is_synced(controller) || !namespace)
		return;
	for (const struct policy *policy = namespace->policies; policy;
	     policy = policy->namespace_next)
		if (policy_selects_pod(policy, pod))
			status_writer_touch(controller->status_writer, policy->id);
}

static void touch_policies_of_node(struct controller *controller, const char *name)
{
	const struct cluster_node *node = cluster_find_node(&controller->cluster, name);

	if (!node)
		return;
	for (const struct pod *pod = node->pods; pod; pod = pod->node_next)
		touch_policies_of_pod(controller, pod);
}

static void touch_all_policies(struct controller *controller)
{
	const struct policy *policy = controller->cluster.policies;

	for (; policy; policy = policy->hh.next)
		status_writer_touch(controller->status_writer, policy->id);
}

static void on_agent_changed(void *context, struct fleet_node *node)
{
	touch_policies_of_node(context, node->name);
}

/* Beginning: certificates and three first lists, in any order; then the door is opened. */

static void open_door(struct controller *controller)
{
	struct error error;

	if (!is_synced(controller) || !controller->bundle || controller->agents)
		return;
	if (agents_new(controller->net, controller->client, &controller->settings,
		       controller->bundle, &controller->cluster, &controller->fleet,
		       on_agent_changed, controller, &controller->agents, &error) < 0) {
		log_error("cannot serve agents on port %d: %s; trying again in %d s",
			  controller->settings.port, error.message, TICK_MS / 1000);
		return;
	}
	log_info("serving agents on port %d", controller->settings.port);
}

/* Tells the policies concerned when a node's agent has been absent for long, or is back. */
static void look_for_absence(struct controller *controller, struct fleet_node *node)
{
	bool absent = fleet_node_is_absent(node, uv_now(controller->loop));

	if (absent == node->absence_told)
		return;
	node->absence_told = absent;
	touch_policies_of_node(controller, node->name);
}

/* A node that the cluster has no more, that has no agent and for which there is nothing to do. */
static bool is_left_over(const struct controller *controller, const struct fleet_node *node)
{
	return !node->connected && !node->entries &&
	       !cluster_find_node(&controller->cluster, node->name);
}

static void on_tick(uv_timer_t *timer)
{
	struct controller *controller = timer->data;
	struct fleet_node *node, *next;

	open_door(controller); /* where that has failed */
	if (!is_synced(controller))
		return;
	HASH_ITER(hh, controller->fleet.nodes, node, next) {
		if (is_left_over(controller, node))
			fleet_remove_node(&controller->fleet, node);
		else
			look_for_absence(controller, node);
	}
}

static void on_certificates(void *context, const struct pki_bundle *bundle)
{
	struct controller *controller = context;

	controller->bundle = bundle;
	open_door(controller);
}

static void on_synced(void *context)
{
	struct controller *controller = context;
	const struct pod *pod;

	controller->synced++;
	if (!is_synced(controller))
		return;
	log_info("the cluster is known: %u policies, %u pods, %u nodes",
		 HASH_COUNT(controller->cluster.policies), HASH_COUNT(controller->cluster.pods),
		 HASH_COUNT(controller->cluster.nodes));
	for (pod = controller->cluster.pods; pod; pod = pod->hh.next)
		compile(controller, pod);
	touch_all_policies(controller);
	open_door(controller);
}

/* Policies. */

static void drop_policy(struct controller *controller, struct policy *policy)
{
	cluster_take_policy(&controller->cluster, policy);
	policy_free(policy);
}

static void on_policy(void *context, const cJSON *object)
{
	struct controller *controller = context;
	struct policy *policy, *old;

	if (policy_decode(object, &policy) < 0) {
		log_error("a policy cannot be read: out of memory, or an object without a name");
		return;
	}
	old = cluster_find_policy(&controller->cluster, policy->id);
	if (old && strcmp(old->uid, policy->uid) == 0 && old->generation == policy->generation) {
		policy_free(policy); /* only its status changed: our own write comes back */
		return;
	}
	if (old)
		drop_policy(controller, old);
	if (cluster_add_policy(&controller->cluster, policy) < 0) {
		log_error("a policy cannot be kept: out of memory");
		return;
	}
	status_writer_learn(controller->status_writer, policy->id, json_find(object, "status"));
	compile_namespace(controller, policy->namespace);
	if (is_synced(controller))
		status_writer_touch(controller->status_writer, policy->id);
}

static void on_policy_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	struct controller *controller = context;
	char id[2 * POLICY_NAME_LIMIT + 2];
	struct policy *policy;

	(void)uid;
	snprintf(id, sizeof(id), "%s/%s", namespace, name);
	policy = cluster_find_policy(&controller->cluster, id);
	if (!policy)
		return;
	status_writer_forget(controller->status_writer, id);
	drop_policy(controller, policy);
	compile_namespace(controller, namespace);
}

/* Pods. */

static void deselect(struct controller *controller, const struct pod *pod)
{
	struct fleet_node *node = fleet_find_node(&controller->fleet, pod->node);

	if (node && fleet_node_select(node, pod_cgroup_uid(pod), NULL) > 0)
		push_soon(controller);
}

static void drop_pod(struct controller *controller, struct pod *pod)
{
	touch_policies_of_pod(controller, pod);
	cluster_take_pod(&controller->cluster, pod);
	pod_free(pod);
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
	if (old && pod_equal(old, pod)) {
		pod_free(pod);
		return;
	}
	if (old)
		drop_pod(controller, old);
	if (cluster_add_pod(&controller->cluster, pod) < 0) {
		log_error("a pod cannot be kept: out of memory");
		return;
	}
	compile(controller, pod);
	touch_policies_of_pod(controller, pod);
}

static void on_pod_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	struct controller *controller = context;
	struct pod *pod = cluster_find_pod(&controller->cluster, uid);

	(void)namespace;
	(void)name;
	if (!pod)
		return;
	deselect(controller, pod);
	drop_pod(controller, pod);
}

/* Nodes. */

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
	if (!changed)
		return;
	compile_node(controller, name);
	touch_policies_of_node(controller, name);
}

static void on_node_gone(void *context, const char *namespace, const char *name, const char *uid)
{
	struct controller *controller = context;

	(void)namespace;
	(void)uid;
	touch_policies_of_node(controller, name);
	cluster_remove_node(&controller->cluster, name);
	compile_node(controller, name);
}

/* What is watched, by enum watch. */
static const struct {
	const char *path;
	struct kube_informer_handlers handlers;
} watches[WATCHES] = {
	[WATCH_POLICIES] = {"/apis/skep.dev/v1alpha1/observabilitypolicies",
			    {.upsert = on_policy, .remove = on_policy_gone, .synced = on_synced}},
	[WATCH_PODS] = {"/api/v1/pods",
			{.upsert = on_pod, .remove = on_pod_gone, .synced = on_synced}},
	[WATCH_NODES] = {"/api/v1/nodes",
			 {.upsert = on_node, .remove = on_node_gone, .synced = on_synced}},
};

void controller_collect(const struct controller *controller, struct text *out)
{
	struct operator_figures figures = {
		.policies = HASH_COUNT(controller->cluster.policies),
		.pods = HASH_COUNT(controller->cluster.pods),
		.nodes = HASH_COUNT(controller->cluster.nodes),
		.compiled = controller->compiled,
		.status = status_writer_stats(controller->status_writer),
	};
	const struct fleet_node *node;

	for (node = controller->fleet.nodes; node; node = node->hh.next)
		figures.agents += node->connected;
	if (controller->agents)
		figures.link = agents_link_stats(controller->agents);
	for (int i = 0; i < WATCHES; i++)
		figures.watches[i] = kube_informer_stats(controller->informers[i]);
	operator_metrics_write(&figures, out);
}

/* Makes the name of this run: 64 random bits. */
static int make_epoch(struct controller *controller, struct error *error)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return error_set_errno(error, errno, "no random number");
	if (asprintf(&controller->fleet.epoch, "%016" PRIx64, number) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

static int start_watches(struct controller *controller, struct error *error)
{
	int result = 0;

	for (int i = 0; i < WATCHES && result == 0; i++)
		result = kube_informer_new(controller->client, watches[i].path, NULL,
					   &watches[i].handlers, controller,
					   &controller->informers[i], error);
	return result;
}

static int copy_settings(struct controller *controller, const struct agents_settings *settings,
			 struct error *error)
{
	controller->settings = (struct agents_settings){
		.address = strdup(settings->address),
		.port = settings->port,
		.service_account = strdup(settings->service_account),
	};
	if (!controller->settings.address || !controller->settings.service_account)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

static int start(struct controller *controller, const struct controller_settings *settings,
		 struct error *error)
{
	int result = copy_settings(controller, &settings->agents, error);

	if (result == 0)
		result = make_epoch(controller, error);
	if (result == 0)
		result = status_writer_new(controller->client, controller->loop,
					   &controller->cluster, &controller->fleet,
					   &controller->status_writer, error);
	if (result == 0)
		result = certificates_new(controller->client, controller->loop, settings->namespace,
					  on_certificates, controller, &controller->certificates,
					  error);
	return result < 0 ? result : start_watches(controller, error);
}

int controller_new(struct net_context *net, struct kube_client *client,
		   const struct controller_settings *settings, struct controller **ret_controller,
		   struct error *error)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	int result;

	if (!controller)
		return error_set(error, ENOMEM, "out of memory");
	controller->net = net;
	controller->client = client;
	controller->loop = net_context_loop(net);
	uv_timer_init(controller->loop, &controller->push_timer);
	uv_timer_init(controller->loop, &controller->tick);
	controller->push_timer.data = controller;
	controller->tick.data = controller;
	uv_timer_start(&controller->tick, on_tick, TICK_MS, TICK_MS);
	result = start(controller, settings, error);
	if (result < 0) {
		controller_stop(controller);
		controller_free(controller);
		return result;
	}
	*ret_controller = controller;
	return 0;
}

void controller_stop(struct controller *controller)
{
	for (int i = 0; i < WATCHES; i++)
		controller->informers[i] = kube_informer_free(controller->informers[i]);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct controller *controller = handle->data;

	if (--controller->closing > 0)
		return;
	free((char *)controller->settings.address);
	free((char *)controller->settings.service_account);
	cluster_clear(&controller->cluster);
	fleet_clear(&controller->fleet);
	free(controller);
}

struct controller *controller_free(struct controller *controller)
{
	if (!controller)
		return NULL;
	controller->agents = agents_free(controller->agents);
	controller->certificates = certificates_free(controller->certificates);
	controller->status_writer = status_writer_free(controller->status_writer);
	controller->closing = 2;
	uv_close((uv_handle_t *)&controller->push_timer, on_timer_closed);
	uv_close((uv_handle_t *)&controller->tick, on_timer_closed);
	return NULL;
}
