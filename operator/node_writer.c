// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/node_writer.h"

#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/transfer.h"
#include "operator/api_group.h"

#define RETRY_FIRST_MS	  2000
#define RETRY_LIMIT_MS	  60000
#define RETRY_SHIFT_LIMIT 5

/* One write. */
struct sending {
	struct node_writer *writer;
	struct node_record *record;
	struct kube_transfer *transfer;
	struct sending *prev, *next;
};

struct node_writer {
	struct kube_client *client;
	struct node_book *book;
	status_writer_guard may_write;
	void *context;
	uint64_t now_ms; /* of the last tick */
	struct sending *sendings;
	struct status_writer_stats stats;
};

static uint64_t delay_after(unsigned int failures, int retry_after_seconds)
{
	unsigned int shift = failures < RETRY_SHIFT_LIMIT ? failures : RETRY_SHIFT_LIMIT;
	uint64_t delay_ms = (uint64_t)RETRY_FIRST_MS << shift;
	uint64_t asked_ms = (uint64_t)retry_after_seconds * 1000;

	if (delay_ms > RETRY_LIMIT_MS)
		delay_ms = RETRY_LIMIT_MS;
	return delay_ms < asked_ms ? asked_ms : delay_ms;
}

static void fail(struct node_writer *writer, struct node_record *record, const char *why,
		 int retry_after_seconds)
{
	uint64_t delay_ms = delay_after(record->failures, retry_after_seconds);

	log_warn("the report of node %s: %s; trying again in %llu s", record->name, why,
		 (unsigned long long)delay_ms / 1000);
	writer->stats.failures++;
	node_book_written(record, NULL, writer->now_ms, delay_ms);
}

static void on_written(void *context, const struct kube_response *response)
{
	struct sending *sending = context;
	struct node_writer *writer = sending->writer;
	const cJSON *status = json_find(response->body, "status");

	if (response->reason) {
		fail(writer, sending->record, response->reason, response->retry_after_seconds);
	} else if (!status) {
		fail(writer, sending->record, "the API server's answer tells no status", 0);
	} else {
		writer->stats.writes++;
		node_book_written(sending->record, status, writer->now_ms, 0);
	}
	DL_DELETE(writer->sendings, sending);
	free(sending);
}

static int start_transfer(struct sending *sending, const cJSON *body, struct error *error)
{
	char path[512];
	const struct kube_transfer_request request = {
		.method = "PATCH",
		.path = path,
		.content_type = KUBE_APPLY,
		.body = body,
		.done = on_written,
		.context = sending,
	};

	snprintf(path, sizeof(path),
		 API_PATH "/nodeprobereports/%s?fieldManager=" FIELD_MANAGER "&force=true",
		 sending->record->name);
	return kube_transfer_start(sending->writer->client, &request, &sending->transfer, error);
}

/* Takes the status. */
static void send_report(struct node_writer *writer, const struct node_write *write)
{
	cleanup_json cJSON *body =
		node_report_object(write->record->name, write->node_uid, write->status);
	struct sending *sending = body ? calloc(1, sizeof(*sending)) : NULL;
	struct error error;

	if (!sending) {
		fail(writer, write->record, "out of memory", 0);
		return;
	}
	sending->writer = writer;
	sending->record = write->record;
	if (start_transfer(sending, body, &error) < 0) {
		fail(writer, write->record, error.message, 0);
		free(sending);
		return;
	}
	DL_APPEND(writer->sendings, sending);
}

void node_writer_tick(struct node_writer *writer, const struct node_book_view *view)
{
	struct node_write write;
	const struct sending *sending;
	int under_way;

	writer->now_ms = view->now_ms;
	DL_COUNT(writer->sendings, sending, under_way);
	for (; under_way < NODE_WRITES_PER_SECOND; under_way++) {
		if (!writer->may_write(writer->context) ||
		    !node_book_next(writer->book, view, &write))
			return;
		send_report(writer, &write);
	}
}

void node_writer_rest(struct node_writer *writer)
{
	struct sending *sending, *next;

	DL_FOREACH_SAFE(writer->sendings, sending, next) {
		kube_transfer_cancel(sending->transfer);
		node_book_written(sending->record, NULL, writer->now_ms, 0);
		DL_DELETE(writer->sendings, sending);
		free(sending);
	}
}

struct node_writer *node_writer_new(struct kube_client *client, struct node_book *book,
				    status_writer_guard may_write, void *context)
{
	struct node_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->client = client;
	writer->book = book;
	writer->may_write = may_write;
	writer->context = context;
	return writer;
}

/* kube_client_free() has ended what was under way. */
struct node_writer *node_writer_free(struct node_writer *writer)
{
	free(writer);
	return NULL;
}

struct status_writer_stats node_writer_stats(const struct node_writer *writer)
{
	return writer->stats;
}
