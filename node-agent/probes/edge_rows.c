// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/edge_rows.h"

#include <stdio.h>
#include <string.h>

#define UNKNOWN_LABELS 5

bool edge_stands_for_others(const struct edge *edge)
{
	static const uint8_t nowhere[EDGE_ADDRESS_SIZE];

	return !edge->port && memcmp(edge->address, nowhere, sizeof(nowhere)) == 0;
}

static const char *role_name(enum edge_role role)
{
	return role == EDGE_CLIENT ? "client" : "server";
}

static struct series_row *row_of_others(struct series_owner *owner,
					const struct series_layout *layout, enum edge_role role)
{
	const struct metric_label labels[] = {
		{"role", role_name(role)},
		{"otel_metric_overflow", "true"},
	};

	return series_row(owner, layout, labels, 2);
}

static struct series_row *row_of_unknown(struct series_owner *owner,
					 const struct series_layout *layout,
					 const struct edge *edge)
{
	char port[8];
	struct metric_label labels[UNKNOWN_LABELS + EDGE_LABELS_LIMIT] = {
		{"role", role_name(edge->role)}, {"peer_kind", "Unknown"},
		{"peer_namespace", ""},		 {"peer_name", ""},
		{"server_port", port},
	};
	size_t count = UNKNOWN_LABELS;

	snprintf(port, sizeof(port), "%u", edge->port);
	for (size_t i = 0; i < edge->label_count && i < EDGE_LABELS_LIMIT; i++)
		labels[count++] = edge->labels[i];
	return series_row(owner, layout, labels, count);
}

struct series_row *edge_rows_find(struct series_owner *owner, const struct series_layout *layout,
				  const struct edge *edge, edge_namer name, void *context,
				  bool last)
{
	struct series_row *row;

	if (edge_stands_for_others(edge))
		return row_of_others(owner, layout, edge->role);
	row = name(context, owner, edge);
	return row || !last ? row : row_of_unknown(owner, layout, edge);
}
