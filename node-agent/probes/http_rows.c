// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/http_rows.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "node-agent/probes/http_methods.h"
#include "node-agent/series/losses.h"

enum {
	SERVER_DURATION,
	CLIENT_DURATION,
	FIRST_BYTE,
	REQUEST_BYTES,
	RESPONSE_BYTES,
	ABORTED_BY_CLIENT,
	ABORTED_BY_SERVER,
	FAMILIES,
};

#define US 1e-6

/*
 * The kernel's slots (bpf/http.h) are cheap, a series is not: these of their bounds, in seconds,
 * are shown, and what lies between two of them is added up, which is exact. See docs/metrics.md for
 * why these.
 */
static const double duration_bounds[] = {
	256 * US,    1024 * US,	   2048 * US,	 4096 * US,	8192 * US,
	16384 * US,  32768 * US,   65536 * US,	 131072 * US,	262144 * US,
	524288 * US, 1048576 * US, 4194304 * US, 16777216 * US,
};
static const double first_byte_bounds[] = {
	256 * US,    1024 * US,	   4096 * US,	 16384 * US,	65536 * US,
	262144 * US, 1048576 * US, 4194304 * US, 16777216 * US,
};

#define COUNTER(family, name_, help_)                                                              \
	[family] = {.name = name_, .help = help_, .type = METRIC_COUNTER, .unit = 1}
#define HISTOGRAM(family, name_, bounds_, help_)                                                   \
	[family] = {.name = name_,                                                                 \
		    .help = help_,                                                                 \
		    .type = METRIC_HISTOGRAM,                                                      \
		    .unit = US,                                                                    \
		    .bounds = bounds_,                                                             \
		    .bound_count = sizeof(bounds_) / sizeof(bounds_[0])}

static const struct series_family families[FAMILIES] = {
	HISTOGRAM(SERVER_DURATION, "http_server_request_duration_seconds", duration_bounds,
		  "Requests that the pod answered: from their first byte to the last one of the "
		  "response."),
	HISTOGRAM(CLIENT_DURATION, "http_client_request_duration_seconds", duration_bounds,
		  "Requests that the pod sent: from their first byte to the last one of the "
		  "response."),
	HISTOGRAM(FIRST_BYTE, "skep_http_first_byte_seconds", first_byte_bounds,
		  "From the first byte of a request to the first one of its response."),
	COUNTER(REQUEST_BYTES, "skep_http_request_bytes_total",
		"Bytes of requests, heads included."),
	COUNTER(RESPONSE_BYTES, "skep_http_response_bytes_total",
		"Bytes of responses, heads included."),
	COUNTER(ABORTED_BY_CLIENT, "skep_http_aborted_by_client_total",
		"Requests that the client gave up before the response was complete."),
	COUNTER(ABORTED_BY_SERVER, "skep_http_aborted_by_server_total",
		"Requests whose response the server did not complete."),
};

const struct series_layout http_layout = {.families = families, .count = FAMILIES};

enum { CONNECTIONS, OPAQUE, LOST, HEADLESS, BEYOND_SHARE, COVERAGE };

static const struct series_family coverage_families[COVERAGE] = {
	COUNTER(CONNECTIONS, "skep_http_connections_total",
		"TCP connections on which HTTP/1 was recognised."),
	COUNTER(OPAQUE, "skep_http_opaque_connections_total",
		"TCP connections that carry something else: encrypted, or of another protocol."),
	COUNTER(LOST, "skep_http_lost_total",
		"Times that the thread of a connection was lost: packets missed or out of order."),
	COUNTER(HEADLESS, "skep_http_events_without_path_total",
		"Requests that were told without the path that a policy asks for."),
	COUNTER(BEYOND_SHARE, "skep_http_beyond_share_total",
		"Times that a kind of exchange or a route was not told apart, as the pods of the "
		"namespace have their share of what the node can."),
};

static const struct series_layout coverage_layout = {coverage_families, COVERAGE};

static const struct series_family lost_families[] = {
	COUNTER(0, "skep_http_events_lost_total",
		"Requests that were to be told one by one and were not handed out."),
};
static const struct series_layout lost_layout = {lost_families, 1};

/* OpenTelemetry's error.type: a status is an error from 500 on, to a client from 400 on. */
static const char *error_type(const struct http_kind *kind, const char *status)
{
	if (!kind->status)
		return "no_response";
	return kind->status >= (kind->role == HTTP_CLIENT ? 400 : 500) ? status : "";
}

void http_labels_of(const struct http_kind *kind, const char *route, struct http_labels *ret_labels)
{
	char *status = ret_labels->status;

	snprintf(status, HTTP_STATUS_SIZE, kind->status ? "%u" : "", kind->status);
	ret_labels->labels[0] =
		(struct metric_label){"http_request_method", http_method_name(kind->method)};
	ret_labels->labels[1] = (struct metric_label){"http_response_status_code", status};
	ret_labels->labels[2] = (struct metric_label){"error_type", error_type(kind, status)};
	ret_labels->labels[3] = (struct metric_label){"http_route", route};
	ret_labels->count = *route ? HTTP_LABELS : HTTP_LABELS - 1;
}

/* By how much a counter that goes round has grown. */
static __u32 growth(__u32 before, __u32 now)
{
	return now - before;
}

/* The bucket of a family in which a slot of the kernel is shown. */
static size_t bucket_of(const struct series_family *family, int slot)
{
	double bound = slot < HTTP_BOUNDS ? (double)(UINT64_C(1) << (HTTP_FIRST_BOUND + slot)) * US
					  : INFINITY;
	size_t bucket = 0;

	while (bucket < family->bound_count && family->bounds[bucket] < bound)
		bucket++;
	return bucket;
}

/* Adds a histogram of the kernel, `slots`, and that of responses that came in one packet. */
static void add_histogram(struct series_row *row, size_t family, const struct http_counters *before,
			  const struct http_counters *now, size_t slots, uint64_t sum)
{
	const __u32 *own_before = (const __u32 *)((const char *)before + slots);
	const __u32 *own_now = (const __u32 *)((const char *)now + slots);
	const struct series_family *shown = &families[family];
	uint64_t counts[HTTP_SLOTS] = {0}, quick;

	for (int i = 0; i < HTTP_SLOTS; i++)
		counts[bucket_of(shown, i)] += growth(own_before[i], own_now[i]);
	for (int i = 0; i < HTTP_QUICK_SLOTS; i++) {
		quick = now->quick[i] - before->quick[i];
		counts[bucket_of(shown, i)] += quick >> HTTP_QUICK_COUNT;
		sum += quick & ((1ULL << HTTP_QUICK_COUNT) - 1);
	}
	series_add_histogram(row, family, counts, sum);
}

#define GROWTH(member)	 ((int64_t)(now->member - before->member))
#define SLOTS_OF(member) offsetof(struct http_counters, member)

static void add_bytes(struct series_row *row, const struct http_counters *before,
		      const struct http_counters *now)
{
	const uint64_t small = now->small_bytes - before->small_bytes;

	series_add(row, REQUEST_BYTES, GROWTH(request_bytes) + (__u32)small);
	series_add(row, RESPONSE_BYTES,
		   GROWTH(response_bytes) + (int64_t)(small >> HTTP_SMALL_RESPONSE));
}

void http_row_add(struct series_row *row, const struct http_kind *kind,
		  const struct http_counters *before, const struct http_counters *now)
{
	add_histogram(row, kind->role == HTTP_SERVER ? SERVER_DURATION : CLIENT_DURATION, before,
		      now, SLOTS_OF(duration), now->duration_sum - before->duration_sum);
	add_histogram(row, FIRST_BYTE, before, now, SLOTS_OF(wait),
		      now->wait_sum - before->wait_sum);
	add_bytes(row, before, now);
	series_add(row, ABORTED_BY_CLIENT,
		   growth(before->aborted_by_client, now->aborted_by_client));
	series_add(row, ABORTED_BY_SERVER,
		   growth(before->aborted_by_server, now->aborted_by_server));
}

static void add_coverage(struct series_owner *owner, const struct http_target_counts *before,
			 const struct http_target_counts *now)
{
	struct series_row *row = series_row(owner, &coverage_layout, NULL, 0);

	series_add(row, CONNECTIONS, GROWTH(connections));
	series_add(row, OPAQUE, GROWTH(opaque));
	series_add(row, LOST, GROWTH(lost));
	series_add(row, HEADLESS, GROWTH(headless));
	series_add(row, BEYOND_SHARE, GROWTH(beyond_share));
}

void http_totals_add(struct series_owner *owner, const struct http_totals *before,
		     const struct http_totals *now)
{
	add_coverage(owner, &before->counts, &now->counts);
	series_lose(owner, &lost_layout, LOSS_RATE_LIMITED, GROWTH(counts.rate_limited));
	series_lose(owner, &lost_layout, LOSS_RING_FULL, GROWTH(counts.ring_full));
	series_lose(owner, &lost_layout, LOSS_DECODE, GROWTH(undecoded));
}
