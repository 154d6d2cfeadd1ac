// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "lib/base/log.h"
#include "lib/link/message.h"
#include "lib/link/node_facts.h"
#include "operator/agents_internal.h"

void session_free(struct session *session)
{
	DL_DELETE(session->agents->sessions, session);
	free(session->node);
	free(session->pod_uid);
	free(session);
}

void session_refuse(struct session *session, const char *why)
{
	session->refused = true;
	log_warn("agent at %s is refused: %s", link_peer_address(session->peer), why);
	link_peer_refuse(session->peer, why);
}

static void on_authenticate(void *context, struct link_peer *peer, const char *token)
{
	struct agents *agents = context;
	struct session *session = calloc(1, sizeof(*session));

	if (!session) {
		link_peer_refuse(peer, "out of memory");
		return;
	}
	session->agents = agents;
	session->peer = peer;
	DL_APPEND(agents->sessions, session);
	lookups_join(agents->books.lookups, &session->asker);
	link_peer_set_data(peer, session);
	if (*token)
		session_review(session, token);
	else
		session_refuse(session, "no token; send \"Authorization: Bearer <token>\"");
}

static int send_snapshot(struct session *session, struct fleet_node *node)
{
	cJSON *snapshot = fleet_node_snapshot(session->agents->books.fleet, node);

	return snapshot ? link_peer_send(session->peer, snapshot) : -ENOMEM;
}

/* The last agent that greets stands for the node, so that a new pod takes over from an old one. */
static void supersede(struct fleet_node *node, struct session *session)
{
	struct session *other = node->session;

	node->session = session;
	if (!other || other == session)
		return;
	other->greeted = false;
	session_refuse(other, "another agent of this node has connected");
}

static int on_hello(struct session *session, const cJSON *message, struct error *error)
{
	struct agents *agents = session->agents;
	struct fleet_node *node;
	struct hello hello;
	int result = hello_decode(message, &hello, error);

	if (result < 0)
		return result;
	if (strcmp(hello.node, session->node) != 0)
		return error_set(error, EPERM,
				 "node \"%.80s\" is not this agent's; its token is bound to a pod "
				 "on %s",
				 hello.node, session->node);
	node = fleet_ensure_node(agents->books.fleet, session->node, uv_now(agents->loop));
	if (!node)
		return error_set(error, ENOMEM, "out of memory");
	if (!node->entries
		     .count) /* an agent with nothing to do may have been missed all the same */
		node->absence_told = true;
	supersede(node, session);
	session->greeted = true;
	log_info("agent of node %s connected (version %.40s, kernel %.80s)", session->node,
		 hello.agent_version, hello.kernel);
	fleet_node_connect(node, true, uv_now(agents->loop));
	if (send_snapshot(session, node) < 0)
		return error_set(error, ENOMEM, "the selection cannot be sent");
	agents->changed(agents->context, node);
	return 0;
}

static int on_report(struct session *session, const cJSON *message, struct error *error)
{
	struct agents *agents = session->agents;
	struct fleet_node *node = fleet_find_node(agents->books.fleet, session->node);
	struct report report;
	int result;

	if (!node)
		return error_set(error, EPROTO, "its node is not known any more");
	result = report_decode(message, &report, error);
	if (result < 0)
		return result;
	fleet_node_take_report(agents->books.fleet, node, &report);
	agents->changed(agents->context, node);
	return 0;
}

static int send_peers(struct session *session)
{
	cJSON *peers = lookups_tell(&session->asker, session->agents->books.addresses);

	return peers ? link_peer_send(session->peer, peers) : -ENOMEM;
}

static int on_lookup(struct session *session, const cJSON *message, struct error *error)
{
	struct lookup lookup;
	int result = lookup_decode(message, &lookup, error);

	if (result < 0)
		return result;
	result = lookups_ask(&session->asker, &lookup);
	if (result > 0 && !session->asks_too_much)
		log_warn("agent of node %s asks about more than %d addresses; the others stay "
			 "unknown to it",
			 session->node, LOOKUPS_LIMIT);
	session->asks_too_much |= result > 0;
	if (result >= 0 && session->asker.due)
		result = send_peers(session);
	return result < 0 ? error_set(error, ENOMEM, "its lookup cannot be answered") : 0;
}

static int on_edges(struct session *session, const cJSON *message, struct error *error)
{
	struct edges_report report;
	int result = edges_report_decode(message, &report, error);

	if (result < 0)
		return result;
	return edges_take_report(session->agents->books.edges, session->node, &report, error);
}

/* An agent speaks of its own node only: the message names none. */
static int on_node(struct session *session, const cJSON *message, struct error *error)
{
	cJSON *facts;
	int result = node_facts_decode(message, &facts, error);

	if (result < 0)
		return result;
	result = node_book_take_facts(session->agents->books.nodes, session->node, facts);
	cJSON_Delete(facts);
	return result < 0 ? error_set(error, ENOMEM, "out of memory") : 0;
}

/* Shown more often than asked for, it is not looked at: each look costs the API server a request.
 */
static int on_token(struct session *session, const cJSON *message, struct error *error)
{
	const char *token;
	int result = token_decode(message, &token, error);

	if (result == 0 && session_may_review(session))
		session_review(session, token);
	return result;
}

static int handle_message(struct session *session, const cJSON *message, struct error *error)
{
	static int (*const handlers[])(struct session *, const cJSON *, struct error *) = {
		[MESSAGE_HELLO] = on_hello,   [MESSAGE_REPORT] = on_report,
		[MESSAGE_LOOKUP] = on_lookup, [MESSAGE_EDGES] = on_edges,
		[MESSAGE_TOKEN] = on_token,   [MESSAGE_NODE] = on_node,
	};
	enum message_type type;
	int result = message_type_decode(message, &type, error);

	if (result < 0)
		return result;
	if (type >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[type])
		return error_set(error, EPROTO, "an agent does not send this type of message");
	if (type != MESSAGE_HELLO && !session->greeted)
		return error_set(error, EPROTO, "a message before hello");
	return handlers[type](session, message, error);
}

static void on_message(void *context, struct link_peer *peer, const cJSON *message)
{
	struct session *session = link_peer_data(peer);
	struct error error;

	(void)context;
	if (handle_message(session, message, &error) < 0)
		session_refuse(session, error.message);
}

static void on_closed(void *context, struct link_peer *peer, const char *why)
{
	struct agents *agents = context;
	struct session *session = link_peer_data(peer);
	struct fleet_node *node = NULL;

	if (!session)
		return;
	if (session->greeted) {
		log_info("agent of node %s is gone: %s", session->node, why);
		node = fleet_find_node(agents->books.fleet, session->node);
	}
	session->peer = NULL;
	session->greeted = false;
	lookups_leave(agents->books.lookups, &session->asker);
	if (!session->reviewing)
		session_free(session);
	if (!node)
		return;
	node->session = NULL;
	fleet_node_connect(node, false, uv_now(agents->loop));
	edges_node_gone(agents->books.edges, node->name, uv_now(agents->loop));
	agents->changed(agents->context, node);
}

void agents_push(struct agents *agents, struct fleet_node *node)
{
	struct session *session = node->changed ? node->session : NULL;
	cJSON *delta;

	if (!session)
		return;
	delta = fleet_node_delta(agents->books.fleet, node);
	/* A change that is lost here reaches the agent with the snapshot of its next connection. */
	if (!delta || link_peer_send(session->peer, delta) < 0)
		session_refuse(session, "its selection cannot be sent");
}

void agents_push_peers(struct agents *agents)
{
	struct session *session;

	DL_FOREACH(agents->sessions, session) {
		if (session->greeted && session->asker.due && send_peers(session) < 0)
			session_refuse(session, "whose its peers are cannot be sent");
	}
}

struct link_server_stats agents_link_stats(const struct agents *agents)
{
	return link_server_stats(agents->server);
}

static int agents_init(struct agents *agents, struct net_context *net,
		       const struct agents_settings *settings, const struct pki_bundle *bundle,
		       struct error *error)
{
	const struct link_server_handlers handlers = {
		.authenticate = on_authenticate, .message = on_message, .closed = on_closed};

	if (asprintf(&agents->username, "system:serviceaccount:%s", settings->service_account) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return link_server_new(net, settings->address, settings->port, bundle->certificate,
			       bundle->key, &handlers, agents, &agents->server, error);
}

int agents_new(struct net_context *net, struct kube_client *client,
	       const struct agents_settings *settings, const struct pki_bundle *bundle,
	       const struct agents_books *books, agents_handler changed, void *context,
	       struct agents **ret_agents, struct error *error)
{
	struct agents *agents = calloc(1, sizeof(*agents));
	int result;

	if (!agents)
		return error_set(error, ENOMEM, "out of memory");
	agents->client = client;
	agents->loop = net_context_loop(net);
	agents->books = *books;
	agents->times = settings->times;
	agents->changed = changed;
	agents->context = context;
	result = agents_init(agents, net, settings, bundle, error);
	if (result < 0) {
		free(agents->username);
		free(agents);
		return result;
	}
	uv_timer_init(agents->loop, &agents->tick);
	agents->tick.data = agents;
	uv_timer_start(&agents->tick, agents_check_sessions, AGENTS_TICK_MS, AGENTS_TICK_MS);
	*ret_agents = agents;
	return 0;
}

void agents_shut(struct agents *agents, const char *why)
{
	link_server_suspend(agents->server, why);
}

int agents_reopen(struct agents *agents, struct error *error)
{
	return link_server_resume(agents->server, error);
}

int agents_set_certificate(struct agents *agents, const struct pki_bundle *bundle,
			   struct error *error)
{
	return link_server_set_certificate(agents->server, bundle->certificate, bundle->key, error);
}

static void on_tick_closed(uv_handle_t *tick)
{
	free(tick->data);
}

struct agents *agents_free(struct agents *agents)
{
	struct session *session, *next;

	if (!agents)
		return NULL;
	agents->server = link_server_free(agents->server);
	DL_FOREACH_SAFE(agents->sessions, session, next) {
		session_free(session);
	}
	review_cache_clear(&agents->reviews);
	free(agents->username);
	uv_close((uv_handle_t *)&agents->tick, on_tick_closed);
	return NULL;
}
