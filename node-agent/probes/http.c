// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The HTTP probe: programs on the target's own cgroup read the heads of HTTP/1 and count exchanges
 * by edge, method and status in the kernel; what has come since the last read goes into the series.
 * Records of single requests come through a ring buffer, which is read on a timer.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/link/selection.h"
#include "node-agent/probes/http_event.h"
#include "node-agent/probes/http_kernel.h"
#include "node-agent/probes/http_kinds.h"
#include "node-agent/probes/http_routes.h"
#include "node-agent/probes/http_rows.h"
#include "node-agent/probes/http_teller.h"
#include "node-agent/probes/http_wants.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/programs.h"
#include "node-agent/probes/ring_reader.h"
#include "node-agent/probes/shares.h"

#define DRAIN_TRIES    50    /* looks at the ring for a record that is being written, */
#define DRAIN_PAUSE_NS 20000 /* with a pause between two: a program takes a few microseconds */

struct probe_attachment {
	uint32_t number; /* the key of the table */
	int links[HTTP_HOOKS];
	struct series_owner *series;
	struct http_target row; /* as the kernel has it */
	struct http_route_set *routes;
	struct namespace *namespace; /* of the pod */
	struct http_told_target told;
	struct http_totals totals; /* when last read */
	struct http_totals added;  /* of these, what the series have */
	bool leaving;		   /* this read is the last one */
	UT_hash_handle hh;
};

struct probe {
	const struct probe_host *host;
	struct http_kernel kernel;
	struct probe_attachment *attachments; /* by number */
	uint32_t last_number;		      /* none is given twice */
	struct http_kinds kinds;
	struct http_route_table routes;
	struct ring_reader *reader;
	struct http_teller teller;
};

static uint64_t now_ms(const struct probe *probe)
{
	return uv_now(probe->host->loop);
}

static const char *route_text(struct probe *probe, uint32_t target, uint32_t route)
{
	struct probe_attachment *attachment;

	HASH_FIND(hh, probe->attachments, &target, sizeof(target), attachment);
	return http_routes_text(&probe->routes, attachment ? attachment->routes : NULL, route,
				now_ms(probe));
}

/* --- records --- */

static const char *name_record_route(void *context, const struct http_record *record)
{
	return route_text(context, record->target, record->route);
}

static void take_record(void *context, const void *data, size_t size)
{
	const struct http_record *record = data;
	struct probe_attachment *attachment;
	struct probe *probe = context;

	if (!http_record_valid(record, size))
		return;
	HASH_FIND(hh, probe->attachments, &record->target, sizeof(record->target), attachment);
	if (attachment)
		http_teller_take(&probe->teller, &attachment->told, record, now_ms(probe));
}

static void records_taken(void *context)
{
	struct probe *probe = context;

	http_teller_go_on(&probe->teller, now_ms(probe));
}

static void read_totals(struct probe *probe, struct probe_attachment *attachment)
{
	struct http_totals *totals = &attachment->totals;

	(void)http_kernel_count(&probe->kernel, attachment->number, &totals->counts);
	totals->undecoded = attachment->told.undecoded;
}

static void add_totals(struct probe *probe, struct probe_attachment *attachment)
{
	read_totals(probe, attachment);
	http_totals_add(attachment->series, &attachment->added, &attachment->totals);
	attachment->added = attachment->totals;
}

/* True when every record that was to be written has been read or is counted as lost. */
static bool all_received(struct probe *probe, struct probe_attachment *attachment)
{
	const struct http_target_counts *counts = &attachment->totals.counts;

	read_totals(probe, attachment);
	return counts->records ==
	       attachment->told.received + counts->rate_limited + counts->ring_full;
}

/* Reads what is in the ring, and what a program on another CPU is just about to put there. */
static void drain(struct probe *probe, struct probe_attachment *attachment)
{
	const struct timespec pause = {.tv_nsec = DRAIN_PAUSE_NS};

	ring_reader_read(probe->reader);
	for (int i = 0; i < DRAIN_TRIES && !all_received(probe, attachment); i++) {
		nanosleep(&pause, NULL);
		ring_reader_read(probe->reader);
	}
}

/* The reader stands still while nobody wants records. */
static void use_reader(struct probe *probe)
{
	struct probe_attachment *attachment, *next;

	HASH_ITER(hh, probe->attachments, attachment, next)
		if (attachment->row.wants & HTTP_WANTS_RECORDS) {
			ring_reader_start(probe->reader);
			return;
		}
	ring_reader_stop(probe->reader);
}

/* --- the probe --- */

static struct probe *http_close(struct probe *probe)
{
	struct http_read_kind *entry, *next;

	if (!probe)
		return NULL;
	HASH_ITER(hh, probe->kinds.table, entry, next)
		http_kinds_remove(&probe->kinds, entry);
	ring_reader_free(probe->reader);
	http_routes_free(&probe->routes);
	http_kernel_close(&probe->kernel);
	free(probe);
	return NULL;
}

static int bring_up(struct probe *probe, struct error *error)
{
	const struct ring_reader_user user = {
		.probe = "HTTP",
		.interval_ms = HTTP_READ_INTERVAL_MS,
		.take = take_record,
		.done = records_taken,
		.context = probe,
	};
	int result = http_kernel_open(&probe->kernel, error);

	if (result == 0)
		result = ring_reader_new(probe->host->loop, probe->kernel.records, &user,
					 &probe->reader, error);
	return result;
}

static int http_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int result;

	if (!probe)
		return error_set(error, ENOMEM, "open the HTTP probe: no memory");
	probe->host = host;
	probe->teller.host = host;
	probe->teller.name_route = name_record_route;
	probe->teller.namer_context = probe;
	http_routes_init(&probe->routes, &probe->kernel.routes);
	result = bring_up(probe, error);
	if (result < 0) {
		http_close(probe);
		return result;
	}
	*ret_probe = probe;
	return 0;
}

/* --- what is counted --- */

static struct series_row *name_edge(void *context, struct series_owner *owner,
				    const struct edge *edge)
{
	const struct probe *probe = context;

	return probe->host->edge_row(probe->host->context, owner, &http_layout, edge);
}

static const char *name_route(void *context, const struct http_kind *kind)
{
	return route_text(context, kind->target, kind->route);
}

static void take(struct probe *probe, struct http_read_kind *entry,
		 const struct http_counters *counters, const struct probe_attachment *attachment,
		 bool last)
{
	const struct http_kind_namer namer = {name_edge, name_route, probe};

	http_kind_take(entry, counters, &namer, attachment->series, now_ms(probe), last);
}

/* What is counted between the last read and its end goes along, also where nobody has a name. */
static void retire(struct probe *probe, struct http_read_kind *entry,
		   const struct probe_attachment *attachment)
{
	struct http_counters counters;

	if (http_kind_maps_take(&probe->kernel.kinds, &entry->kind, &counters) == 0)
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
		(void)http_kind_maps_take(&probe->kernel.kinds, kind, &left_over);
		return;
	}
	entry = http_kinds_ensure(&probe->kinds, kind, now_ms(probe));
	if (!entry)
		return;
	take(probe, entry, counters, attachment, attachment->leaving);
	if (attachment->leaving || http_kind_is_idle(entry, now_ms(probe)))
		retire(probe, entry, attachment);
}

static void http_read(struct probe *probe)
{
	struct probe_attachment *attachment, *next;

	ring_reader_read(probe->reader);
	HASH_ITER(hh, probe->attachments, attachment, next)
		add_totals(probe, attachment);
	http_kind_maps_read(&probe->kernel.kinds, on_kind, probe);
	http_routes_sweep(&probe->routes, now_ms(probe));
}

/* What a read that failed has left of a target. */
static void forget_kinds(struct probe *probe, uint32_t number)
{
	struct http_read_kind *entry, *next;

	HASH_ITER(hh, probe->kinds.table, entry, next)
		if (entry->kind.target == number)
			http_kinds_remove(&probe->kinds, entry);
}

static void attachment_free(struct probe *probe, struct probe_attachment *attachment)
{
	shares_leave(&probe->kernel.shares, attachment->namespace);
	free(attachment);
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
	drain(probe, attachment);
	http_read(probe);
	http_teller_flush(&probe->teller, &attachment->told);
	forget_kinds(probe, attachment->number);
	http_routes_leave(&probe->routes, attachment->routes, attachment->namespace->name,
			  now_ms(probe));
	if (attachment->row.wants & HTTP_WANTS_FOUND)
		http_routes_forget_target(&probe->routes, attachment->number, now_ms(probe));
	http_kernel_forget(&probe->kernel, attachment->told.cgroup_id, attachment->number);
	HASH_DEL(probe->attachments, attachment);
	attachment_free(probe, attachment);
	use_reader(probe);
	return NULL;
}

static int attachment_new(struct probe *probe, const struct probe_target *target,
			  const struct http_settings *settings,
			  struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));
	int result;

	if (!attachment)
		return error_set(error, ENOMEM, "attach HTTP: no memory");
	result = shares_join(&probe->kernel.shares, target->pod->namespace, &attachment->namespace,
			     error);
	if (result < 0) {
		free(attachment);
		return result;
	}
	attachment->number = ++probe->last_number;
	attachment->series = target->series;
	attachment->row.target = attachment->number;
	attachment->row.level = target->cgroup_level;
	attachment->row.namespace = attachment->namespace->number;
	http_wants_set(&attachment->row, settings);
	attachment->told = (struct http_told_target){
		.cgroup_id = target->cgroup_id,
		.is_container = target->container != NULL,
		.paths = settings->paths,
		.series = target->series,
	};
	memset(attachment->links, -1, sizeof(attachment->links));
	*ret_attachment = attachment;
	return 0;
}

static int http_attach(struct probe *probe, const struct probe_target *target,
		       const union probe_settings *settings,
		       struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = NULL;
	int result = attachment_new(probe, target, &settings->http, &attachment, error);

	if (!attachment)
		return result;
	HASH_ADD(hh, probe->attachments, number, sizeof(attachment->number), attachment);
	if (!is_in_table(attachment)) {
		attachment_free(probe, attachment);
		return error_set(error, ENOMEM, "attach HTTP: no memory");
	}
	result = http_routes_join(&probe->routes, settings->http.routes,
				  attachment->namespace->name, NULL, &attachment->routes, error);
	http_routes_set(&attachment->row, attachment->routes);
	if (result == 0)
		result = http_kernel_attach(&probe->kernel, target, &attachment->row,
					    attachment->links, error);
	if (result < 0) {
		http_detach(probe, attachment);
		return result;
	}
	use_reader(probe);
	*ret_attachment = attachment;
	return 0;
}

/* What happened until now is told in the old way. */
static int http_configure(struct probe *probe, struct probe_attachment *attachment,
			  const union probe_settings *settings, struct error *error)
{
	const char *namespace = attachment->namespace->name;
	struct http_target row = attachment->row;
	struct http_route_set *routes = NULL;
	int result = http_routes_join(&probe->routes, settings->http.routes, namespace,
				      attachment->routes, &routes, error);

	if (result < 0)
		return result;
	http_wants_set(&row, &settings->http);
	http_routes_set(&row, routes);
	ring_reader_read(probe->reader);
	http_teller_flush(&probe->teller, &attachment->told);
	result = http_kernel_configure(&probe->kernel, attachment->told.cgroup_id, &row, error);
	http_routes_leave(&probe->routes, result < 0 ? routes : attachment->routes, namespace,
			  now_ms(probe));
	if (result < 0)
		return result;
	attachment->routes = routes;
	attachment->row = row;
	attachment->told.paths = settings->http.paths;
	use_reader(probe);
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
