// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * The DNS probe: two programs on the target's own cgroup hand DNS messages to a ring buffer, which
 * is read on a timer; lookups are made of them here.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/table.h"

#include "lib/base/log.h"
#include "lib/link/selection.h"
#include "node-agent/probes/dns_event.h"
#include "node-agent/probes/dns_kernel.h"
#include "node-agent/probes/dns_rows.h"
#include "node-agent/probes/dns_stream.h"
#include "node-agent/probes/event_time.h"
#include "node-agent/probes/kinds.h"
#include "node-agent/probes/ring_reader.h"

#define NS_PER_SECOND 1000000000ULL

struct probe {
	const struct probe_host *host;
	struct dns_kernel kernel;
	struct ring_reader *reader;
	struct dns_budget budget;
	struct probe_attachment *attachments;
	uint64_t looked_at; /* when the ring was last read, CLOCK_MONOTONIC */
};

struct probe_attachment {
	uint64_t cgroup_id;
	bool is_container;
	int links[DNS_HOOKS];
	struct dns_settings settings;
	struct series_owner *series;
	struct probe *probe;
	struct dns_tracker *tracker;
	struct dns_streams *streams; /* NULL before the first segment of TCP */
	struct dns_names names;
	struct dns_losses losses;
	struct dns_losses added; /* of these, to the series */
	UT_hash_handle hh;
};

static uint64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* --- from lookups to metrics and events --- */

/* What the kernel half could not hand over; as it was where the cgroup has gone. */
static void read_losses(struct probe_attachment *attachment)
{
	struct dns_target target;

	if (!dns_kernel_read(&attachment->probe->kernel, attachment->cgroup_id, &target))
		return;
	attachment->losses.rate_limited = target.rate_limited;
	attachment->losses.ring_full = target.ring_full;
}

/* Whether the answer may be among the messages that were lost since the query. */
static bool perhaps_lost(struct probe_attachment *attachment, const struct dns_lookup *lookup)
{
	read_losses(attachment);
	return attachment->losses.rate_limited + attachment->losses.ring_full > lookup->lost;
}

static void emit(struct probe_attachment *attachment, const struct dns_lookup *lookup)
{
	const struct probe_host *host = attachment->probe->host;
	cJSON *event = dns_event_build(lookup, event_time_offset());

	if (!event) {
		attachment->losses.decode++;
		log_error("event of a lookup lost: no memory");
		return;
	}
	host->emit(host->context, PROBE_DNS, attachment->cgroup_id,
		   attachment->is_container ? attachment->cgroup_id : lookup->container, event);
}

static void take_lookup(void *context, const struct dns_lookup *lookup)
{
	struct probe_attachment *attachment = context;

	if (lookup->timed_out && perhaps_lost(attachment, lookup))
		return;
	dns_rows_add_lookup(attachment->series, &attachment->names, lookup);
	if (dns_event_wanted(lookup, &attachment->settings))
		emit(attachment, lookup);
}

/* --- from records to lookups --- */

static void learn_addresses(struct probe_attachment *attachment, const struct dns_message *message)
{
	const struct probe_host *host = attachment->probe->host;

	for (size_t i = 0; i < message->address_count; i++)
		host->learn_name(host->context, attachment->series, message->addresses[i].bytes,
				 message->name, message->addresses[i].ttl_s);
}

/* A message and the record in which it ended. */
struct passage {
	struct probe_attachment *attachment;
	const struct dns_record *record;
};

static struct dns_sighting sighting_of(const struct dns_record *record,
				       const struct dns_message *message)
{
	struct dns_sighting sighting = {
		.time = record->time,
		.container = record->container,
		.lost = record->lost,
		.client_port = record->client_port,
		.tcp = record->flags & DNS_TCP,
		.message = message,
	};

	memcpy(sighting.server, record->server, sizeof(sighting.server));
	return sighting;
}

static void take_message(void *context, const uint8_t *data, size_t captured, size_t size)
{
	const struct passage *passage = context;
	struct probe_attachment *attachment = passage->attachment;
	bool sent = passage->record->flags & DNS_SENT;
	struct dns_sighting sighting;
	struct dns_message message;

	if (dns_message_parse(data, captured, size, &message) < 0 || message.is_answer == sent) {
		attachment->losses.malformed++;
		return;
	}
	if (message.damaged)
		attachment->losses.malformed++;
	if (message.operation != 0)
		return;
	sighting = sighting_of(passage->record, &message);
	if (sent)
		dns_tracker_ask(attachment->tracker, &sighting);
	else if (dns_tracker_answer(attachment->tracker, &sighting))
		learn_addresses(attachment, &message);
}

static void take_segment(struct passage *passage)
{
	struct probe_attachment *attachment = passage->attachment;
	const struct dns_record *record = passage->record;
	const struct dns_segment segment = {
		.client_port = record->client_port,
		.sent = record->flags & DNS_SENT,
		.begins = record->flags & DNS_SYN,
		.sequence = record->sequence,
		.data = record->data,
		.captured = record->captured,
		.size = record->size,
	};

	if (!attachment->streams)
		attachment->streams = dns_streams_new();
	if (attachment->streams)
		dns_streams_feed(attachment->streams, &segment, take_message, passage);
	else
		attachment->losses.decode++;
}

static struct probe_attachment *find_attachment(const struct probe *probe, uint64_t cgroup_id)
{
	struct probe_attachment *attachment;

	HASH_FIND(hh, probe->attachments, &cgroup_id, sizeof(cgroup_id), attachment);
	return attachment;
}

static void take_record(void *context, const void *data, size_t size)
{
	const struct dns_record *record = data;
	struct passage passage = {.record = record};

	if (!dns_record_valid(record, size))
		return;
	passage.attachment = find_attachment(context, record->target);
	if (!passage.attachment)
		return;
	if (record->flags & DNS_TCP)
		take_segment(&passage);
	else
		take_message(&passage, record->data, record->captured, record->size);
}

/* What had passed at the last look has been read by now, so what is missing was not there. */
static void time_out_lookups(void *context)
{
	struct probe *probe = context;
	struct probe_attachment *attachment, *next;

	HASH_ITER(hh, probe->attachments, attachment, next)
		dns_tracker_advance(attachment->tracker, probe->looked_at);
	probe->looked_at = monotonic_now();
}

/* --- the probe --- */

static struct probe *dns_close(struct probe *probe)
{
	if (!probe)
		return NULL;
	ring_reader_free(probe->reader);
	dns_kernel_close(&probe->kernel);
	free(probe);
	return NULL;
}

static int bring_up(struct probe *probe, struct error *error)
{
	const struct ring_reader_user user = {
		.probe = "DNS",
		.interval_ms = DNS_READ_INTERVAL_MS,
		.take = take_record,
		.done = time_out_lookups,
		.context = probe,
	};
	int result = dns_kernel_open(&probe->kernel, error);

	if (result == 0)
		result = ring_reader_new(probe->host->loop, probe->kernel.records, &user,
					 &probe->reader, error);
	return result;
}

static int dns_open(const struct probe_host *host, struct probe **ret_probe, struct error *error)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int result;

	if (!probe)
		return error_set(error, ENOMEM, "open the DNS probe: no memory");
	probe->host = host;
	result = bring_up(probe, error);
	if (result < 0) {
		dns_close(probe);
		return result;
	}
	*ret_probe = probe;
	return 0;
}

/* --- its targets --- */

static struct probe_attachment *attachment_free(struct probe_attachment *attachment)
{
	dns_kernel_detach(attachment->links);
	dns_tracker_free(attachment->tracker);
	dns_streams_free(attachment->streams);
	dns_names_free(&attachment->names);
	free(attachment);
	return NULL;
}

static struct probe_attachment *attachment_new(struct probe *probe,
					       const struct probe_target *target,
					       const struct dns_settings *settings)
{
	const char *namespace = target->pod ? target->pod->namespace : "";
	struct probe_attachment *attachment = calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	attachment->cgroup_id = target->cgroup_id;
	attachment->is_container = target->container != NULL;
	attachment->settings = *settings;
	attachment->series = target->series;
	attachment->probe = probe;
	for (int i = 0; i < DNS_HOOKS; i++)
		attachment->links[i] = -1;
	attachment->tracker = dns_tracker_new(namespace, &probe->budget, take_lookup, attachment);
	return attachment->tracker ? attachment : attachment_free(attachment);
}

static void add_losses(struct probe_attachment *attachment)
{
	read_losses(attachment);
	attachment->losses.table_full = dns_tracker_forgotten(attachment->tracker);
	dns_rows_add_losses(attachment->series, &attachment->added, &attachment->losses);
	attachment->added = attachment->losses;
}

static int dns_attach(struct probe *probe, const struct probe_target *target,
		      const union probe_settings *settings,
		      struct probe_attachment **ret_attachment, struct error *error)
{
	struct probe_attachment *attachment = attachment_new(probe, target, &settings->dns);
	int result;

	if (!attachment)
		return error_set(error, ENOMEM, "attach DNS: no memory");
	HASH_ADD(hh, probe->attachments, cgroup_id, sizeof(attachment->cgroup_id), attachment);
	if (!is_in_table(attachment)) {
		attachment_free(attachment);
		return error_set(error, ENOMEM, "attach DNS: no memory");
	}
	result = dns_kernel_attach(&probe->kernel, target, attachment->links, error);
	if (result < 0) {
		HASH_DEL(probe->attachments, attachment);
		attachment_free(attachment);
		return result;
	}
	ring_reader_start(probe->reader);
	add_losses(attachment); /* none as yet: counters are there from the start */
	*ret_attachment = attachment;
	return 0;
}

static int dns_configure(struct probe *probe, struct probe_attachment *attachment,
			 const union probe_settings *settings, struct error *error)
{
	(void)error;			 /* nothing can fail: the kernel half has no settings */
	ring_reader_read(probe->reader); /* what has ended until now is told in the old way */
	attachment->settings = settings->dns;
	return 0;
}

static struct probe_attachment *dns_detach(struct probe *probe, struct probe_attachment *attachment)
{
	if (!attachment)
		return NULL;
	dns_kernel_detach(attachment->links);
	ring_reader_read(probe->reader);
	add_losses(attachment);
	HASH_DELETE(hh, probe->attachments, attachment);
	dns_kernel_forget(&probe->kernel, attachment->cgroup_id);
	if (!probe->attachments)
		ring_reader_stop(probe->reader);
	return attachment_free(attachment);
}

static void dns_read(struct probe *probe)
{
	struct probe_attachment *attachment, *next;

	ring_reader_read(probe->reader);
	HASH_ITER(hh, probe->attachments, attachment, next)
		add_losses(attachment);
}

const struct probe_kind dns_probe_kind = {
	.type = PROBE_DNS,
	.open = dns_open,
	.close = dns_close,
	.attach = dns_attach,
	.configure = dns_configure,
	.detach = dns_detach,
	.read = dns_read,
};
