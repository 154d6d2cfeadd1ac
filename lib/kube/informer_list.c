// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include <errno.h>

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

/* Learns the objects of a page. Returns 0 or -ENOMEM. */
static int learn_items(struct kube_informer *informer, const cJSON *items, struct error *error)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, items) {
		int result = informer_learn(informer, item, error);

		if (result == -EINVAL)
			informer_count_bad(informer, error->message);
		else if (result < 0)
			return result;
	}
	return 0;
}

/*
 * Keeps where the list stands. The version is that of the first page: should later pages be of
 * later ones, the watch repeats what lies between, and nothing is missed.
 */
static int keep_position(struct kube_informer *informer, const cJSON *metadata)
{
	const char *token = json_text(metadata, "continue");
	const char *version = json_text(metadata, "resourceVersion");

	if (!informer->list_version && informer_set_string(&informer->list_version, version) < 0)
		return -ENOMEM;
	return informer_set_string(&informer->list_token, *token ? token : NULL);
}

static int read_page(struct kube_informer *informer, const cJSON *page, struct error *error)
{
	const cJSON *metadata = json_find(page, "metadata");
	const cJSON *items = json_find(page, "items");

	/* A collection that is empty may come as null, which is how Go writes an empty slice. */
	if (!*json_text(metadata, "resourceVersion") ||
	    !(cJSON_IsArray(items) || cJSON_IsNull(items)))
		return error_set(error, EBADMSG, "the answer is no list of objects");
	if (keep_position(informer, metadata) < 0)
		return error_set_errno(error, ENOMEM, "a page of the list");
	return learn_items(informer, items, error);
}

static void on_page(void *context, const struct kube_response *response)
{
	struct kube_informer *informer = context;
	struct error error;

	informer->transfer = NULL;
	if (response->reason) {
		informer_fail(informer, response->reason, response->retry_after_seconds);
		return;
	}
	if (read_page(informer, response->body, &error) < 0) {
		informer_fail(informer, error.message, 0);
		return;
	}
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
		.done = on_page,
		.context = informer,
	};
	struct error error;

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
