// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/probes/tcp_rows.h"

#include <stdbool.h>

/* The counters, in the order of the families below. */
enum {
	OPENED,
	ACCEPTED,
	REFUSED,
	UNHEARD,
	FAILED,
	RESET_BY_PEER,
	RESET_BY_TARGET,
	GIVEN_UP,
	SENT_BYTES,
	RECEIVED_BYTES,
	SENT_PACKETS,
	RECEIVED_PACKETS,
	RETRANSMITTED,
	TIMEOUTS,
	SYN_RETRANSMITTED,
	OUT_OF_ORDER,
	DUPLICATES,
	ZERO_WINDOWS,
	COUNTERS,
	OPEN = COUNTERS,
	CONNECT,
	SRTT,
	RTTVAR,
	MIN_RTT,
	FAMILIES,
};

#define US 1e-6

/* The bounds of the kernel's slots (bpf/tcp.h), in seconds. */
static const double bounds[TCP_BOUNDS] = {
	64 * US,     128 * US,	  256 * US,	512 * US,     1024 * US,    2048 * US,
	4096 * US,   8192 * US,	  16384 * US,	32768 * US,   65536 * US,   131072 * US,
	262144 * US, 524288 * US, 1048576 * US, 2097152 * US, 4194304 * US,
};

#define COUNTER(family, name_, help_)                                                              \
	[family] = {.name = name_, .help = help_, .type = METRIC_COUNTER, .unit = 1}

static const struct series_family families[FAMILIES] = {
	COUNTER(OPENED, "skep_tcp_connections_opened_total",
		"Connections that the pod opened and the other end took."),
	COUNTER(ACCEPTED, "skep_tcp_connections_accepted_total",
		"Connections that the pod accepted."),
	COUNTER(REFUSED, "skep_tcp_connects_refused_total",
		"Connections that the pod tried to open and the other end refused."),
	COUNTER(UNHEARD, "skep_tcp_connects_timed_out_total",
		"Connections that the pod tried to open and nobody answered."),
	COUNTER(FAILED, "skep_tcp_connects_failed_total",
		"Connections that the pod tried to open in vain for other reasons: no route, or it "
		"gave up itself."),
	COUNTER(RESET_BY_PEER, "skep_tcp_resets_received_total",
		"Connections that the other end reset."),
	COUNTER(RESET_BY_TARGET, "skep_tcp_resets_sent_total", "Connections that the pod reset."),
	COUNTER(GIVEN_UP, "skep_tcp_connections_timed_out_total",
		"Connections that ended because the other end answered no more."),
	COUNTER(SENT_BYTES, "skep_tcp_sent_bytes_total",
		"Payload that the pod sent, each byte once."),
	COUNTER(RECEIVED_BYTES, "skep_tcp_received_bytes_total",
		"Payload that the pod received, each byte once."),
	COUNTER(SENT_PACKETS, "skep_tcp_sent_packets_total", "Segments that the pod sent."),
	COUNTER(RECEIVED_PACKETS, "skep_tcp_received_packets_total",
		"Segments that the pod received."),
	COUNTER(RETRANSMITTED, "skep_tcp_retransmitted_packets_total",
		"Segments that the pod sent again, SYNs included."),
	COUNTER(TIMEOUTS, "skep_tcp_retransmission_timeouts_total",
		"Times that the retransmission timer ran out, as no answer came."),
	COUNTER(SYN_RETRANSMITTED, "skep_tcp_syn_retransmissions_total",
		"SYNs that were sent again: connections that were slow to begin."),
	COUNTER(OUT_OF_ORDER, "skep_tcp_out_of_order_packets_total",
		"Segments that the pod received out of order."),
	COUNTER(DUPLICATES, "skep_tcp_duplicate_packets_total",
		"Segments that the pod sent again without need, as the other end said (DSACK)."),
	COUNTER(ZERO_WINDOWS, "skep_tcp_zero_window_stalls_total",
		"Times that the other end read too slowly and its window closed."),
	[OPEN] = {.name = "skep_tcp_connections_open",
		  .help = "Connections that are open.",
		  .type = METRIC_GAUGE,
		  .unit = 1},
	[CONNECT] = {.name = "skep_tcp_connect_duration_seconds",
		     .help = "From the first SYN that the pod sent until the connection was there.",
		     .type = METRIC_HISTOGRAM,
		     .unit = US,
		     .bounds = bounds,
		     .bound_count = TCP_BOUNDS},
	[SRTT] = {.name = "skep_tcp_srtt_seconds",
		  .help = "Smoothed round-trip time of connections, looked at as they send and as "
			  "they end.",
		  .type = METRIC_HISTOGRAM,
		  .unit = US,
		  .bounds = bounds,
		  .bound_count = TCP_BOUNDS},
	[RTTVAR] = {.name = "skep_tcp_rttvar_seconds",
		    .help = "Variation of the round-trip time, looked at together with it.",
		    .type = METRIC_HISTOGRAM,
		    .unit = US},
	[MIN_RTT] = {.name = "skep_tcp_min_rtt_seconds",
		     .help = "The lowest round-trip time that was seen.",
		     .type = METRIC_GAUGE,
		     .unit = US},
};

const struct series_layout tcp_layout = {.families = families, .count = FAMILIES};

static const struct series_family share_families[] = {
	COUNTER(0, "skep_tcp_beyond_share_total",
		"Times that an edge was not told apart, as the pods of the namespace have their "
		"share of those that the node can."),
};

static const struct series_layout share_layout = {.families = share_families, .count = 1};

static bool happens(size_t family, enum edge_role role)
{
	switch (family) {
	case OPENED:
	case REFUSED:
	case UNHEARD:
	case FAILED:
		return role == EDGE_CLIENT;
	case ACCEPTED:
		return role == EDGE_SERVER;
	default:
		return true;
	}
}

static void add_counters(struct series_row *row, enum edge_role role,
			 const struct tcp_counters *before, const struct tcp_counters *now)
{
#define GROWTH(member) ((int64_t)(now->member - before->member))
	const int64_t growth[COUNTERS] = {
		[OPENED] = GROWTH(opened),
		[ACCEPTED] = GROWTH(accepted),
		[REFUSED] = GROWTH(refused),
		[UNHEARD] = GROWTH(unheard),
		[FAILED] = GROWTH(failed),
		[RESET_BY_PEER] = GROWTH(reset_by_peer),
		[RESET_BY_TARGET] = GROWTH(reset_by_target),
		[GIVEN_UP] = GROWTH(given_up),
		[SENT_BYTES] = GROWTH(sent_bytes),
		[RECEIVED_BYTES] = GROWTH(received_bytes),
		[SENT_PACKETS] = GROWTH(sent_packets),
		[RECEIVED_PACKETS] = GROWTH(received_packets),
		[RETRANSMITTED] = GROWTH(retransmitted),
		[TIMEOUTS] = GROWTH(timeouts),
		[SYN_RETRANSMITTED] = GROWTH(syn_retransmitted),
		[OUT_OF_ORDER] = GROWTH(out_of_order),
		[DUPLICATES] = GROWTH(duplicates),
		[ZERO_WINDOWS] = GROWTH(zero_windows),
	};

	for (size_t family = 0; family < COUNTERS; family++)
		if (happens(family, role))
			series_add(row, family, growth[family]);
}

static void add_histogram(struct series_row *row, size_t family, const __u64 *before,
			  const __u64 *now, uint64_t sum)
{
	uint64_t counts[TCP_SLOTS];

	for (int i = 0; i < TCP_SLOTS; i++)
		counts[i] = now[i] - before[i];
	series_add_histogram(row, family, counts, sum);
}

void tcp_row_add(struct series_row *row, enum edge_role role, const struct tcp_counters *before,
		 const struct tcp_counters *now)
{
	const uint64_t looks = now->rttvar_count - before->rttvar_count;

	add_counters(row, role, before, now);
	if (role == EDGE_CLIENT)
		add_histogram(row, CONNECT, before->connect, now->connect,
			      now->connect_sum - before->connect_sum);
	add_histogram(row, SRTT, before->srtt, now->srtt, now->srtt_sum - before->srtt_sum);
	series_add_histogram(row, RTTVAR, &looks, now->rttvar_sum - before->rttvar_sum);
	if (now->min_rtt)
		series_lower(row, MIN_RTT, now->min_rtt);
}

void tcp_row_add_open(struct series_row *row, int64_t more)
{
	series_add(row, OPEN, more);
}

void tcp_add_beyond_share(struct series_owner *owner, uint64_t more)
{
	series_add(series_row(owner, &share_layout, NULL, 0), 0, (int64_t)more);
}
