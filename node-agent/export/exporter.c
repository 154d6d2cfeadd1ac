// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "node-agent/export/exporter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "node-agent/export/enrich.h"
#include "node-agent/export/pending.h"
#include "node-agent/export/writer.h"

/* How often it is looked for events that have waited long enough. */
#define EXPIRY_INTERVAL_MS 250

struct exporter {
	const char *node;
	struct line_writer *writer;
	struct pending pending;
	uv_timer_t expiry_timer;
	uint64_t lost;
};

/* Writes an event as a line (takes it). */
static void write_event(void *context, cJSON *event)
{
	struct exporter *exporter = context;
	char *line = cJSON_PrintUnformatted(event);

	cJSON_Delete(event);
	if (line)
		line_writer_add(exporter->writer, line, strlen(line));
	else
		exporter->lost++;
	free(line);
}

static void on_expiry_timer(uv_timer_t *timer)
{
	struct exporter *exporter = timer->data;

	pending_expire(&exporter->pending, uv_now(timer->loop));
	if (exporter->pending.count == 0)
		uv_timer_stop(timer);
}

static void hold(struct exporter *exporter, const struct event_source *source, cJSON *event)
{
	uv_timer_t *timer = &exporter->expiry_timer;

	pending_add(&exporter->pending, source->pod->uid, source->container_id, event,
		    uv_now(timer->loop));
	if (!uv_is_active((uv_handle_t *)timer))
		uv_timer_start(timer, on_expiry_timer, EXPIRY_INTERVAL_MS, EXPIRY_INTERVAL_MS);
}

void exporter_emit(struct exporter *exporter, enum probe_type type,
		   const struct event_source *source, cJSON *event)
{
	if (!source->pod) {
		cJSON_Delete(event);
		exporter->lost++;
		return;
	}
	event = event_enrich(event, type, exporter->node, source->pod, source->container,
			     source->container_id, source->told);
	if (!event)
		exporter->lost++;
	else if (source->container_id && !source->container)
		hold(exporter, source, event);
	else
		write_event(exporter, event);
}

void exporter_pod_changed(struct exporter *exporter, const struct selected_pod *pod)
{
	pending_resolve(&exporter->pending, pod);
}

struct exporter_stats exporter_stats(const struct exporter *exporter)
{
	struct line_writer_stats lines = line_writer_stats(exporter->writer);

	return (struct exporter_stats){
		.written = lines.lines,
		.lost = exporter->lost + lines.dropped,
	};
}

int exporter_new(uv_loop_t *loop, const char *node, int descriptor, struct exporter **ret_exporter,
		 struct error *error)
{
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	int result;

	if (!exporter)
		return error_set(error, ENOMEM, "out of memory");
	result = line_writer_new(loop, descriptor, &exporter->writer, error);
	if (result < 0) {
		free(exporter);
		return result;
	}
	exporter->node = node;
	exporter->pending.release = write_event;
	exporter->pending.context = exporter;
	exporter->expiry_timer.data = exporter;
	uv_timer_init(loop, &exporter->expiry_timer);
	*ret_exporter = exporter;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct exporter *exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return NULL;
	pending_flush(&exporter->pending);
	exporter->writer = line_writer_free(exporter->writer);
	uv_close((uv_handle_t *)&exporter->expiry_timer, on_closed);
	return NULL;
}
