// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/edges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "operator/edge_key.h"

static struct edges_node *find_node(const struct edges *edges, const char *name)
{
	struct edges_node *node;

	HASH_FIND_STR(edges->nodes, name, node);
	return node;
}

static struct edges_node *ensure_node(struct edges *edges, const char *name)
{
	struct edges_node *node = find_node(edges, name);

	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (node)
		node->name = strdup(name);
	if (!node || !node->name) {
		free(node);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, edges->nodes, node->name, strlen(node->name), node);
	if (is_in_table(node))
		return node;
	free(node->name);
	free(node);
	return NULL;
}

static void forget_edge(struct edges *edges, struct edges_node *node, struct known_edge *known)
{
	edges->bytes -= sizeof(*known) + known->hh.keylen;
	HASH_DEL(node->known[known->edge.side], known);
	free(known);
}

static void forget_all(struct edges *edges, struct edges_node *node)
{
	struct known_edge *known, *next;

	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++)
		HASH_ITER(hh, node->known[side], known, next)
			forget_edge(edges, node, known);
}

static void remove_node(struct edges *edges, struct edges_node *node)
{
	HASH_DEL(edges->nodes, node);
	forget_all(edges, node);
	free(node->name);
	free(node);
}

static size_t count_known(const struct edges_node *node)
{
	return HASH_COUNT(node->known[SIDE_CLIENT]) + HASH_COUNT(node->known[SIDE_SERVER]);
}

static struct known_edge *find_edge(const struct edges_node *node, enum edge_side side,
				    const struct edge_key *key)
{
	struct known_edge *known;

	HASH_FIND(hh, node->known[side], key->bytes, key->length, known);
	return known;
}

/* Lets the ends of an edge come in the order of the graph: who opened the connections is first. */
static void order_ends(struct reported_edge *edge, struct edge_party **ret_source,
		       struct edge_party **ret_destination)
{
	bool client = edge->side == SIDE_CLIENT;

	*ret_source = client ? &edge->workload : &edge->peer;
	*ret_destination = client ? &edge->peer : &edge->workload;
}

static int add_edge(struct edges *edges, struct edges_node *node, const struct reported_edge *edge,
		    const struct edge_key *key)
{
	size_t size = sizeof(struct known_edge) + key->length;
	struct edge_party *source, *destination;
	struct known_edge *known;

	if (count_known(node) >= EDGES_LIMIT || edges->bytes + size > EDGES_MEMORY_LIMIT) {
		node->left_out = true;
		return 0;
	}
	known = malloc(size);
	if (!known)
		return -ENOMEM;
	memset(known, 0, sizeof(*known));
	memcpy(known->key, key->bytes, key->length);
	known->edge = *edge;
	order_ends(&known->edge, &source, &destination);
	edge_key_read(known->key, source, destination, &known->edge.protocol);
	HASH_ADD_KEYPTR(hh, node->known[edge->side], known->key, key->length, known);
	if (!is_in_table(known)) {
		free(known);
		return -ENOMEM;
	}
	edges->bytes += size;
	return 0;
}

static int take_edge(struct edges *edges, struct edges_node *node, const cJSON *item, bool gone,
		     struct error *error)
{
	struct edge_party *source, *destination;
	struct known_edge *known;
	struct reported_edge edge;
	struct edge_key key;
	int result = reported_edge_decode(item, &edge, error);

	if (result < 0)
		return result;
	order_ends(&edge, &source, &destination);
	edge_key_make(&key, source, destination, edge.port, edge.protocol);
	known = find_edge(node, edge.side, &key);
	if (known && gone)
		forget_edge(edges, node, known);
	else if (known)
		memcpy(known->edge.figures, edge.figures, sizeof(edge.figures));
	else if (!gone && add_edge(edges, node, &edge, &key) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

int edges_take_report(struct edges *edges, const char *node_name, const struct edges_report *report,
		      struct error *error)
{
	struct edges_node *node = ensure_node(edges, node_name);
	const cJSON *item;
	int result = 0;

	if (!node)
		return error_set(error, ENOMEM, "out of memory");
	node->gone_ms = 0;
	node->truncated = report->truncated;
	if (report->full) {
		forget_all(edges, node);
		node->left_out = false;
	}
	cJSON_ArrayForEach(item, report->gone) {
		if (result == 0)
			result = take_edge(edges, node, item, true, error);
	}
	cJSON_ArrayForEach(item, report->edges) {
		if (result == 0)
			result = take_edge(edges, node, item, false, error);
	}
	return result;
}

void edges_node_gone(struct edges *edges, const char *name, uint64_t now_ms)
{
	struct edges_node *node = find_node(edges, name);

	if (node)
		node->gone_ms = now_ms ? now_ms : 1;
}

void edges_expire(struct edges *edges, uint64_t now_ms)
{
	struct edges_node *node, *next;

	HASH_ITER(hh, edges->nodes, node, next) {
		if (node->gone_ms && now_ms >= node->gone_ms + EDGES_KEPT_MS)
			remove_node(edges, node);
	}
}

size_t edges_count(const struct edges *edges)
{
	const struct edges_node *node;
	size_t count = 0;

	for (node = edges->nodes; node; node = node->hh.next)
		count += count_known(node);
	return count;
}

void edges_clear(struct edges *edges)
{
	struct edges_node *node, *next;

	HASH_ITER(hh, edges->nodes, node, next)
		remove_node(edges, node);
}
