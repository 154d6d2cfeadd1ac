// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "operator/backends.h"
#include "operator/edge_key.h"

/* While a graph is made. */
struct making {
	const struct cluster *cluster;
	struct backends backends;
	struct graph graph;
};

/* An edge as the graph has it, from one end's report. */
struct view {
	struct edge_party source;
	struct edge_party destination;
	uint16_t port;
	const struct service *service;
	uint16_t service_port;
};

static void resolve_service(struct making *making, const char *protocol, struct view *view)
{
	struct service *service = backends_find_service(
		making->cluster, view->destination.namespace, view->destination.name);
	const struct service_port *port =
		service ? service_find_port(service, edge_transport(protocol), view->port) : NULL;
	const struct pod *pod;

	if (!port || !port->target)
		return;
	pod = backends_find(&making->backends, making->cluster, service);
	if (!pod)
		return;
	view->destination.kind = pod->workload_kind;
	view->destination.name = pod->workload_name;
	view->service = service;
	view->service_port = view->port;
	view->port = port->target;
}

static struct view view_of(struct making *making, const struct reported_edge *edge)
{
	bool client = edge->side == SIDE_CLIENT;
	struct view view = {
		.source = client ? edge->workload : edge->peer,
		.destination = client ? edge->peer : edge->workload,
		.port = edge->port,
	};

	if (client && strcmp(edge->peer.kind, "Service") == 0)
		resolve_service(making, edge->protocol, &view);
	return view;
}

/* Adds an edge with a key of its own where `own_size` says so; NULL when memory ran out. */
static struct graph_edge *add_edge(struct graph *graph, const struct view *view, const char *key,
				   size_t length, unsigned int hash, size_t own_size)
{
	struct graph_edge *edge = calloc(1, sizeof(*edge) + own_size);

	if (!edge)
		return NULL;
	if (own_size)
		key = memcpy(edge + 1, key, own_size);
	edge_key_read(key, &edge->source, &edge->destination, &edge->protocol);
	edge->port = view->port;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, graph->edges, key, length, hash, edge);
	if (is_in_table(edge))
		return edge;
	free(edge);
	return NULL;
}

/* What an edge is in the tables of edges, it is in the graph as well, unless a Service is between.
 */
static struct graph_edge *ensure_same(struct graph *graph, const struct view *view,
				      const struct known_edge *known)
{
	size_t length = known->hh.keylen;
	unsigned int hash = known->hh.hashv;
	struct graph_edge *edge;

	HASH_FIND_BYHASHVALUE(hh, graph->edges, known->key, length, hash, edge);
	return edge ? edge : add_edge(graph, view, known->key, length, hash, 0);
}

static struct graph_edge *ensure_resolved(struct graph *graph, const struct view *view,
					  const char *protocol)
{
	struct graph_edge *edge;
	struct edge_key key;
	unsigned int hash;

	edge_key_make(&key, &view->source, &view->destination, view->port, protocol);
	HASH_VALUE(key.bytes, key.length, hash);
	HASH_FIND_BYHASHVALUE(hh, graph->edges, key.bytes, key.length, hash, edge);
	return edge ? edge : add_edge(graph, view, key.bytes, key.length, hash, key.length);
}

/* Of several Services by which clients came, the first by name is told. */
static void take_service(struct graph_edge *edge, const struct view *view)
{
	int order = 0;

	if (!view->service)
		return;
	if (edge->service)
		order = strcmp(view->service->id, edge->service->id);
	if (edge->service && (order > 0 || (order == 0 && view->service_port > edge->service_port)))
		return;
	edge->service = view->service;
	edge->service_port = view->service_port;
}

static int merge(struct making *making, const struct known_edge *known)
{
	const struct reported_edge *reported = &known->edge;
	struct view view = view_of(making, reported);
	struct graph_edge *edge =
		view.service ? ensure_resolved(&making->graph, &view, reported->protocol)
			     : ensure_same(&making->graph, &view, known);

	if (!edge)
		return -ENOMEM;
	take_service(edge, &view);
	edge->seen[reported->side] = true;
	for (int i = 0; i < EDGE_FIGURES; i++)
		edge->figures[reported->side][i] += reported->figures[i];
	return 0;
}

static bool concerns(const struct reported_edge *edge, const char *namespace)
{
	return !namespace || strcmp(edge->workload.namespace, namespace) == 0 ||
	       strcmp(edge->peer.namespace, namespace) == 0;
}

static int merge_node(struct making *making, const struct edges_node *node, const char *namespace)
{
	const struct known_edge *known;

	making->graph.truncated |= node->truncated || node->left_out;
	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++)
		for (known = node->known[side]; known; known = known->hh.next)
			if (concerns(&known->edge, namespace) && merge(making, known) < 0)
				return -ENOMEM;
	return 0;
}

int graph_make(const struct edges *edges, const struct cluster *cluster, const char *namespace,
	       struct graph *ret_graph)
{
	struct making making = {.cluster = cluster};
	const struct edges_node *node;
	int result = 0;

	for (node = edges->nodes; node && result == 0; node = node->hh.next)
		result = merge_node(&making, node, namespace);
	backends_clear(&making.backends);
	if (result < 0) {
		graph_free(&making.graph);
		return result;
	}
	*ret_graph = making.graph;
	return 0;
}

void graph_free(struct graph *graph)
{
	struct graph_edge *edge, *next;

	HASH_ITER(hh, graph->edges, edge, next) {
		HASH_DEL(graph->edges, edge);
		free(edge);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect_names(const struct graph *graph, const char **names)
{
	const struct graph_edge *edge;
	size_t count = 0;

	for (edge = graph->edges; edge; edge = edge->hh.next) {
		names[count++] = edge->source.namespace;
		names[count++] = edge->destination.namespace;
	}
}

int graph_namespaces(const struct graph *graph, struct strings *namespaces)
{
	size_t count = 2 * (size_t)HASH_COUNT(graph->edges);
	const char **names, *last = "";
	int result = 0;

	if (count == 0)
		return 0;
	names = calloc(count, sizeof(*names));
	if (!names)
		return -ENOMEM;
	collect_names(graph, names);
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count && result == 0; i++) {
		if (strcmp(names[i], last) != 0)
			result = strings_add(namespaces, names[i]);
		last = names[i];
	}
	free(names);
	return result;
}
