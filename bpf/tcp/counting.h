/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What is counted of a connection: by how much its figures have grown since the last look. */
#ifndef SKEP_BPF_TCP_COUNTING_H
#define SKEP_BPF_TCP_COUNTING_H

#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/histogram.h"
#include "bpf/lib/tcp_sock.h"
#include "bpf/lib/verifier.h"
#include "bpf/tcp/connection.h"
#include "bpf/tcp/edge.h"

/* Several CPUs may look at once: each growth is counted by the one that notes it. */
#define count_growth(counter, seen, now)                                                           \
	do {                                                                                       \
		__typeof__(seen) before = *(volatile __typeof__(seen) *)&(seen);                   \
                                                                                                   \
		if ((now) > before && __sync_val_compare_and_swap(&(seen), before, now) == before) \
			count(&(counter), (now)-before);                                           \
	} while (0)

static __always_inline void count_figures(struct connection *connection, struct tcp_counters *edge,
					  const struct tcp_figures *now)
{
	struct tcp_figures *seen = &connection->seen;

	count_growth(edge->sent_bytes, seen->sent_bytes, now->sent_bytes);
	count_growth(edge->received_bytes, seen->received_bytes, now->received_bytes);
	count_growth(edge->sent_packets, seen->sent_packets, now->sent_packets);
	count_growth(edge->received_packets, seen->received_packets, now->received_packets);
	count_growth(edge->retransmitted, seen->retransmitted, now->retransmitted);
	count_growth(edge->out_of_order, seen->out_of_order, now->out_of_order);
	count_growth(edge->duplicates, seen->duplicates, now->duplicates);
}

/* The growth of what has never been looked at is all there is. */
static __always_inline void count_all(struct tcp_counters *edge, const struct tcp_figures *now)
{
	count(&edge->sent_bytes, now->sent_bytes);
	count(&edge->received_bytes, now->received_bytes);
	count(&edge->sent_packets, now->sent_packets);
	count(&edge->received_packets, now->received_packets);
	if (now->retransmitted)
		count(&edge->retransmitted, now->retransmitted);
	if (now->out_of_order)
		count(&edge->out_of_order, now->out_of_order);
	if (now->duplicates)
		count(&edge->duplicates, now->duplicates);
}

static __always_inline void observe(__u64 *slots, __u64 *sum, __u32 us)
{
	__u32 slot = histogram_slot(us, TCP_FIRST_BOUND, TCP_SLOTS);

	verifier_forget(slot); /* it does not follow the arithmetic: bound the result itself */
	if (slot >= TCP_SLOTS)
		return;
	count(&slots[slot], 1);
	count(sum, us);
}

static __always_inline void observe_rtt(struct tcp_counters *edge, const struct tcp_sock *tcp)
{
	__u32 srtt = tcp->srtt_us >> 3, lowest = tcp->rtt_min.s[0].v, before = edge->min_rtt;

	if (!srtt)
		return;
	observe(edge->srtt, &edge->srtt_sum, srtt);
	count(&edge->rttvar_sum, tcp->mdev_us >> 2);
	count(&edge->rttvar_count, 1);
	if (lowest && lowest != ~0U && (!before || lowest < before))
		__sync_val_compare_and_swap(&edge->min_rtt, before, lowest);
}

static __always_inline void observe_window(struct connection *connection, struct tcp_counters *edge,
					   const struct tcp_sock *tcp)
{
	bool stalled = !tcp->snd_wnd && tcp->srtt_us; /* before its first answer there is none */

	if (stalled == !!(connection->flags & CONNECTION_STALLED))
		return;
	connection->flags ^= CONNECTION_STALLED;
	if (stalled)
		count(&edge->zero_windows, 1);
}

static __always_inline void count_now(struct connection *connection, struct tcp_counters *edge,
				      const struct tcp_sock *tcp)
{
	struct tcp_figures now;

	tcp_sock_figures(tcp, &now);
	count_figures(connection, edge, &now);
	observe_window(connection, edge, tcp);
}

#endif
