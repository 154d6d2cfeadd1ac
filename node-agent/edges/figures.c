// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/edges/figures.h"

#include <string.h>

#define NO_FIGURE EDGE_FIGURES

/* A family and what it adds to. */
struct source {
	const char *family;
	enum edge_figure figure; /* of a histogram, its sum */
	enum edge_figure count;	 /* of a histogram, the number of its observations */
	enum edge_figure errors; /* the same, where they are errors */
};

#define COUNTER(family, figure)                                                                    \
	{                                                                                          \
		family, figure, NO_FIGURE, NO_FIGURE                                               \
	}

static const struct source tcp_sources[] = {
	COUNTER("skep_tcp_connections_opened_total", FIGURE_CONNECTIONS),
	COUNTER("skep_tcp_connections_accepted_total", FIGURE_CONNECTIONS),
	COUNTER("skep_tcp_connects_refused_total", FIGURE_FAILED),
	COUNTER("skep_tcp_connects_timed_out_total", FIGURE_FAILED),
	COUNTER("skep_tcp_connects_failed_total", FIGURE_FAILED),
	COUNTER("skep_tcp_sent_bytes_total", FIGURE_SENT_BYTES),
	COUNTER("skep_tcp_received_bytes_total", FIGURE_RECEIVED_BYTES),
	COUNTER("skep_tcp_retransmitted_packets_total", FIGURE_RETRANSMITTED_PACKETS),
	{"skep_tcp_srtt_seconds", FIGURE_RTT_SECONDS, FIGURE_RTT_COUNT, NO_FIGURE},
};

/* A row is of one end only: what it does not count of the two durations is 0. */
static const struct source http_sources[] = {
	{"http_server_request_duration_seconds", FIGURE_DURATION_SECONDS, FIGURE_REQUESTS,
	 FIGURE_ERRORS},
	{"http_client_request_duration_seconds", FIGURE_DURATION_SECONDS, FIGURE_REQUESTS,
	 FIGURE_ERRORS},
	COUNTER("skep_http_request_bytes_total", FIGURE_REQUEST_BYTES),
	COUNTER("skep_http_response_bytes_total", FIGURE_RESPONSE_BYTES),
};

static const struct protocol {
	const char *name;
	const struct source *sources;
	size_t count;
} protocols[] = {
	{"tcp", tcp_sources, sizeof(tcp_sources) / sizeof(tcp_sources[0])},
	{"http", http_sources, sizeof(http_sources) / sizeof(http_sources[0])},
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

bool figures_are_errors(const struct metric_label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels[i].name, "http_response_status_code") == 0)
			return !*labels[i].value || *labels[i].value >= '5';
	return false;
}

static void add(double figures[EDGE_FIGURES], enum edge_figure figure, double more)
{
	if (figure != NO_FIGURE)
		figures[figure] += more;
}

void figures_add(const struct series_row *row, bool errors, double figures[EDGE_FIGURES])
{
	const struct series_layout *layout = series_row_layout(row);
	const struct protocol *protocol = find_protocol(layout);

	for (size_t i = 0; protocol && i < layout->count; i++) {
		const struct source *source = find_source(protocol, layout->families[i].name);
		double count;

		if (!source)
			continue;
		add(figures, source->figure, series_value(row, i));
		if (layout->families[i].type != METRIC_HISTOGRAM)
			continue;
		count = (double)series_observations(row, i);
		add(figures, source->count, count);
		add(figures, source->errors, errors ? count : 0);
	}
}
