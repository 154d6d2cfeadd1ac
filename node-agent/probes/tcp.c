// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The TCP probe: programs on the target's own cgroup count per edge (who is at the other end, at
 * which port) in the kernel; what has come since the last read goes into the series.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/link/selection.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/programs.h"
#include "node-agent/probes/shares.h"
#include "node-agent/probes/tcp_edges.h"
#include "node-agent/probes/tcp_kernel.h"
#include "node-agent/probes/tcp_rows.h"

struct probe_attachment {
	uint32_t number; /* the key of the table */
	uint64_t cgroup_id;
	int links[TCP_HOOKS];
	struct series_owner *series;
	struct namespace *namespace; /* of the pod */
	uint64_t beyond_share;	     /* when last read */
	bool leaving;		     /* this read is the last one */
	UT_hash_handle hh;
};

struct probe {
	const struct probe_host *host;
	struct tcp_kernel kernel;
	struct probe_attachment *attachments; /* by number */
	uint32_t last_number;		      /* none is given twice */
	struct tcp_edges edges;
};

static struct probe *tcp_close(struct probe *probe)
{
	struct tcp_edge *edge, *next;

	if (!probe)
		return NULL;
	HASH_ITER(hh, probe->edges.table, edge, next)
		tcp_edges_remove(&probe->edges, edge);
	tcp_kernel_close(&probe->kernel);
	free(probe);
	return NULL;
}

static int tcp_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int result;

	if (!probe)
		return error_set(error, ENOMEM, "open the TCP probe: no memory");
	probe->host = host;
	result = tcp_kernel_open(&probe->kernel, error);
	if (result < 0) {
		tcp_close(probe);
		return result;
	}
	*ret_probe = probe;
	return 0;
}

static struct probe_attachment *find_attachment(const struct probe *probe, uint32_t number)
{
	struct probe_attachment *found;

	HASH_FIND(hh, probe->attachments, &number, sizeof(number), found);
	return found;
}

static uint64_t now_ms(const struct probe *probe)
{
	return uv_now(probe->host->loop);
}

static struct series_row *name_edge(void *context, struct series_owner *owner,
				    const struct edge *edge)
{
	const struct probe *probe = context;

	return probe->host->edge_row(probe->host->context, owner, &tcp_layout, edge);
}

static void take(struct probe *probe, struct tcp_edge *edge, const struct tcp_counters *counters,
		 const struct probe_attachment *attachment, bool last)
{
	tcp_edge_take(edge, counters, attachment->series, name_edge, probe, now_ms(probe), last);
}

/* What is counted between the last read and its end goes along, also where nobody has a name. */
static void retire(struct probe *probe, struct tcp_edge *edge,
		   const struct probe_attachment *attachment)
{
	struct tcp_counters counters;

	if (tcp_kernel_take(&probe->kernel, &edge->key, attachment->namespace->number, &counters) ==
	    0)
		take(probe, edge, &counters, attachment, true);
	tcp_edges_remove(&probe->edges, edge);
}

/*
 * Made by a program that was still running when its target went. Where that has just come, and its
 * namespace is not known yet, the next read takes it.
 */
static void take_left_over(struct probe *probe, const struct tcp_edge_key *key,
			   const struct tcp_counters *counters)
{
	struct tcp_counters left_over;

	if (!key->port || counters->namespace)
		(void)tcp_kernel_take(&probe->kernel, key, counters->namespace, &left_over);
}

static void on_edge(void *context, const void *map_key, const void *map_value)
{
	const struct tcp_edge_key *key = map_key;
	const struct tcp_counters *counters = map_value;
	struct probe *probe = context;
	const struct probe_attachment *attachment = find_attachment(probe, key->target);
	struct tcp_edge *edge;

	if (!attachment) {
		take_left_over(probe, key, counters);
		return;
	}
	edge = tcp_edges_ensure(&probe->edges, key, now_ms(probe));
	if (!edge)
		return;
	take(probe, edge, counters, attachment, attachment->leaving);
	if (attachment->leaving || tcp_edge_is_idle(edge, now_ms(probe)))
		retire(probe, edge, attachment);
}

static void on_adopted(void *context, const struct tcp_edge_key *key)
{
	struct probe *probe = context;
	struct tcp_edge *edge = find_attachment(probe, key->target)
					? tcp_edges_ensure(&probe->edges, key, now_ms(probe))
					: NULL;

	if (edge)
		edge->adopted++;
}

static void read_share(struct probe *probe, struct probe_attachment *attachment)
{
	uint64_t before = attachment->beyond_share;

	(void)tcp_kernel_beyond_share(&probe->kernel, attachment->cgroup_id,
				      &attachment->beyond_share);
	tcp_add_beyond_share(attachment->series, attachment->beyond_share - before);
}

static void tcp_read(struct probe *probe)
{
	struct probe_attachment *attachment, *other;
	struct tcp_edge *edge, *next;

	HASH_ITER(hh, probe->attachments, attachment, other)
		read_share(probe, attachment);

	HASH_ITER(hh, probe->edges.table, edge, next)
		edge->adopted = 0;
	tcp_kernel_look(&probe->kernel, on_adopted, probe);
	tcp_kernel_read(&probe->kernel, on_edge, probe);
}

static void close_links(struct probe_attachment *attachment)
{
	for (int i = 0; i < TCP_HOOKS; i++)
		programs_close(&attachment->links[i]);
}

/* What a read that failed has left of a target: its rows go with the attachment. */
static void forget_edges(struct probe *probe, uint32_t number)
{
	struct tcp_edge *edge, *next;

	HASH_ITER(hh, probe->edges.table, edge, next)
		if (edge->key.target == number)
			tcp_edges_remove(&probe->edges, edge);
}

static void attachment_free(struct probe *probe, struct probe_attachment *attachment)
{
	shares_leave(&probe->kernel.shares, attachment->namespace);
	free(attachment);
}

static void ignore(void *context, const struct tcp_edge_key *key)
{
	(void)context, (void)key;
}

/*
 * Nothing is counted any more; what was, is read a last time. With its edges gone, another look
 * tells its connections that they are free.
 */
static struct probe_attachment *tcp_detach(struct probe *probe, struct probe_attachment *attachment)
{
	if (!attachment)
		return NULL;
	close_links(attachment);
	attachment->leaving = true;
	tcp_read(probe);
	forget_edges(probe, attachment->number);
	tcp_kernel_look(&probe->kernel, ignore, NULL);
	tcp_kernel_forget(&probe->kernel, attachment->cgroup_id);
	HASH_DEL(probe->attachments, attachment);
	attachment_free(probe, attachment);
	return NULL;
}

static int attachment_new(struct probe *probe, const struct probe_target *target,
			  struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));
	int result;

	if (!attachment)
		return error_set(error, ENOMEM, "attach TCP: no memory");
	result = shares_join(&probe->kernel.shares, target->pod->namespace, &attachment->namespace,
			     error);
	if (result < 0) {
		free(attachment);
		return result;
	}
	attachment->number = ++probe->last_number;
	attachment->cgroup_id = target->cgroup_id;
	attachment->series = target->series;
	memset(attachment->links, -1, sizeof(attachment->links));
	*ret_attachment = attachment;
	return 0;
}

static int start(struct probe *probe, const struct probe_target *target,
		 struct probe_attachment *attachment, struct error *error)
{
	const struct tcp_target row = {.target = attachment->number,
				       .namespace = attachment->namespace->number};

	return tcp_kernel_attach(&probe->kernel, target, &row, attachment->links, error);
}

static int tcp_attach(struct probe *probe, const struct probe_target *target,
		      const union probe_settings *settings,
		      struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = NULL;
	int result = attachment_new(probe, target, &attachment, error);

	(void)settings; /* TCP has none */
	if (!attachment)
		return result;
	HASH_ADD(hh, probe->attachments, number, sizeof(attachment->number), attachment);
	if (!is_in_table(attachment)) {
		attachment_free(probe, attachment);
		return error_set(error, ENOMEM, "attach TCP: no memory");
	}
	result = start(probe, target, attachment, error);
	if (result < 0) {
		tcp_detach(probe, attachment);
		return result;
	}
	*ret_attachment = attachment;
	return 0;
}

static int tcp_configure(struct probe *probe, struct probe_attachment *attachment,
			 const union probe_settings *settings, struct error *error)
{
	(void)probe, (void)attachment, (void)settings, (void)error; /* TCP has no settings */
	return 0;
}

const struct probe_kind tcp_probe_kind = {
	.type = PROBE_TCP,
	.open = tcp_open,
	.close = tcp_close,
	.attach = tcp_attach,
	.configure = tcp_configure,
	.detach = tcp_detach,
	.read = tcp_read,
};
