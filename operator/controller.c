// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* Beginning, pushing, ending; what is between is in controller_watches.c and _compile.c. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/base/log.h"
#include "operator/controller_internal.h"

#define TICK_MS	  1000
#define SETTLE_MS 35000 /* in which agents notice that their leader is gone, and find the next */

/* Then the rest of the loop has its turn. */
#define COMPILE_NS 30000000
#define PUSH_NS	   30000000

bool controller_is_at_work(const struct controller *controller)
{
	return controller->leading;
}

bool controller_is_ready(const struct controller *controller)
{
	return controller->api && (controller->agents_open || !controller->leading);
}

uint64_t controller_heard_ms(const struct controller *controller)
{
	uint64_t now_ms = uv_now(controller->loop);

	return now_ms < controller->settled_ms ? controller->settled_ms - FLEET_AGENT_GRACE_MS
					       : now_ms;
}

/* Pushing. */

/*
 * Tells nodes what has changed for them, each once in a turn, as long as there is time. Returns
 * whether all have had their turn.
 */
static bool push_some(struct controller *controller)
{
	uint64_t end = uv_hrtime() + PUSH_NS;
	struct fleet_node *node, *next;

	HASH_ITER(hh, controller->fleet.nodes, node, next) {
		if (!node->changed || node->turn == controller->push_turn)
			continue;
		if (uv_hrtime() > end)
			return false;
		node->turn = controller->push_turn;
		agents_push(controller->agents, node);
	}
	return true;
}

/* A change on all nodes would keep those who ask and report waiting for long. */
static void on_push(uv_timer_t *timer)
{
	struct controller *controller = timer->data;

	if (push_some(controller)) {
		controller->push_turn++;
		agents_push_peers(controller->agents);
	} else {
		/* Of 0 ms, libuv would call it again before anything else. */
		uv_timer_start(timer, on_push, 1, 0);
	}
}

void controller_push_soon(struct controller *controller)
{
	if (controller->agents_open)
		uv_timer_start(&controller->push_timer, on_push, 0, 0);
}

static void on_agent_changed(void *context, struct fleet_node *node)
{
	struct controller *controller = context;

	controller_touch_news(controller, node);
	node_book_touch(&controller->nodes, node->name);
}

/* The doors are opened when certificates and all first lists are there, in any order. */

static void tell_opened(const char *whom, int port, int result, const struct error *error)
{
	if (result < 0)
		log_error("cannot serve %s on port %d: %s; trying again in %d s", whom, port,
			  error->message, TICK_MS / 1000);
	else
		log_info("serving %s on port %d", whom, port);
}

static int make_agents(struct controller *controller, struct error *error)
{
	const struct agents_books books = {
		.cluster = &controller->cluster,
		.addresses = &controller->addresses,
		.fleet = &controller->fleet,
		.lookups = &controller->lookups,
		.edges = &controller->edges,
		.nodes = &controller->nodes,
	};

	return agents_new(controller->net, controller->client, &controller->settings.agents,
			  controller->bundle, &books, on_agent_changed, controller,
			  &controller->agents, error);
}

static void open_agents(struct controller *controller)
{
	struct error error;
	int result = controller->agents ? agents_reopen(controller->agents, &error)
					: make_agents(controller, &error);

	tell_opened("agents", controller->settings.agents.port, result, &error);
	controller->agents_open = result == 0;
	if (controller->agents_open)
		leader_publish(controller->leader);
}

static void open_api(struct controller *controller)
{
	struct error error;
	int result = api_new(controller->loop, controller->client, &controller->settings.api,
			     controller->bundle, &controller->cluster, &controller->edges,
			     controller->leader, &controller->api, &error);

	tell_opened("the API", controller->settings.api.port, result, &error);
}

static void open_doors(struct controller *controller)
{
	if (!controller->leader || !controller->bundle)
		return;
	if (controller->leading && !controller->compiling && !controller->agents_open)
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

/* Who is connected stays so; who comes from now on sees the new one. */
static void change_certificate(struct controller *controller, const struct pki_bundle *bundle)
{
	struct error error;
	int result = 0;

	if (controller->agents)
		result = agents_set_certificate(controller->agents, bundle, &error);
	if (result == 0 && controller->api)
		result = api_set_certificate(controller->api, bundle, &error);
	if (result < 0)
		log_error("cannot serve with the new certificate: %s", error.message);
	else
		log_info("serving with a new certificate");
}

static void on_certificates(void *context, const struct pki_bundle *bundle)
{
	struct controller *controller = context;

	bool is_first = !controller->bundle;

	controller->bundle = bundle;
	if (is_first)
		open_doors(controller);
	else
		change_certificate(controller, bundle);
}

/* Makes the name of this lead: 64 random bits. */
static int make_epoch(struct controller *controller, struct error *error)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return error_set_errno(error, errno, "no random number");
	if (asprintf(&controller->fleet.epoch, "%016" PRIx64, number) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

/* Leading, and standing by: then the picture of the cluster is kept, and nothing that builds on it.
 */

/* Compiles all pods of nodes, as long as there is time. Returns whether all have had their turn. */
static bool compile_some(struct controller *controller)
{
	uint64_t end = uv_hrtime() + COMPILE_NS;
	struct cluster_node *node = controller->cluster.nodes;

	for (; node; node = node->hh.next) {
		if (node->turn == controller->compile_turn)
			continue;
		if (uv_hrtime() > end)
			return false;
		node->turn = controller->compile_turn;
		controller_compile_node(controller, node->name);
	}
	return true;
}

/* All at once would take seconds, in which the lead runs out that has only begun. */
static void on_compile(uv_timer_t *timer)
{
	struct controller *controller = timer->data;

	if (!compile_some(controller)) {
		/* Of 0 ms, libuv would call it again before anything else. */
		uv_timer_start(timer, on_compile, 1, 0);
		return;
	}
	controller->compiling = false;
	open_doors(controller);
}

static void compile_all(struct controller *controller)
{
	controller->compiling = true;
	controller->compile_turn++;
	uv_timer_start(&controller->compile_timer, on_compile, 0, 0);
}

static void on_lead(void *context)
{
	struct controller *controller = context;
	struct error error;

	if (make_epoch(controller, &error) < 0) {
		log_error("cannot lead: %s; trying again in %d s", error.message, TICK_MS / 1000);
		return;
	}
	controller->leading = true;
	controller->settled_ms = uv_now(controller->loop) + SETTLE_MS;
	controller->fleet.settled_ms = controller->settled_ms;
	controller->settled = false;
	status_writer_wake(controller->status_writer, controller->settled_ms);
	node_book_begin(&controller->nodes);
	compile_all(controller);
	controller_check_expiry(controller);
	controller_judge_all(controller);
	controller_tell_quotas(controller);
	controller_touch_all(controller);
	open_doors(controller);
}

static void on_stand_by(void *context)
{
	struct controller *controller = context;

	controller->leading = false;
	status_writer_rest(controller->status_writer);
	node_writer_rest(controller->node_writer);
	uv_timer_stop(&controller->compile_timer);
	controller->compiling = false;
	uv_timer_stop(&controller->push_timer);
	if (controller->agents_open)
		agents_shut(controller->agents, "another operator leads");
	controller->agents_open = false;
	fleet_clear(&controller->fleet);
	edges_clear(&controller->edges);
}

static void start_leader(struct controller *controller)
{
	static const struct leader_handlers handlers = {.lead = on_lead, .stand_by = on_stand_by};
	struct error error;

	if (leader_new(controller->client, controller->loop, &controller->settings.leader,
		       &handlers, controller, &controller->leader, &error) < 0)
		log_error("cannot stand by: %s; trying again in %d s", error.message,
			  TICK_MS / 1000);
}

/* What could not be begun when it was time for it. */
static void catch_up(struct controller *controller)
{
	if (controller->synced == WATCHES && !controller->leader)
		start_leader(controller);
	else if (controller->leader && leader_is_leading(controller->leader) &&
		 !controller->leading)
		on_lead(controller);
	open_doors(controller);
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

/* From now on, an agent that has not come is away: policies that stand by for it know. */
static void look_whether_settled(struct controller *controller)
{
	if (controller->settled || uv_now(controller->loop) < controller->settled_ms)
		return;
	controller->settled = true;
	controller_touch_all(controller);
}

/* A node that the cluster has no more, that has no agent and for which there is nothing to do. */
static bool is_left_over(const struct controller *controller, const struct fleet_node *node)
{
	return !node->connected && !node->entries.count &&
	       !cluster_find_node(&controller->cluster, node->name);
}

static void write_node_reports(struct controller *controller)
{
	const struct node_book_view view = {
		.cluster = &controller->cluster,
		.fleet = &controller->fleet,
		.namespace = controller->settings.leader.namespace,
		.settled_ms = controller->settled_ms,
		.now_ms = uv_now(controller->loop),
		.time = time(NULL),
	};

	node_writer_tick(controller->node_writer, &view);
}

static void on_tick(uv_timer_t *timer)
{
	struct controller *controller = timer->data;
	struct fleet_node *node, *next;

	catch_up(controller);
	if (!controller_is_at_work(controller))
		return;
	controller_check_expiry(controller);
	look_whether_settled(controller);
	status_writer_tick(controller->status_writer);
	edges_expire(&controller->edges, uv_now(controller->loop));
	HASH_ITER(hh, controller->fleet.nodes, node, next) {
		if (is_left_over(controller, node))
			fleet_remove_node(&controller->fleet, node);
		else
			look_for_absence(controller, node);
	}
	write_node_reports(controller);
}

void controller_synced(struct controller *controller)
{
	log_info("the cluster is known: %u policies, %u pods, %u nodes, %u Services",
		 HASH_COUNT(controller->cluster.policies),
		 (unsigned int)controller->cluster.pods.count,
		 HASH_COUNT(controller->cluster.nodes), HASH_COUNT(controller->cluster.services));
	start_leader(controller);
	open_doors(controller);
}

void controller_collect(const struct controller *controller, struct text *out)
{
	struct operator_figures figures = {
		.policies = HASH_COUNT(controller->cluster.policies),
		.pods = controller->cluster.pods.count,
		.nodes = HASH_COUNT(controller->cluster.nodes),
		.services = HASH_COUNT(controller->cluster.services),
		.edges = edges_count(&controller->edges),
		.compiled = controller->compiled,
		.status = status_writer_stats(controller->status_writer),
		.node_reports = node_writer_stats(controller->node_writer),
	};
	const struct fleet_node *node;

	for (node = controller->fleet.nodes; node; node = node->hh.next)
		figures.agents += node->connected;
	figures.leading = controller->leading;
	if (controller->agents)
		figures.link = agents_link_stats(controller->agents);
	for (int i = 0; i < WATCHES; i++)
		figures.watches[i] = kube_informer_stats(controller->informers[i]);
	operator_metrics_write(&figures, out);
}

static bool may_write(void *context)
{
	const struct controller *controller = context;

	return leader_is_leading(controller->leader);
}

static int copy_settings(struct controller *controller, const struct controller_settings *settings,
			 struct error *error)
{
	controller->settings = (struct controller_settings){
		.agents = {.address = strdup(settings->agents.address),
			   .port = settings->agents.port,
			   .times = settings->agents.times,
			   .service_account = strdup(settings->agents.service_account)},
		.api = {.address = strdup(settings->api.address), .port = settings->api.port},
		.leader = settings->leader,
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

static int start_certificates(struct controller *controller,
			      const struct controller_settings *settings, struct error *error)
{
	if (*settings->certificate_paths.certificate)
		return certificate_files_new(controller->client, controller->loop,
					     settings->namespace, &settings->certificate_paths,
					     on_certificates, controller,
					     &controller->certificate_files, error);
	return certificates_new(controller->client, controller->loop, settings->namespace,
				&settings->lives, on_certificates, controller,
				&controller->certificates, error);
}

static int make_node_writer(struct controller *controller, struct error *error)
{
	controller->node_writer =
		node_writer_new(controller->client, &controller->nodes, may_write, controller);
	return controller->node_writer ? 0 : error_set(error, ENOMEM, "out of memory");
}

static int start(struct controller *controller, const struct controller_settings *settings,
		 struct error *error)
{
	int result = copy_settings(controller, settings, error);

	if (result == 0)
		result = status_writer_new(controller->client, controller->loop,
					   &controller->cluster, &controller->fleet, may_write,
					   controller, &controller->status_writer, error);
	if (result == 0)
		result = make_node_writer(controller, error);
	if (result == 0)
		result = start_certificates(controller, settings, error);
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
	controller->push_turn = 1;
	controller->net = net;
	controller->client = client;
	controller->loop = net_context_loop(net);
	controller->addresses.changed = on_address_changed;
	controller->addresses.context = controller;
	uv_timer_init(controller->loop, &controller->compile_timer);
	uv_timer_init(controller->loop, &controller->push_timer);
	uv_timer_init(controller->loop, &controller->tick);
	controller->compile_timer.data = controller->push_timer.data = controller;
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

void controller_retire(struct controller *controller, void (*done)(void *context), void *context)
{
	if (controller->leading)
		on_stand_by(controller);
	if (controller->leader)
		leader_resign(controller->leader, done, context);
	else
		done(context);
}

void controller_stop(struct controller *controller)
{
	if (controller->status_writer)
		status_writer_rest(controller->status_writer);
	if (controller->node_writer)
		node_writer_rest(controller->node_writer);
	controller->leader = leader_free(controller->leader);
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
	node_book_clear(&controller->nodes);
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
	controller->certificate_files = certificate_files_free(controller->certificate_files);
	controller->status_writer = status_writer_free(controller->status_writer);
	controller->node_writer = node_writer_free(controller->node_writer);
	controller->closing = 3;
	uv_close((uv_handle_t *)&controller->compile_timer, on_timer_closed);
	uv_close((uv_handle_t *)&controller->push_timer, on_timer_closed);
	uv_close((uv_handle_t *)&controller->tick, on_timer_closed);
	return NULL;
}
