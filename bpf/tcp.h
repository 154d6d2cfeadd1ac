/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* What both halves of the TCP probe share: an edge of a target, and what is counted on it. */
#ifndef SKEP_BPF_TCP_H
#define SKEP_BPF_TCP_H

#include <linux/types.h>

/*
 * Between two looks at one connection, in jiffies (3 to 30 hundredths of a second, by the kernel's
 * HZ): programs read them as a variable, where any clock costs a packet up to 20 ns more.
 */
#define TCP_SAMPLE_INTERVAL 32

/* A target that finds a connection looked at this long ago, in jiffies, takes its figures over. */
#define TCP_HANDOVER (4 * TCP_SAMPLE_INTERVAL)

/* An accepted connection that has sent less is told at its end only. */
#define TCP_YOUNG_SEGMENTS 3

/* One of which nothing is known at its end has not sent so much under these programs. */
#define TCP_OLD_SEGMENTS 64

#define TCP_EDGES_LIMIT	 8192  /* of a node; beyond, a target's connections count as "others" */
#define TCP_OTHERS_LIMIT 16384 /* of a node: for each role of a target */

/* What pods of one namespace may not have alone: see share.h. */
enum tcp_shared { TCP_SHARED_EDGES };

/* A target may come to know this many edges at once, and one more each interval. */
#define TCP_EDGE_BURST	     256
#define TCP_EDGE_INTERVAL_NS 100000000

/*
 * A histogram of microseconds in powers of two: slot 0 holds what is up to 2^TCP_FIRST_BOUND, slot
 * n what is up to twice the bound of slot n - 1, the last one all the rest.
 */
#define TCP_FIRST_BOUND 6  /* 64 us */
#define TCP_BOUNDS	17 /* up to 4.2 s */
#define TCP_SLOTS	(TCP_BOUNDS + 1)

enum tcp_role { TCP_CLIENT, TCP_SERVER };

/* Who a target talks to. All zero but target and role: others, beyond the limits. */
struct tcp_edge_key {
	__u32 target;
	__u16 port; /* the server's, host byte order */
	__u8 role;  /* enum tcp_role, of the target */
	__u8 reserved;
	__u8 address[16]; /* the other end's; IPv4 as ::ffff:a.b.c.d */
};

_Static_assert(sizeof(struct tcp_edge_key) == 24, "shared with the kernel");

struct tcp_counters {
	__u64 opened;	/* connect() that succeeded */
	__u64 accepted; /* connections that came in */
	__u64 closed;	/* of the two above */

	__u64 refused; /* connect() answered by a RST */
	__u64 unheard; /* connect() without an answer */
	__u64 failed;  /* connect() that failed otherwise */
	__u64 reset_by_peer;
	__u64 reset_by_target;
	__u64 given_up; /* established, and ended for want of answers */

	__u64 sent_bytes; /* payload, each byte once */
	__u64 received_bytes;
	__u64 sent_packets; /* segments */
	__u64 received_packets;

	__u64 retransmitted; /* segments, SYNs included */
	__u64 timeouts;	     /* of the retransmission timer */
	__u64 syn_retransmitted;
	__u64 out_of_order; /* segments received */
	__u64 duplicates;   /* segments sent in vain, as the peer says (DSACK) */
	__u64 zero_windows; /* times that the peer's window closed */

	/* Microseconds. */
	__u64 connect_sum;
	__u64 srtt_sum;
	__u64 rttvar_sum;
	__u64 rttvar_count;
	__u64 connect[TCP_SLOTS];
	__u64 srtt[TCP_SLOTS];
	__u32 min_rtt;	 /* the lowest seen; 0: none */
	__u32 namespace; /* that the edge counts for; 0: not known yet, or one of the others */
};

_Static_assert(sizeof(struct tcp_counters) == 23 * 8 + 2 * 8 * TCP_SLOTS + 8,
	       "shared with the kernel");

/* What the programs know of a target, in its cgroup's storage. */
struct tcp_target {
	__u32 target;	     /* the number that user space gave to it; 0: nothing is counted */
	__u32 namespace;     /* its number, which none had before it: see share.h */
	__u64 edges_full_at; /* bucket of the edges that it may yet come to know */
	__u64 beyond_share;  /* edges refused: the namespace has its share */
};

#endif
