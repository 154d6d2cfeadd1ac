// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/figures.h"

#include <string.h>

/* A family and what it adds to. Of a histogram, the sum is one figure and the count the next. */
struct source {
	const char *family;
	enum edge_figure figure;
};

static const struct source tcp_sources[] = {
	{"skep_tcp_connections_opened_total", FIGURE_CONNECTIONS},
	{"skep_tcp_connections_accepted_total", FIGURE_CONNECTIONS},
	{"skep_tcp_connects_refused_total", FIGURE_FAILED},
	{"skep_tcp_connects_timed_out_total", FIGURE_FAILED},
	{"skep_tcp_connects_failed_total", FIGURE_FAILED},
	{"skep_tcp_sent_bytes_total", FIGURE_SENT_BYTES},
	{"skep_tcp_received_bytes_total", FIGURE_RECEIVED_BYTES},
	{"skep_tcp_retransmitted_packets_total", FIGURE_RETRANSMITTED_PACKETS},
	{"skep_tcp_srtt_seconds", FIGURE_RTT_SECONDS},
};

_Static_assert(FIGURE_RTT_COUNT == FIGURE_RTT_SECONDS + 1, "count follows sum");

static const struct protocol {
	const char *name;
	const struct source *sources;
	size_t count;
} protocols[] = {
	{"tcp", tcp_sources, sizeof(tcp_sources) / sizeof(tcp_sources[0])},
};

static const struct source *find_source(const struct protocol *protocol, const char *family)
{
	for (size_t i = 0; i < protocol->count; i++)
		if (strcmp(protocol->sources[i].family, family) == 0)
			return &protocol->sources[i];
	return NULL;
}

/* The protocol to which the layout's first family that is a figure belongs. */
static const struct protocol *find_protocol(const struct series_layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		for (size_t j = 0; j < sizeof(protocols) / sizeof(protocols[0]); j++)
			if (find_source(&protocols[j], layout->families[i].name))
				return &protocols[j];
	return NULL;
}

const char *figures_protocol(const struct series_layout *layout)
{
	const struct protocol *protocol = find_protocol(layout);

	return protocol ? protocol->name : NULL;
}

void figures_add(const struct series_row *row, double figures[EDGE_FIGURES])
{
	const struct series_layout *layout = series_row_layout(row);
	const struct protocol *protocol = find_protocol(layout);

	for (size_t i = 0; protocol && i < layout->count; i++) {
		const struct source *source = find_source(protocol, layout->families[i].name);

		if (!source)
			continue;
		figures[source->figure] += series_value(row, i);
		if (layout->families[i].type == METRIC_HISTOGRAM)
			figures[source->figure + 1] += (double)series_observations(row, i);
	}
}
