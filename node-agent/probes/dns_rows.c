// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/dns_rows.h"

#include <string.h>

#include "node-agent/probes/dns_codes.h"
#include "node-agent/series/losses.h"

enum { DURATION, TIMEOUTS, RETRIES, TRUNCATED };

static const double bounds[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};

#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

static const struct series_family lookup_families[] = {
	[DURATION] = {.name = "dns_lookup_duration_seconds",
		      .help = "Time from the query to its answer.",
		      .type = METRIC_HISTOGRAM,
		      .unit = 1e-9,
		      .bounds = bounds,
		      .bound_count = BOUNDS},
	[TIMEOUTS] = {.name = "skep_dns_timeouts_total",
		      .help = "Queries without an answer within 5 seconds.",
		      .type = METRIC_COUNTER},
	[RETRIES] = {.name = "skep_dns_retries_total",
		     .help = "Queries that asked again what had not been answered.",
		     .type = METRIC_COUNTER},
	[TRUNCATED] = {.name = "skep_dns_truncated_total",
		       .help = "Answers that told a part only (TC).",
		       .type = METRIC_COUNTER},
};
static const struct series_layout lookup_layout = {
	lookup_families, sizeof(lookup_families) / sizeof(lookup_families[0])};

static const struct series_family malformed_families[] = {
	{.name = "skep_dns_malformed_total",
	 .help = "Messages to or from port 53 that are not as DNS messages must be.",
	 .type = METRIC_COUNTER},
};
static const struct series_layout malformed_layout = {malformed_families, 1};

static const struct series_family lost_families[] = {
	{.name = "skep_dns_messages_lost_total",
	 .help = "Messages that passed and were not looked at.",
	 .type = METRIC_COUNTER},
};
static const struct series_layout lost_layout = {lost_families, 1};

static const char *name_or_other(const char *name)
{
	return name ? name : DNS_NAMES_OTHER;
}

/* Steps of a search are counted under what was searched for. */
static const char *admit(struct dns_names *names, const struct dns_lookup *lookup)
{
	size_t length = lookup->search ? lookup->search : strlen(lookup->name);
	bool exists = !lookup->timed_out && lookup->code == DNS_CODE_NOERROR;

	return dns_names_admit(names, lookup->name, length, lookup->type, exists);
}

static struct series_row *row_of(struct series_owner *owner, struct dns_names *names,
				 const struct dns_lookup *lookup)
{
	const struct metric_label labels[] = {
		{"dns_question_name", admit(names, lookup)},
		{"dns_question_type", name_or_other(dns_type_name(lookup->type))},
		{"dns_response_code",
		 lookup->timed_out ? "" : name_or_other(dns_code_name(lookup->code))},
		{"network_transport", lookup->tcp ? "tcp" : "udp"},
		{"dns_search", lookup->search ? "true" : "false"},
	};

	return series_row(owner, &lookup_layout, labels, sizeof(labels) / sizeof(labels[0]));
}

static void observe(struct series_row *row, uint64_t duration)
{
	uint64_t counts[BOUNDS + 1] = {0};
	size_t slot = 0;

	while (slot < BOUNDS && (double)duration > bounds[slot] * 1e9)
		slot++;
	counts[slot] = 1;
	series_add_histogram(row, DURATION, counts, duration);
}

void dns_rows_add_lookup(struct series_owner *owner, struct dns_names *names,
			 const struct dns_lookup *lookup)
{
	struct series_row *row = row_of(owner, names, lookup);

	if (!lookup->timed_out)
		observe(row, lookup->duration);
	series_add(row, TIMEOUTS, lookup->timed_out);
	series_add(row, RETRIES, lookup->resent);
	series_add(row, TRUNCATED, lookup->truncated);
}

void dns_rows_add_losses(struct series_owner *owner, const struct dns_losses *before,
			 const struct dns_losses *now)
{
	series_add(series_row(owner, &malformed_layout, NULL, 0), 0,
		   (int64_t)(now->malformed - before->malformed));
	series_lose(owner, &lost_layout, LOSS_RATE_LIMITED,
		    now->rate_limited - before->rate_limited);
	series_lose(owner, &lost_layout, LOSS_RING_FULL, now->ring_full - before->ring_full);
	series_lose(owner, &lost_layout, LOSS_DECODE, now->decode - before->decode);
	series_lose(owner, &lost_layout, LOSS_TABLE_FULL, now->table_full - before->table_full);
}
