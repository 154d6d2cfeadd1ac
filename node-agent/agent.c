// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/http/server.h"
#include "node-agent/budget/budgets.h"
#include "node-agent/edges/local_edges.h"
#include "node-agent/export/exporter.h"
#include "node-agent/export/self.h"
#include "node-agent/facts/node_facts.h"
#include "node-agent/lifecycle/lifecycle.h"
#include "node-agent/pods/tree.h"
#include "node-agent/selection/conversation.h"
#include "node-agent/selection/store.h"
#include "node-agent/series/store.h"

/* Sockets at one time: the operator's, and those of scrapers and health checks. */
#define AGENT_CONNECTIONS 72

/* How often the probes are read when nobody scrapes, and the operator is told of edges, in ms. */
#define READ_INTERVAL_MS 10000

/*
 * And how soon after something was attached: whom a new pod talks to is asked before it may end.
 */
#define FIRST_READ_MS 1000

/* How often it is looked who is beyond a bound, while anybody is. */
#define REVIEW_INTERVAL_MS 1000

/* Who asks again within this time gets what was read last: anybody can ask. */
#define SCRAPE_INTERVAL_MS 200

/* How often it is looked whether there is news of the node as a whole, where nothing else says so.
 */
#define NODE_INTERVAL_MS 60000

struct agent {
	const struct agent_options *options;
	struct desired desired;
	uint64_t starts;
	struct net_context *net;
	struct http_server *http;
	struct cgroup_tree *tree;
	struct store_writer *store;
	struct exporter *exporter;
	struct budgets budgets;
	struct series_store *series;
	struct local_edges edges;
	struct lifecycle *lifecycle;
	struct conversation *conversation;
	struct node_facts_fixed node;
	uint64_t node_told;    /* digest of the facts that the operator has; 0: none */
	uint64_t node_look_at; /* when there may be news of them, ms */
	uint64_t renewed_at;   /* when the probes were last read for all, ms */
	uv_timer_t review_timer;
	uv_timer_t read_timer; /* its closing ends the agent's memory, after all that uses it */
};

/* What lifecycle asks. */

static const struct selected_pod *on_find_pod(void *context, const char *uid)
{
	const struct agent *agent = context;

	return desired_find(&agent->desired, uid);
}

static const struct pod_folder *on_find_folder(void *context, const char *uid)
{
	struct agent *agent = context;

	cgroup_tree_watch_containers(agent->tree, uid);
	return cgroup_tree_find(agent->tree, uid);
}

/* Tells the operator who is beyond a bound, if that has changed. */
static void review(struct agent *agent)
{
	if (throttles_review(&agent->budgets.throttles, uv_now(agent->read_timer.loop)) &&
	    agent->conversation)
		conversation_report_soon(agent->conversation);
}

static void on_review_timer(uv_timer_t *timer)
{
	struct agent *agent = timer->data;

	review(agent);
	if (throttles_are_quiet(&agent->budgets.throttles))
		uv_timer_stop(timer);
}

static void review_soon(struct agent *agent)
{
	if (!uv_is_active((const uv_handle_t *)&agent->review_timer) &&
	    !throttles_are_quiet(&agent->budgets.throttles))
		uv_timer_start(&agent->review_timer, on_review_timer, REVIEW_INTERVAL_MS,
			       REVIEW_INTERVAL_MS);
}

static void on_event(void *context, enum probe_type type, const struct event_source *source,
		     cJSON *event)
{
	bool told[SELECTION_POLICIES_LIMIT];
	struct event_source admitted = *source;
	struct agent *agent = context;

	if (source->pod) {
		if (!budgets_admit(&agent->budgets, &source->pod->probes[type].policies,
				   uv_now(agent->read_timer.loop), told))
			cJSON_Delete(take_pointer(event));
		admitted.told = told;
		review_soon(agent);
	}
	if (event)
		exporter_emit(agent->exporter, type, &admitted, event);
}

static void look_up_soon(struct agent *agent)
{
	if (agent->conversation && peer_cache_has_lookup(&agent->edges.peers))
		conversation_lookup_soon(agent->conversation);
}

static struct series_row *on_edge_row(void *context, const struct edge_source *source,
				      const struct series_layout *layout, const struct edge *edge)
{
	struct agent *agent = context;
	struct series_row *row = local_edges_row(&agent->edges, source, layout, edge,
						 uv_now(agent->read_timer.loop));

	look_up_soon(agent);
	return row;
}

static bool on_find_peer(void *context, const struct selected_pod *pod,
			 const uint8_t address[EDGE_ADDRESS_SIZE], struct peer_identity *ret_peer)
{
	struct agent *agent = context;
	bool found = local_edges_find_peer(&agent->edges, pod, address,
					   uv_now(agent->read_timer.loop), ret_peer);

	look_up_soon(agent);
	return found;
}

static void on_learn_name(void *context, const struct selected_pod *pod,
			  const uint8_t address[EDGE_ADDRESS_SIZE], const char *name,
			  uint32_t ttl_s)
{
	struct agent *agent = context;

	local_edges_learn(&agent->edges, pod, address, name, ttl_s, uv_now(agent->read_timer.loop));
}

static void on_read_timer(uv_timer_t *timer);

/* From now on, or sooner than it would have been. */
static void start_reading(struct agent *agent)
{
	uv_timer_start(&agent->read_timer, on_read_timer, FIRST_READ_MS, READ_INTERVAL_MS);
}

static void on_state_changed(void *context)
{
	struct agent *agent = context;

	if (uv_timer_get_due_in(&agent->read_timer) > FIRST_READ_MS)
		start_reading(agent);
	agent->node_look_at = 0;
	if (agent->conversation)
		conversation_report_soon(agent->conversation);
}

/* What the cgroup tree tells. */
static void on_tree_changed(void *context, const char *uid)
{
	struct agent *agent = context;

	lifecycle_sync(agent->lifecycle, uid);
	lifecycle_settle(agent->lifecycle);
}

/* What the conversation with the operator asks and brings. */

static struct selection_version on_version(void *context)
{
	const struct agent *agent = context;

	return desired_version(&agent->desired);
}

/* The bounds hold before what they bound begins. */
static void take_budgets(struct agent *agent)
{
	struct desired_pod *entry, *next;

	budgets_begin(&agent->budgets);
	HASH_ITER(hh, agent->desired.pods, entry, next)
		if (budgets_add_pod(&agent->budgets, entry->pod) < 0)
			log_error("out of memory: new policies of pod %s/%s are without bounds",
				  entry->pod->namespace, entry->pod->name);
	budgets_end(&agent->budgets);
}

/* Carries out what has changed. New pods come before old ones go, so that programs stay loaded. */
static void carry_out(struct agent *agent, const struct strings *changed)
{
	take_budgets(agent);
	for (size_t i = 0; i < changed->count; i++) {
		const char *uid = changed->items[i];

		lifecycle_sync(agent->lifecycle, uid);
		if (desired_find(&agent->desired, uid))
			exporter_pod_changed(agent->exporter, desired_find(&agent->desired, uid));
		else
			local_edges_forget_pod(&agent->edges, uid);
	}
	lifecycle_settle(agent->lifecycle);
	desired_release_retired(&agent->desired);
}

static int on_change(void *context, const struct selection_change *change, struct error *error)
{
	struct agent *agent = context;
	struct strings changed = {0}, complaints = {0};
	int result = desired_apply(&agent->desired, change, &changed, &complaints, error);

	for (size_t i = 0; i < complaints.count; i++)
		log_warn("not observed: %s", complaints.items[i]);
	carry_out(agent, &changed);
	if (result == 0) {
		log_debug("selection: revision %llu, %zu pods changed",
			  (unsigned long long)agent->desired.revision, changed.count);
		store_writer_touch(agent->store);
	}
	strings_free(&changed);
	strings_free(&complaints);
	return result;
}

static int on_report(void *context, struct report *report)
{
	const struct agent *agent = context;
	int result = lifecycle_report(agent->lifecycle, report);

	if (result == 0)
		result = desired_report_unreadable(&agent->desired, report);
	return result < 0 ? result : throttles_report(&agent->budgets.throttles, report);
}

static void read_probes(void *context)
{
	struct agent *agent = context;

	lifecycle_read(agent->lifecycle);
}

static void on_connected(void *context)
{
	struct agent *agent = context;

	local_edges_connected(&agent->edges);
	agent->node_told = agent->node_look_at = 0;
	start_reading(agent);
}

static bool on_lookup(void *context, struct lookup *ret_lookup)
{
	struct agent *agent = context;

	return peer_cache_next_lookup(&agent->edges.peers, ret_lookup);
}

static void on_peers(void *context, const cJSON *peers)
{
	struct agent *agent = context;

	local_edges_answer(&agent->edges, peers, read_probes, agent);
}

/* What happens by itself. */

static void renew_series(struct agent *agent)
{
	lifecycle_read(agent->lifecycle);
	agent->renewed_at = uv_now(agent->read_timer.loop);
	series_expire(agent->series, agent->renewed_at);
}

static void tell_edges(struct agent *agent)
{
	cJSON *message;

	if (!agent->conversation || !conversation_is_connected(agent->conversation))
		return;
	message = edge_book_report(&agent->edges.book, agent->series);
	if (message && !conversation_send(agent->conversation, message))
		edge_book_begin_anew(&agent->edges.book);
}

static cJSON *make_node_message(const struct agent *agent)
{
	struct node_facts_now now = {
		.counts = lifecycle_count(agent->lifecycle),
		.losses = series_losses(agent->series),
		.export_lost = exporter_stats(agent->exporter).lost,
	};

	kernel_objects_find(&now.objects);
	return node_facts_encode(&agent->node, &now);
}

/* What is not sent now is on the next connection. */
static void tell_node(struct agent *agent)
{
	uint64_t now = uv_now(agent->read_timer.loop), digest;
	cJSON *message;

	if (!agent->conversation || !conversation_is_connected(agent->conversation) ||
	    now < agent->node_look_at)
		return;
	agent->node_look_at = now + NODE_INTERVAL_MS;
	message = make_node_message(agent);
	digest = json_digest(message);
	if (!message)
		log_error("out of memory: the operator is not told of this node");
	else if (digest == agent->node_told)
		cJSON_Delete(message);
	else if (conversation_send(agent->conversation, message))
		agent->node_told = digest;
}

/* So that nothing waits for a scraper that may not come. */
static void on_read_timer(uv_timer_t *timer)
{
	struct agent *agent = timer->data;

	renew_series(agent);
	review(agent);
	local_edges_expire(&agent->edges, uv_now(timer->loop));
	tell_edges(agent);
	tell_node(agent);
}

static void on_row_gone(void *context, void *mark)
{
	struct agent *agent = context;

	edge_book_row_gone(&agent->edges.book, mark);
}

/* What scrapers ask. */

static int respond_health(void *context, struct text *body)
{
	(void)context;
	text_append_string(body, "ok\n");
	return 200;
}

static void write_self_metrics(const struct agent *agent, struct text *body)
{
	const struct self_metrics self = {
		.version = SKEP_VERSION,
		.starts = agent->starts,
		.connected = agent->conversation && conversation_is_connected(agent->conversation),
		.connections_lost =
			agent->conversation ? conversation_losses(agent->conversation) : 0,
		.revision = agent->desired.revision,
		.counts = lifecycle_count(agent->lifecycle),
		.events = exporter_stats(agent->exporter),
		.throttles = &agent->budgets.throttles,
		.series = series_count(agent->series),
		.peers = peer_cache_count(&agent->edges.peers),
		.edges = edge_book_count(&agent->edges.book),
	};

	self_metrics_write(&self, body);
}

static int respond_metrics(void *context, struct text *body)
{
	struct agent *agent = context;

	if (uv_now(agent->read_timer.loop) - agent->renewed_at >= SCRAPE_INTERVAL_MS)
		renew_series(agent);
	write_self_metrics(agent, body);
	series_write(agent->series, body);
	return body->failed ? 500 : 200;
}

/* Setting up, in the order in which the parts need one another. */

static int set_up_tree(struct agent *agent, uv_loop_t *loop, struct error *error)
{
	static const struct cgroup_tree_handlers handlers = {.changed = on_tree_changed};
	struct hierarchy hierarchy;
	int result = hierarchy_find(agent->options->cgroup_root, &hierarchy, error);

	if (result < 0)
		return result;
	if (!hierarchy.whole)
		log_warn("%s is not the whole cgroup hierarchy: probes of processes may see "
			 "nothing; mount the node's /sys/fs/cgroup and name it with --cgroup-root",
			 hierarchy.root);
	result = node_facts_fixed_init(&agent->node, SKEP_VERSION, agent->options->tracefs,
				       &hierarchy);
	if (result < 0)
		error_set(error, ENOMEM, "out of memory");
	else
		result = cgroup_tree_new(loop, &hierarchy, &handlers, agent, &agent->tree, error);
	hierarchy_free(&hierarchy);
	return result;
}

static int set_up_store(struct agent *agent, uv_loop_t *loop, struct error *error)
{
	const char *directory = agent->options->state_directory;
	struct error damage;
	int result = store_prepare(directory, error);

	if (result == 0)
		result = store_count_start(directory, &agent->starts, error);
	if (result < 0)
		return result;
	if (store_load(directory, &agent->desired, &damage) < 0)
		log_error("the stored selection is not used: %s; waiting for the operator's",
			  damage.message);
	return store_writer_new(loop, directory, &agent->desired, &agent->store, error);
}

static size_t on_series_limit(void *context, const char *policy)
{
	const struct agent *agent = context;

	return budgets_series_limit(&agent->budgets, policy);
}

static void on_series_refused(void *context, const char *policy, size_t limit)
{
	struct agent *agent = context;

	/* Without memory the status says it later; the store counts it in any case. */
	(void)throttles_note(&agent->budgets.throttles, policy, BUDGET_SERIES, (uint32_t)limit,
			     uv_now(agent->read_timer.loop));
	review_soon(agent);
}

static int set_up_series(struct agent *agent, struct error *error)
{
	const struct series_mark_handlers handlers = {on_row_gone, agent};
	const struct series_bounds bounds = {on_series_limit, on_series_refused, agent};

	agent->series = series_store_new();
	if (!agent->series)
		return error_set(error, ENOMEM, "out of memory");
	series_store_set_handlers(agent->series, &handlers);
	series_store_set_bounds(agent->series, &bounds);
	return 0;
}

static int set_up_probes(struct agent *agent, uv_loop_t *loop, struct error *error)
{
	static const struct lifecycle_handlers handlers = {
		.find_pod = on_find_pod,
		.find_folder = on_find_folder,
		.emit = on_event,
		.edge_row = on_edge_row,
		.find_peer = on_find_peer,
		.learn_name = on_learn_name,
		.changed = on_state_changed,
	};
	const struct lifecycle_settings settings = {
		.kinds = probe_kinds,
		.tracefs = agent->options->tracefs,
		.store = agent->series,
		.level = agent->options->metrics_level,
	};
	int result =
		exporter_new(loop, agent->options->node, STDOUT_FILENO, &agent->exporter, error);

	if (result == 0)
		result = lifecycle_new(loop, &settings, &handlers, agent, &agent->lifecycle, error);
	return result;
}

static int set_up_network(struct agent *agent, uv_loop_t *loop, struct error *error)
{
	static const struct conversation_handlers handlers = {
		.version = on_version,
		.change = on_change,
		.report = on_report,
		.connected = on_connected,
		.lookup = on_lookup,
		.peers = on_peers,
	};
	const struct agent_options *options = agent->options;
	const struct link_client_settings link = {
		.host = options->operator.host,
		.port = options->operator.port,
		.server_name =
			options->operator_name ? options->operator_name : options->operator.host,
		.ca_file = options->ca_file,
		.token_file = options->token_file,
	};
	const struct http_route routes[] = {
		{"/healthz", "text/plain; charset=utf-8", respond_health, agent},
		{"/metrics", METRICS_CONTENT_TYPE, respond_metrics, agent},
	};
	int result = net_context_new(loop, AGENT_CONNECTIONS, &agent->net, error);

	if (result == 0)
		result = http_server_new(agent->net, options->http.host, options->http.port, routes,
					 sizeof(routes) / sizeof(routes[0]), &agent->http, error);
	if (result == 0)
		result = conversation_new(agent->net, &link, options->node, SKEP_VERSION, &handlers,
					  agent, &agent->conversation, error);
	return result;
}

/* Attaches what the stored selection asks for. */
static void go_on_with_stored(struct agent *agent)
{
	struct desired_pod *entry, *next;

	take_budgets(agent);
	HASH_ITER(hh, agent->desired.pods, entry, next)
		lifecycle_sync(agent->lifecycle, entry->pod->uid);
	log_info("%u pods in the stored selection", HASH_COUNT(agent->desired.pods));
}

int agent_new(uv_loop_t *loop, const struct agent_options *options, struct agent **ret_agent,
	      struct error *error)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int result;

	if (!agent)
		return error_set(error, ENOMEM, "out of memory");
	agent->options = options;
	agent->read_timer.data = agent;
	uv_timer_init(loop, &agent->read_timer);
	agent->review_timer.data = agent;
	uv_timer_init(loop, &agent->review_timer);
	result = set_up_tree(agent, loop, error);
	if (result == 0)
		result = set_up_store(agent, loop, error);
	if (result == 0)
		result = set_up_series(agent, error);
	if (result == 0)
		result = set_up_probes(agent, loop, error);
	if (result == 0)
		go_on_with_stored(agent);
	if (result == 0)
		result = set_up_network(agent, loop, error);
	if (result < 0) {
		agent_free(agent);
		return result;
	}
	start_reading(agent);
	*ret_agent = agent;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_review_closed(uv_handle_t *handle)
{
	struct agent *agent = handle->data;

	uv_close((uv_handle_t *)&agent->read_timer, on_closed);
}

struct agent *agent_free(struct agent *agent)
{
	if (!agent)
		return NULL;
	agent->conversation = conversation_free(agent->conversation);
	agent->http = http_server_free(agent->http);
	agent->lifecycle = lifecycle_free(agent->lifecycle);
	agent->series = series_store_free(agent->series);
	local_edges_clear(&agent->edges);
	node_facts_fixed_free(&agent->node);
	agent->exporter = exporter_free(agent->exporter);
	agent->tree = cgroup_tree_free(agent->tree);
	agent->store = store_writer_free(agent->store);
	agent->net = net_context_free(agent->net);
	desired_free(&agent->desired);
	budgets_free(&agent->budgets);
	uv_timer_stop(&agent->read_timer);
	uv_close((uv_handle_t *)&agent->review_timer, on_review_closed);
	return NULL;
}
