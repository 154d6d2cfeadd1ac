// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/* The graph as JSON, with what somebody may not see hidden. */

#include "operator/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

/* An edge as it is shown. */
struct shown_edge {
	const struct graph_edge *edge;
	bool source_hidden;
	bool destination_hidden;
};

struct reader {
	graph_visible visible;
	void *context;
};

static const struct edge_party hidden = {.namespace = "", .kind = "Hidden", .name = ""};

static bool is_hidden(const struct reader *reader, const struct edge_party *party)
{
	return *party->namespace && !reader->visible(reader->context, party->namespace);
}

/* Returns whether there is anything to show: an end in a namespace that is visible. */
static bool show(const struct reader *reader, const struct graph_edge *edge,
		 struct shown_edge *ret_shown)
{
	bool source_hidden = is_hidden(reader, &edge->source);
	bool destination_hidden = is_hidden(reader, &edge->destination);

	if ((source_hidden || !*edge->source.namespace) &&
	    (destination_hidden || !*edge->destination.namespace))
		return false;
	*ret_shown = (struct shown_edge){edge, source_hidden, destination_hidden};
	return true;
}

static const struct edge_party *source_of(const struct shown_edge *shown)
{
	return shown->source_hidden ? &hidden : &shown->edge->source;
}

static const struct edge_party *destination_of(const struct shown_edge *shown)
{
	return shown->destination_hidden ? &hidden : &shown->edge->destination;
}

static int compare_parties(const struct edge_party *a, const struct edge_party *b)
{
	int order = strcmp(a->namespace, b->namespace);

	if (!order)
		order = strcmp(a->kind, b->kind);
	return order ? order : strcmp(a->name, b->name);
}

/* By what is shown only, so that the order tells nothing of what is hidden. */
static int compare_shown(const void *first, const void *second)
{
	const struct shown_edge *a = first, *b = second;
	int order = compare_parties(source_of(a), source_of(b));

	if (!order)
		order = compare_parties(destination_of(a), destination_of(b));
	if (!order)
		order = a->edge->port - b->edge->port;
	return order ? order : strcmp(a->edge->protocol, b->edge->protocol);
}

static bool add_text(cJSON *json, const char *name, const char *value)
{
	return !*value || cJSON_AddStringToObject(json, name, value);
}

static bool add_party(cJSON *json, const char *member, const struct edge_party *party)
{
	cJSON *object = cJSON_AddObjectToObject(json, member);

	return object && add_text(object, "namespace", party->namespace) &&
	       add_text(object, "kind", party->kind) && add_text(object, "name", party->name);
}

static bool add_service(cJSON *json, const struct shown_edge *shown)
{
	const struct graph_edge *edge = shown->edge;
	cJSON *object;

	if (!edge->service || shown->destination_hidden)
		return true;
	object = cJSON_AddObjectToObject(json, "service");
	return cJSON_AddStringToObject(object, "namespace", edge->service->namespace) &&
	       cJSON_AddStringToObject(object, "name", edge->service->name) &&
	       cJSON_AddNumberToObject(object, "port", edge->service_port);
}

static const char *observed(const struct graph_edge *edge)
{
	if (edge->seen[SIDE_CLIENT] && edge->seen[SIDE_SERVER])
		return "both";
	return edge->seen[SIDE_CLIENT] ? "client" : "server";
}

static bool add_figures(cJSON *json, const char *member, const struct graph_edge *edge,
			enum edge_side side)
{
	cJSON *object;

	if (!edge->seen[side])
		return cJSON_AddNullToObject(json, member);
	object = cJSON_AddObjectToObject(json, member);
	for (int i = 0; i < EDGE_FIGURES; i++)
		if (edge_has_figure(edge->protocol, (enum edge_figure)i) &&
		    !cJSON_AddNumberToObject(object, edge_figure_name((enum edge_figure)i),
					     edge->figures[side][i]))
			return false;
	return true;
}

static bool write_edge(const struct shown_edge *shown, struct text *out)
{
	cleanup_json cJSON *json = cJSON_CreateObject();
	cleanup_free char *printed = NULL;

	if (add_party(json, "source", source_of(shown)) &&
	    add_party(json, "destination", destination_of(shown)) && add_service(json, shown) &&
	    cJSON_AddNumberToObject(json, "port", shown->edge->port) &&
	    cJSON_AddStringToObject(json, "protocol", shown->edge->protocol) &&
	    cJSON_AddStringToObject(json, "observed", observed(shown->edge)) &&
	    add_figures(json, "client", shown->edge, SIDE_CLIENT) &&
	    add_figures(json, "server", shown->edge, SIDE_SERVER))
		printed = cJSON_PrintUnformatted(json);
	if (printed)
		text_append_string(out, printed);
	return printed;
}

/* One edge at a time: the whole as a tree would take many times the memory of the text. */
static int write_all(const struct shown_edge *shown, size_t count, struct text *out)
{
	for (size_t i = 0; i < count; i++) {
		text_append_string(out, i ? ",\n" : "\n");
		if (!write_edge(&shown[i], out))
			return -ENOMEM;
	}
	return 0;
}

static size_t show_all(const struct graph *graph, const struct reader *reader,
		       struct shown_edge *shown)
{
	const struct graph_edge *edge;
	size_t count = 0;

	for (edge = graph->edges; edge; edge = edge->hh.next)
		count += show(reader, edge, &shown[count]);
	qsort(shown, count, sizeof(*shown), compare_shown);
	return count;
}

int graph_write(const struct graph *graph, const char *generated_at, graph_visible visible,
		void *context, struct text *out)
{
	const struct reader reader = {.visible = visible, .context = context};
	cleanup_free struct shown_edge *shown =
		calloc((size_t)HASH_COUNT(graph->edges) + 1, sizeof(*shown));
	size_t count;
	bool cut;
	int result;

	if (!shown)
		return -ENOMEM;
	count = show_all(graph, &reader, shown);
	cut = count > GRAPH_EDGES_LIMIT;
	text_append_format(out, "{\"generatedAt\":\"%s\",\"truncated\":%s,\"edges\":[",
			   generated_at, cut || graph->truncated ? "true" : "false");
	result = write_all(shown, cut ? GRAPH_EDGES_LIMIT : count, out);
	text_append_string(out, "\n]}\n");
	return result < 0 || out->failed ? -ENOMEM : 0;
}
