/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Copyright The Skep Authors */

/* The socket of a connection as an iterator over all of them has it. */
#ifndef SKEP_BPF_TCP_READING_H
#define SKEP_BPF_TCP_READING_H

#include <bpf/bpf_helpers.h>

#include "bpf/lib/tcp_sock.h"
#include "bpf/tcp/connection.h"
#include "bpf/tcp/edge.h"

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	struct connection *value;
} __attribute__((preserve_access_index));

static __always_inline void key_of_socket(struct tcp_edge_key *key, const struct sock *sk,
					  const struct connection *connection)
{
	const struct sock_common *common = &sk->__sk_common;
	__u32 ip6[4] = {
		common->skc_v6_daddr.in6_u.u6_addr32[0], common->skc_v6_daddr.in6_u.u6_addr32[1],
		common->skc_v6_daddr.in6_u.u6_addr32[2], common->skc_v6_daddr.in6_u.u6_addr32[3]};

	key_of_connection(key, connection);
	key_set_address(key, common->skc_family, common->skc_daddr, ip6);
}

/* Its target has gone: another one that is there takes it over with the next packet. */
static __always_inline void connection_release(struct connection *connection)
{
	if (age_of(connection) < TCP_SAMPLE_INTERVAL)
		connection->looked_at = (__u32)bpf_jiffies64() - TCP_SAMPLE_INTERVAL;
}

#endif
