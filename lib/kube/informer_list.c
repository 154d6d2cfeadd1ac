// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/collection_path.h"
#include "lib/kube/informer_internal.h"

/* Asks for the first page, or the one that list_token names. */
static void request_page(struct kube_informer *informer);

static void complete_list(struct kube_informer *informer)
{
	object_table_sweep(&informer->objects, informer_tell_removed, informer);
	informer->resource_version = take_pointer(informer->list_version);
	informer->stats.lists++;
	informer_recover(informer);
	if (!informer->is_synced) {
		informer->is_synced = true;
		informer->handlers.synced(informer->context);
	}
	informer_watch(informer);
}

/* Nothing reaches the informer from the page any more; the list begins again after a pause. */
static void fail_list(struct kube_informer *informer, const char *reason, int retry_after_seconds)
{
	informer->transfer = kube_transfer_cancel(informer->transfer);
	list_decoder_reset(&informer->page_decoder);
	informer_fail(informer, reason, retry_after_seconds);
}

/* An object of the page. Returns 0 or -ENOMEM. */
static int learn_item(struct kube_informer *informer, const cJSON *item, struct error *error)
{
	int result = informer_learn(informer, item, error);

	if (result != -EINVAL)
		return result;
	informer_count_bad(informer, error->message);
	return 0;
}

/*
 * Keeps where the list stands. The version is that of the first page: should later pages be of
 * later ones, the watch repeats what lies between, and nothing is missed.
 */
static int keep_position(struct kube_informer *informer, const cJSON *metadata, struct error *error)
{
	const char *token = json_text(metadata, "continue");
	const char *version = json_text(metadata, "resourceVersion");

	if (!*version)
		return error_set(error, EBADMSG, "the list has no resourceVersion");
	if (informer->list_token && strcmp(informer->list_token, token) == 0)
		return error_set(error, EBADMSG, "the server names the same page as the next one");
	if ((!informer->list_version &&
	     informer_set_string(&informer->list_version, version) < 0) ||
	    informer_set_string(&informer->next_token, *token ? token : NULL) < 0)
		return error_set_errno(error, ENOMEM, "a page of the list");
	return 0;
}

static int take_part(struct kube_informer *informer, const struct list_part *part,
		     struct error *error)
{
	switch (part->type) {
	case LIST_PART_METADATA:
		return keep_position(informer, part->json, error);
	case LIST_PART_OBJECT:
		return learn_item(informer, part->json, error);
	case LIST_PART_OVERSIZED:
		informer_count_oversized(informer, part->json);
		return 0;
	default:
		informer->page_is_whole = true;
		return 0;
	}
}

/* Decodes and takes one part. Returns 1, 0 when more bytes are needed, or a negative errno. */
static int take_next(struct kube_informer *informer, struct error *error)
{
	struct list_part part = {0};
	int result = list_decoder_next(&informer->page_decoder, &part, error);

	if (result <= 0)
		return result;
	result = take_part(informer, &part, error);
	cJSON_Delete(part.json);
	return result < 0 ? result : 1;
}

static void on_page_data(void *context, const char *data, size_t length)
{
	struct kube_informer *informer = context;
	struct error error = {"memory ran out"};
	int result = list_decoder_push(&informer->page_decoder, data, length);

	if (result == 0)
		result = 1;
	while (result > 0)
		result = take_next(informer, &error);
	if (result < 0)
		fail_list(informer, error.message, 0);
}

static void on_page_end(void *context, const struct kube_response *response)
{
	struct kube_informer *informer = context;

	informer->transfer = NULL;
	list_decoder_reset(&informer->page_decoder);
	if (response->reason) {
		fail_list(informer, response->reason, response->retry_after_seconds);
		return;
	}
	if (!informer->page_is_whole || !informer->list_version) {
		fail_list(informer, "the answer is no whole list", 0);
		return;
	}
	free(informer->list_token);
	informer->list_token = take_pointer(informer->next_token);
	if (informer->list_token)
		request_page(informer);
	else
		complete_list(informer);
}

static void request_page(struct kube_informer *informer)
{
	cleanup_free char *path =
		collection_list_path(informer->path, informer->query, informer->settings.page_limit,
				     informer->list_token);
	const struct kube_transfer_request request = {
		.method = "GET",
		.path = path,
		.seconds = informer->settings.page_seconds,
		.stream = on_page_data,
		.done = on_page_end,
		.context = informer,
	};
	struct error error;

	informer->page_is_whole = false;
	(void)informer_set_string(&informer->next_token, NULL); /* NULL cannot fail */
	if (!path)
		informer_fail(informer, "memory ran out", 0);
	else if (kube_transfer_start(informer->client, &request, &informer->transfer, &error) < 0)
		informer_fail(informer, error.message, 0);
}

void informer_list(struct kube_informer *informer)
{
	(void)informer_set_string(&informer->list_version, NULL); /* NULL cannot fail */
	(void)informer_set_string(&informer->list_token, NULL);
	informer->is_bad_object_logged = false;
	object_table_start_list(&informer->objects);
	request_page(informer);
}
