// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Beginning, pushing, ending; what is between is in controller_watches.c and _compile.c. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/log.h"
#include "operator/controller_internal.h"

#define TICK_MS 1000

bool controller_is_synced(const struct controller *controller)
{
	return controller->synced == WATCHES;
}

bool controller_is_ready(const struct controller *controller)
{
	return controller->agents && controller->api;
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
	agents_push_peers(controller->agents);
}

void controller_push_soon(struct controller *controller)
{
	if (controller->agents)
		uv_timer_start(&controller->push_timer, on_push, 0, 0);
}

static void on_agent_changed(void *context, struct fleet_node *node)
{
	controller_touch_news(context, node);
}

/* Beginning: certificates and all first lists, in any order; then the doors are opened. */

static void tell_opened(const char *whom, int port, int result, const struct error *error)
{
	if (result < 0)
		log_error("cannot serve %s on port %d: %s; trying again in %d s", whom, port,
			  error->message, TICK_MS / 1000);
	else
		log_info("serving %s on port %d", whom, port);
}

static void open_agents(struct controller *controller)
{
	const struct agents_books books = {
		.cluster = &controller->cluster,
		.addresses = &controller->addresses,
		.fleet = &controller->fleet,
		.lookups = &controller->lookups,
		.edges = &controller->edges,
	};
	struct error error;
	int result = agents_new(controller->net, controller->client, &controller->settings.agents,
				controller->bundle, &books, on_agent_changed, controller,
				&controller->agents, &error);

	tell_opened("agents", controller->settings.agents.port, result, &error);
}

static void open_api(struct controller *controller)
{
	struct error error;
	int result = api_new(controller->loop, controller->client, &controller->settings.api,
			     controller->bundle, &controller->cluster, &controller->edges,
			     &controller->api, &error);

	tell_opened("the API", controller->settings.api.port, result, &error);
}

static void open_doors(struct controller *controller)
{
	if (!controller_is_synced(controller) || !controller->bundle)
		return;
	if (!controller->agents)
		open_agents(controller);
	if (!controller->api)
		open_api(controller);
}

static void on_address_changed(void *context, const struct ip_address *address)
{
	struct controller *controller = context;

	lookups_mark(&controller->lookups, address);
	controller_push_soon(controller);
}

/* Tells the policies concerned when a node's agent has been absent for long, or is back. */
static void look_for_absence(struct controller *controller, struct fleet_node *node)
{
	bool absent = fleet_node_is_absent(node, uv_now(controller->loop));

	if (absent == node->absence_told)
		return;
	node->absence_told = absent;
	controller_touch_node(controller, node->name);
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

	open_doors(controller); /* where that has failed */
	if (!controller_is_synced(controller))
		return;
	controller_check_expiry(controller);
	edges_expire(&controller->edges, uv_now(controller->loop));
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
	open_doors(controller);
}

void controller_begin(struct controller *controller)
{
	const struct pod *pod;

	log_info("the cluster is known: %u policies, %u pods, %u nodes, %u Services",
		 HASH_COUNT(controller->cluster.policies), HASH_COUNT(controller->cluster.pods),
		 HASH_COUNT(controller->cluster.nodes), HASH_COUNT(controller->cluster.services));
	controller_judge_all(controller);
	for (pod = controller->cluster.pods; pod; pod = pod->hh.next)
		controller_compile(controller, pod);
	controller_touch_all(controller);
	open_doors(controller);
}

void controller_collect(const struct controller *controller, struct text *out)
{
	struct operator_figures figures = {
		.policies = HASH_COUNT(controller->cluster.policies),
		.pods = HASH_COUNT(controller->cluster.pods),
		.nodes = HASH_COUNT(controller->cluster.nodes),
		.services = HASH_COUNT(controller->cluster.services),
		.edges = edges_count(&controller->edges),
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

static int copy_settings(struct controller *controller, const struct controller_settings *settings,
			 struct error *error)
{
	controller->settings = (struct controller_settings){
		.agents = {.address = strdup(settings->agents.address),
			   .port = settings->agents.port,
			   .service_account = strdup(settings->agents.service_account)},
		.api = {.address = strdup(settings->api.address), .port = settings->api.port},
	};
	if (!controller->settings.agents.address || !controller->settings.agents.service_account ||
	    !controller->settings.api.address)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

static void free_settings(struct controller_settings *settings)
{
	free((char *)settings->agents.address);
	free((char *)settings->agents.service_account);
	free((char *)settings->api.address);
}

static int start(struct controller *controller, const struct controller_settings *settings,
		 struct error *error)
{
	int result = copy_settings(controller, settings, error);

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
	return result < 0 ? result : controller_start_watches(controller, error);
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
	controller->addresses.changed = on_address_changed;
	controller->addresses.context = controller;
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
	free_settings(&controller->settings);
	edges_clear(&controller->edges);
	addresses_clear(&controller->addresses);
	cluster_clear(&controller->cluster);
	fleet_clear(&controller->fleet);
	free(controller);
}

struct controller *controller_free(struct controller *controller)
{
	if (!controller)
		return NULL;
	controller->agents = agents_free(controller->agents);
	controller->api = api_free(controller->api);
	controller->certificates = certificates_free(controller->certificates);
	controller->status_writer = status_writer_free(controller->status_writer);
	controller->closing = 2;
	uv_close((uv_handle_t *)&controller->push_timer, on_timer_closed);
	uv_close((uv_handle_t *)&controller->tick, on_timer_closed);
	return NULL;
}
