// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/link/edges.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/link/message.h"

static const char *const side_names[] = {[SIDE_CLIENT] = "client", [SIDE_SERVER] = "server"};

static const char *const figure_names[EDGE_FIGURES] = {
	[FIGURE_CONNECTIONS] = "connections",
	[FIGURE_FAILED] = "failed",
	[FIGURE_SENT_BYTES] = "sentBytes",
	[FIGURE_RECEIVED_BYTES] = "receivedBytes",
	[FIGURE_RETRANSMITTED_PACKETS] = "retransmittedPackets",
	[FIGURE_RTT_SECONDS] = "rttSeconds",
	[FIGURE_RTT_COUNT] = "rttCount",
	[FIGURE_REQUESTS] = "requests",
	[FIGURE_ERRORS] = "errors",
	[FIGURE_DURATION_SECONDS] = "durationSeconds",
	[FIGURE_REQUEST_BYTES] = "requestBytes",
	[FIGURE_RESPONSE_BYTES] = "responseBytes",
};

static const struct protocol {
	const char *name;
	const char *transport;
	enum edge_figure first; /* of its figures */
	enum edge_figure last;
} protocols[] = {
	{"tcp", "tcp", FIGURE_CONNECTIONS, FIGURE_RTT_COUNT},
	{"http", "tcp", FIGURE_REQUESTS, FIGURE_RESPONSE_BYTES},
};

static const struct protocol *find_protocol(const char *name)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(protocols[i].name, name) == 0)
			return &protocols[i];
	return NULL;
}

const char *edge_figure_name(enum edge_figure figure)
{
	return figure_names[figure];
}

bool edge_has_figure(const char *protocol, enum edge_figure figure)
{
	const struct protocol *found = find_protocol(protocol);

	return found && figure >= found->first && figure <= found->last;
}

const char *edge_transport(const char *protocol)
{
	const struct protocol *found = find_protocol(protocol);

	return found ? found->transport : protocol;
}

static int decode_side(const cJSON *item, enum edge_side *ret_side, struct error *error)
{
	const char *role = json_text(item, "role");

	for (int side = SIDE_CLIENT; side <= SIDE_SERVER; side++) {
		if (strcmp(role, side_names[side]) == 0) {
			*ret_side = (enum edge_side)side;
			return 0;
		}
	}
	return error_set(error, EINVAL, "edges: role \"%.40s\" is neither client nor server", role);
}

/* An end that is `watched` has all its names. */
static int decode_party(const cJSON *item, const char *member, bool watched,
			struct edge_party *ret_party, struct error *error)
{
	const cJSON *json = json_find(item, member);
	struct edge_party party = {
		.namespace = json_text(json, "namespace"),
		.kind = json_text(json, "kind"),
		.name = json_text(json, "name"),
	};

	if (!*party.kind)
		return error_set(error, EINVAL, "edges: %s: kind must be given", member);
	if (watched && (!*party.namespace || !*party.name))
		return error_set(error, EINVAL, "edges: %s: must have namespace and name", member);
	if (strlen(party.namespace) > EDGES_STRING_LIMIT ||
	    strlen(party.kind) > EDGES_STRING_LIMIT || strlen(party.name) > EDGES_STRING_LIMIT)
		return error_set(error, EINVAL, "edges: %s: a name is longer than %d bytes", member,
				 EDGES_STRING_LIMIT);
	*ret_party = party;
	return 0;
}

static int decode_figures(const cJSON *item, double figures[EDGE_FIGURES], struct error *error)
{
	const cJSON *json = json_find(item, "figures");

	for (int i = 0; i < EDGE_FIGURES; i++) {
		const cJSON *figure = json_find(json, figure_names[i]);

		figures[i] = cJSON_IsNumber(figure) ? figure->valuedouble : 0;
		if (!isfinite(figures[i]) || figures[i] < 0)
			return error_set(error, EINVAL, "edges: %s: must be a number from 0",
					 figure_names[i]);
	}
	return 0;
}

static int decode_port(const cJSON *item, struct reported_edge *edge, struct error *error)
{
	int64_t port = json_integer(item, -1, "port");

	edge->protocol = json_text(item, "protocol");
	if (!*edge->protocol || strlen(edge->protocol) > EDGES_PROTOCOL_LIMIT)
		return error_set(error, EINVAL, "edges: protocol must be given, in %d bytes",
				 EDGES_PROTOCOL_LIMIT);
	if (port < 0 || port > UINT16_MAX)
		return error_set(error, EINVAL, "edges: port must be a number up to %d",
				 UINT16_MAX);
	edge->port = (uint16_t)port;
	return 0;
}

int reported_edge_decode(const cJSON *item, struct reported_edge *ret_edge, struct error *error)
{
	struct reported_edge edge;
	int result = decode_side(item, &edge.side, error);

	if (result == 0)
		result = decode_party(item, "workload", true, &edge.workload, error);
	if (result == 0)
		result = decode_party(item, "peer", false, &edge.peer, error);
	if (result == 0)
		result = decode_port(item, &edge, error);
	if (result == 0)
		result = decode_figures(item, edge.figures, error);
	if (result == 0)
		*ret_edge = edge;
	return result;
}

static bool encode_party(cJSON *item, const char *member, const struct edge_party *party)
{
	cJSON *json = cJSON_AddObjectToObject(item, member);

	return cJSON_AddStringToObject(json, "namespace", party->namespace) &&
	       cJSON_AddStringToObject(json, "kind", party->kind) &&
	       cJSON_AddStringToObject(json, "name", party->name);
}

static bool encode_figures(cJSON *item, const struct reported_edge *edge)
{
	cJSON *json = cJSON_AddObjectToObject(item, "figures");

	for (int i = 0; i < EDGE_FIGURES; i++)
		if (edge_has_figure(edge->protocol, (enum edge_figure)i) &&
		    !cJSON_AddNumberToObject(json, figure_names[i], edge->figures[i]))
			return false;
	return json;
}

bool reported_edge_encode(cJSON *array, const struct reported_edge *edge, bool with_figures)
{
	cJSON *item = json_append_object(array);

	return cJSON_AddStringToObject(item, "role", side_names[edge->side]) &&
	       cJSON_AddStringToObject(item, "protocol", edge->protocol) &&
	       encode_party(item, "workload", &edge->workload) &&
	       encode_party(item, "peer", &edge->peer) &&
	       cJSON_AddNumberToObject(item, "port", edge->port) &&
	       (!with_figures || encode_figures(item, edge));
}

static bool is_bounded_array(const cJSON *array)
{
	return cJSON_IsArray(array) && cJSON_GetArraySize(array) <= EDGES_LIMIT;
}

int edges_report_decode(const cJSON *message, struct edges_report *ret_report, struct error *error)
{
	struct edges_report report = {
		.full = json_boolean(message, false, "full"),
		.truncated = json_boolean(message, false, "truncated"),
		.edges = json_find(message, "edges"),
		.gone = json_find(message, "gone"),
	};

	if (!is_bounded_array(report.edges) || !is_bounded_array(report.gone))
		return error_set(error, EINVAL, "edges and gone: must be arrays of at most %d",
				 EDGES_LIMIT);
	*ret_report = report;
	return 0;
}

cJSON *edges_report_encode(bool full, bool truncated, cJSON *edges, cJSON *gone)
{
	cleanup_json cJSON *message = message_new(MESSAGE_EDGES);
	bool added = json_add_item(message, "edges", edges);

	added &= json_add_item(message, "gone", gone);
	if (!added || !cJSON_AddBoolToObject(message, "full", full) ||
	    !cJSON_AddBoolToObject(message, "truncated", truncated))
		return NULL;
	return take_pointer(message);
}
