// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copyright The Skep Authors

/*
 * Counts HTTP/1 exchanges of the cgroups that the programs are attached to, from their packets.
 * Reads only: every program lets every packet pass.
 *
 * Of each connection it knows where the next message starts in either direction, by sequence
 * numbers, so that bodies are stepped over unread. Heads are read through a window (http_head.h); a
 * request waits in a short queue for its response, and the pair is counted. Each of these has a
 * room of its own in bpf/http/.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/http/connection.h"
#include "bpf/http/early.h"
#include "bpf/http/ending.h"
#include "bpf/http/opening.h"
#include "bpf/http/packet.h"
#include "bpf/http/pieces.h"
#include "bpf/http/target.h"
#include "bpf/lib/likely.h"
#include "bpf/lib/tcp_segment.h"

#define PASS 1

static __always_inline void packet_follow(struct packet *packet, __u32 sequence)
{
	struct connection *connection = packet->connection;
	__u32 end = sequence + packet->size;

	packet->request = packet->sent ^ connection->role; /* HTTP_CLIENT is 0 */
	packet->stream = packet->request ? &connection->request : &connection->response;
	if (likely(packet->size))
		packet_read(packet, sequence);
	if (unlikely(packet_may_end(packet)))
		packet_end(packet, sequence, end);
}

static __always_inline int packet_take(struct __sk_buff *skb, bool sent)
{
	struct packet packet = {.skb = skb, .sent = sent, .sk = skb->sk};
	struct tcp_segment segment;

	if (unlikely(!packet.sk || !tcp_segment_parse(skb, &segment)))
		return PASS;
	if (!segment.payload && !(segment.flags & (SEGMENT_FIN | SEGMENT_RST)))
		return PASS;
	packet.connection = bpf_sk_storage_get(&http_connections, packet.sk, NULL, 0);
	if (unlikely(!packet.connection || packet.connection->settled != version_now())) {
		packet.connection = connection_settle(&packet, &segment, sent);
		if (!packet.connection)
			return PASS;
	}
	packet.flags = segment.flags;
	packet.offset = skb->len - segment.payload;
	packet.size = segment.payload;
	packet_follow(&packet, segment.sequence);
	return PASS;
}

SEC("cgroup_skb/ingress")
int http_received(struct __sk_buff *skb)
{
	return packet_take(skb, false);
}

SEC("cgroup_skb/egress")
int http_sent(struct __sk_buff *skb)
{
	return packet_take(skb, true);
}

/* Leaves `reply` alone: what the kernel or another program decides holds. */
SEC("sockops")
int http_operation(struct bpf_sock_ops *operation)
{
	if (operation->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		early_accept(operation);
	else if (operation->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		early_connect(operation);
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
