// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The HTTP probe: programs on the target's own cgroup read the heads of HTTP/1 and count exchanges
 * by edge, method and status in the kernel; what has come since the last read goes into the series.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/probes/http_kernel.h"
#include "node-agent/probes/http_kinds.h"
#include "node-agent/probes/http_rows.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/programs.h"

struct probe_attachment {
	uint32_t number; /* the key of the table */
	uint64_t cgroup_id;
	int links[HTTP_HOOKS];
	struct series_owner *series;
	struct http_target read; /* what is in the series already */
	bool leaving;		 /* this read is the last one */
	UT_hash_handle hh;
};

struct probe {
	const struct probe_host *host;
	struct http_kernel kernel;
	struct probe_attachment *attachments; /* by number */
	uint32_t last_number;		      /* none is given twice */
	struct http_kinds kinds;
};

static struct probe *http_close(struct probe *probe)
{
	struct http_read_kind *entry, *next;

	if (!probe)
		return NULL;
	HASH_ITER(hh, probe->kinds.table, entry, next)
		http_kinds_remove(&probe->kinds, entry);
	http_kernel_close(&probe->kernel);
	free(probe);
	return NULL;
}

static int http_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int result;

	if (!probe)
		return error_set(error, ENOMEM, "open the HTTP probe: no memory");
	probe->host = host;
	result = http_kernel_open(&probe->kernel, error);
	if (result < 0) {
		http_close(probe);
		return result;
	}
	*ret_probe = probe;
	return 0;
}

static uint64_t now_ms(const struct probe *probe)
{
	return uv_now(probe->host->loop);
}

static struct series_row *name_edge(void *context, struct series_owner *owner,
				    const struct edge *edge)
{
	const struct probe *probe = context;

	return probe->host->edge_row(probe->host->context, owner, &http_layout, edge);
}

static void take(struct probe *probe, struct http_read_kind *entry,
		 const struct http_counters *counters, const struct probe_attachment *attachment,
		 bool last)
{
	http_kind_take(entry, counters, attachment->series, name_edge, probe, now_ms(probe), last);
}

/* What is counted between the last read and its end goes along, also where nobody has a name. */
static void retire(struct probe *probe, struct http_read_kind *entry,
		   const struct probe_attachment *attachment)
{
	struct http_counters counters;

	if (http_kernel_take(&probe->kernel, &entry->kind, &counters) == 0)
		take(probe, entry, &counters, attachment, true);
	http_kinds_remove(&probe->kinds, entry);
}

static void on_kind(void *context, const void *map_key, const void *map_value)
{
	const struct http_kind *kind = map_key;
	const struct http_counters *counters = map_value;
	const struct probe_attachment *attachment;
	struct probe *probe = context;
	struct http_counters left_over;
	struct http_read_kind *entry;

	HASH_FIND(hh, probe->attachments, &kind->target, sizeof(kind->target), attachment);
	if (!attachment) { /* made by a program that was still running when its target went */
		(void)http_kernel_take(&probe->kernel, kind, &left_over);
		return;
	}
	entry = http_kinds_ensure(&probe->kinds, kind, now_ms(probe));
	if (!entry)
		return;
	take(probe, entry, counters, attachment, attachment->leaving);
	if (attachment->leaving || http_kind_is_idle(entry, now_ms(probe)))
		retire(probe, entry, attachment);
}

static void read_coverage(struct probe *probe, struct probe_attachment *attachment)
{
	struct http_target target;

	if (!http_kernel_read_target(&probe->kernel, attachment->cgroup_id, &target) ||
	    target.target != attachment->number) /* of one that is attached later */
		return;
	http_coverage_add(attachment->series, &attachment->read, &target);
	attachment->read = target;
}

static void http_read(struct probe *probe)
{
	struct probe_attachment *attachment, *next;

	HASH_ITER(hh, probe->attachments, attachment, next)
		read_coverage(probe, attachment);
	http_kernel_read(&probe->kernel, on_kind, probe);
}

/* What a read that failed has left of a target. */
static void forget_kinds(struct probe *probe, uint32_t number)
{
	struct http_read_kind *entry, *next;

	HASH_ITER(hh, probe->kinds.table, entry, next)
		if (entry->kind.target == number)
			http_kinds_remove(&probe->kinds, entry);
}

/* Nothing is counted any more; what was, is read a last time. */
static struct probe_attachment *http_detach(struct probe *probe,
					    struct probe_attachment *attachment)
{
	if (!attachment)
		return NULL;
	for (int i = 0; i < HTTP_HOOKS; i++)
		programs_close(&attachment->links[i]);
	attachment->leaving = true;
	http_read(probe);
	forget_kinds(probe, attachment->number);
	http_kernel_forget(&probe->kernel, attachment->cgroup_id);
	HASH_DEL(probe->attachments, attachment);
	free(attachment);
	return NULL;
}

static int http_attach(struct probe *probe, const struct probe_target *target,
		       const union probe_settings *settings,
		       struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));
	int result;

	(void)settings; /* HTTP has none */
	if (!attachment)
		return error_set(error, ENOMEM, "attach HTTP: no memory");
	attachment->number = ++probe->last_number;
	attachment->cgroup_id = target->cgroup_id;
	attachment->series = target->series;
	memset(attachment->links, -1, sizeof(attachment->links));
	HASH_ADD(hh, probe->attachments, number, sizeof(attachment->number), attachment);
	result = http_kernel_attach(&probe->kernel, target, attachment->number, attachment->links,
				    error);
	if (result < 0) {
		http_detach(probe, attachment);
		return result;
	}
	*ret_attachment = attachment;
	return 0;
}

static int http_configure(struct probe *probe, struct probe_attachment *attachment,
			  const union probe_settings *settings, struct error *error)
{
	(void)probe, (void)attachment, (void)settings, (void)error; /* HTTP has no settings */
	return 0;
}

const struct probe_kind http_probe_kind = {
	.type = PROBE_HTTP,
	.open = http_open,
	.close = http_close,
	.attach = http_attach,
	.configure = http_configure,
	.detach = http_detach,
	.read = http_read,
};
