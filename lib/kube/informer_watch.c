// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/client_internal.h"
#include "lib/kube/collection_path.h"
#include "lib/kube/informer_internal.h"

/* Status codes that say the version is of no use any more, so that only a list helps. */
#define HTTP_BAD_REQUEST 400
#define HTTP_GONE	 410

/* How a watch ended. */
struct watch_end {
	int status;	    /* of the answer, or the code of an ERROR event */
	const char *reason; /* NULL for an end that was to be expected */
	int retry_after_seconds;
};

static bool is_sound(const struct kube_informer *informer)
{
	uint64_t age = uv_now(informer->uv) - informer->watch_started;

	return !informer->watch_is_corrupted &&
	       (informer->watch_events || age >= informer->settings.sound_after);
}

/* Nothing reaches the informer from the watch any more; what comes next is settled. */
static void end_watch(struct kube_informer *informer, const struct watch_end *end)
{
	informer->transfer = kube_transfer_cancel(informer->transfer);
	watch_decoder_reset(&informer->decoder);
	if (informer->watch_is_corrupted || end->status == HTTP_GONE ||
	    end->status == HTTP_BAD_REQUEST)
		informer_forget_version(informer);
	if (is_sound(informer))
		backoff_reset(&informer->backoff);
	if (end->reason)
		informer_fail(informer, end->reason, end->retry_after_seconds);
	else
		informer_pause(informer, end->retry_after_seconds);
}

/* A line is lost, and with it a change that only a list can bring back. */
static void end_corrupted(struct kube_informer *informer, const char *reason)
{
	const struct watch_end end = {.reason = reason};

	informer->watch_is_corrupted = true;
	end_watch(informer, &end);
}

static void on_overdue(uv_timer_t *timer)
{
	const struct watch_end end = {.reason = "the watch did not end when it should have"};
	struct kube_informer *informer = timer->data;

	end_watch(informer, &end);
	kube_client_suspect(informer->client,
			    informer->watch_started + (uint64_t)informer->watch_seconds * 1000);
}

/*
 * The server ends a watch when its time is over. One that is still there long after that is dead,
 * or fed byte by byte by somebody who means no good; either way nothing is to be waited for.
 */
static void expect_end(struct kube_informer *informer)
{
	uint64_t limit = (uint64_t)informer->watch_seconds * 1000 + informer->settings.watch_margin;

	uv_timer_start(&informer->timer, on_overdue, limit, 0);
}

/* The numbers of a Status are from outside. */
static int64_t clamp(int64_t number, int64_t most)
{
	return number > most ? most : number < 0 ? 0 : number;
}

/* The object of an ERROR event is a Status. */
static int end_by_error_event(struct kube_informer *informer, const cJSON *status)
{
	const struct watch_end end = {
		.status = (int)clamp(json_integer(status, 0, "code"), 999),
		.reason = json_string(status, "message") ? json_string(status, "message")
							 : "the watch ended with an error event",
		.retry_after_seconds =
			(int)clamp(json_integer(status, 0, "details", "retryAfterSeconds"),
				   KUBE_RETRY_AFTER_LIMIT),
	};

	end_watch(informer, &end);
	return -ECANCELED;
}

static int note_version(struct kube_informer *informer, const cJSON *object)
{
	const char *version = json_string(object, "metadata", "resourceVersion");

	if (!version || !*version)
		return 0;
	return informer_set_string(&informer->resource_version, version);
}

/* The object is as good as gone: nobody can read what became of it. */
static int apply_oversized(struct kube_informer *informer, const struct watch_event *event,
			   struct error *error)
{
	if (event->type == WATCH_EVENT_DELETED)
		return informer_unlearn(informer, event->object, error);
	informer_count_oversized(informer, event->object);
	return informer_drop(informer, event->object, error);
}

/* Lets the informer learn what an event about an object says. */
static int apply_event(struct kube_informer *informer, const struct watch_event *event,
		       struct error *error)
{
	if (event->is_oversized)
		return apply_oversized(informer, event, error);
	switch (event->type) {
	case WATCH_EVENT_ADDED:
	case WATCH_EVENT_MODIFIED:
		return informer_learn(informer, event->object, error);
	case WATCH_EVENT_DELETED:
		return informer_unlearn(informer, event->object, error);
	case WATCH_EVENT_BOOKMARK:
		return 0;
	default:
		return error_set(error, EINVAL, "a watch event of unknown type");
	}
}

static void count_event(struct kube_informer *informer)
{
	informer->stats.events++;
	informer->watch_events++;
	informer_recover(informer);
}

/* Returns 0, or negative when the watch is at its end, which is settled then. */
static int handle_event(struct kube_informer *informer, const struct watch_event *event)
{
	struct error error;
	int result;

	if (event->type == WATCH_EVENT_ERROR)
		return end_by_error_event(informer, event->object);
	result = apply_event(informer, event, &error);
	if (result == -EINVAL)
		informer_count_bad(informer, error.message);
	else if (result == 0)
		count_event(informer);
	if (result == -ENOMEM || note_version(informer, event->object) < 0) {
		end_corrupted(informer, "memory ran out");
		return -ENOMEM;
	}
	return 0;
}

/* Decodes and handles one line. Returns 1, 0 when none is left, or negative at the watch's end. */
static int handle_line(struct kube_informer *informer)
{
	struct watch_event event = {0};
	struct error error;
	int result = watch_decoder_next(&informer->decoder, &event, &error);

	if (result < 0) {
		informer_count_bad(informer, error.message);
		end_corrupted(informer, error.message);
		return result;
	}
	if (result > 0 && handle_event(informer, &event) < 0)
		result = -ECANCELED;
	watch_event_free(&event);
	return result;
}

static void on_stream(void *context, const char *data, size_t length)
{
	struct kube_informer *informer = context;

	if (watch_decoder_push(&informer->decoder, data, length) < 0) {
		end_corrupted(informer, "memory ran out");
		return;
	}
	while (handle_line(informer) > 0)
		;
}

static void on_end(void *context, const struct kube_response *response)
{
	struct kube_informer *informer = context;
	struct watch_end end = {
		.status = response->status,
		.reason = response->reason,
		.retry_after_seconds = response->retry_after_seconds,
	};

	informer->transfer = NULL;
	if (!end.reason && !is_sound(informer))
		end.reason = "the watch ended as soon as it had begun";
	end_watch(informer, &end);
}

/* A whole number of seconds between the two limits. */
static uint32_t draw_watch_seconds(const struct kube_informer *informer)
{
	const struct kube_informer_settings *settings = &informer->settings;
	uint32_t range = settings->watch_most_seconds - settings->watch_least_seconds + 1;

	return settings->watch_least_seconds + settings->random(settings->random_context) % range;
}

static void reset_watch(struct kube_informer *informer)
{
	informer->watch_seconds = draw_watch_seconds(informer);
	uv_update_time(informer->uv);
	informer->watch_started = uv_now(informer->uv);
	informer->watch_events = 0;
	informer->watch_is_corrupted = false;
	informer->is_bad_object_logged = false;
}

void informer_watch(struct kube_informer *informer)
{
	cleanup_free char *path = NULL;
	struct kube_transfer_request request = {
		.method = "GET",
		.is_endless = true,
		.stream = on_stream,
		.done = on_end,
		.context = informer,
	};
	struct error error;

	reset_watch(informer);
	path = collection_watch_path(informer->path, informer->query, informer->resource_version,
				     informer->watch_seconds);
	request.path = path;
	if (!path)
		informer_fail(informer, "memory ran out", 0);
	else if (kube_transfer_start(informer->client, &request, &informer->transfer, &error) < 0)
		informer_fail(informer, error.message, 0);
	else {
		informer->stats.watches++;
		expect_end(informer);
	}
}
