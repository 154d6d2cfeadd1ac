// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/informer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/client_internal.h"
#include "lib/kube/informer_internal.h"

/* What stands around the object in a line of a watch, in bytes. */
#define WATCH_LINE_FRAME 64

int informer_set_string(char **string, const char *value)
{
	free(*string);
	*string = value ? strdup(value) : NULL;
	return value && !*string ? -ENOMEM : 0;
}

void informer_forget_version(struct kube_informer *informer)
{
	(void)informer_set_string(&informer->resource_version, NULL); /* NULL cannot fail */
}

void informer_proceed(struct kube_informer *informer)
{
	if (informer->resource_version)
		informer_watch(informer);
	else
		informer_list(informer);
}

static void on_pause_over(uv_timer_t *timer)
{
	informer_proceed(timer->data);
}

void informer_pause(struct kube_informer *informer, int retry_after_seconds)
{
	const struct kube_informer_settings *settings = &informer->settings;
	uint32_t random = settings->random(settings->random_context);
	uint64_t wait = backoff_next(&informer->backoff, random);

	wait += (uint64_t)retry_after_seconds * 1000;
	uv_update_time(informer->uv);
	uv_timer_start(&informer->timer, on_pause_over, wait, 0);
}

void informer_fail(struct kube_informer *informer, const char *reason, int retry_after_seconds)
{
	informer->stats.failures++;
	if (informer->failures_in_row++ == 0)
		log_warn("following %s is interrupted, trying again until it works: %s",
			 informer->path, reason);
	else
		log_debug("following %s: %s", informer->path, reason);
	informer_pause(informer, retry_after_seconds);
}

void informer_recover(struct kube_informer *informer)
{
	if (informer->failures_in_row)
		log_info("following %s again after %u failures", informer->path,
			 informer->failures_in_row);
	informer->failures_in_row = 0;
}

void informer_count_bad(struct kube_informer *informer, const char *reason)
{
	informer->stats.bad_objects++;
	if (!informer->is_bad_object_logged)
		log_warn("%s: skipped what could not be read: %s", informer->path, reason);
	informer->is_bad_object_logged = true;
}

void informer_count_oversized(struct kube_informer *informer, const cJSON *object)
{
	const cJSON *metadata = json_find(object, "metadata");
	struct error error;

	error_set(&error, EMSGSIZE,
		  "object \"%.64s/%.253s\" is larger than %u bytes and taken for absent",
		  json_text(metadata, "namespace"), json_text(metadata, "name"),
		  informer->settings.object_limit);
	informer_count_bad(informer, error.message);
}

void informer_tell_removed(void *context, const struct object_identity *identity)
{
	struct kube_informer *informer = context;

	informer->handlers.remove(informer->context, identity->namespace, identity->name,
				  identity->uid);
}

static void remove_known(struct kube_informer *informer, struct known_object *known)
{
	struct object_identity identity = known_object_identity(known);

	object_table_take(&informer->objects, known);
	informer_tell_removed(informer, &identity);
	known_object_free(known);
}

int informer_learn(struct kube_informer *informer, const cJSON *object, struct error *error)
{
	struct object_identity identity, former;
	struct known_object *known;
	int result = object_identity_read(object, &identity, error);

	if (result < 0)
		return result;
	known = object_table_find(&informer->objects, &identity);
	if (known) {
		former = known_object_identity(known);
		if (strcmp(former.uid, identity.uid) != 0) {
			remove_known(informer, known); /* its deletion went unseen */
		} else if (strcmp(former.resource_version, identity.resource_version) == 0) {
			object_table_mark(&informer->objects, known);
			return 0;
		}
	}
	result = object_table_put(&informer->objects, &identity);
	if (result < 0)
		return error_set_errno(error, -result, "object %s/%s", identity.namespace,
				       identity.name);
	informer->handlers.upsert(informer->context, object);
	return 0;
}

int informer_drop(struct kube_informer *informer, const cJSON *object, struct error *error)
{
	struct object_identity identity;
	struct known_object *known;
	int result = object_identity_read(object, &identity, error);

	if (result < 0)
		return result;
	known = object_table_find(&informer->objects, &identity);
	if (known)
		remove_known(informer, known);
	return 0;
}

int informer_unlearn(struct kube_informer *informer, const cJSON *object, struct error *error)
{
	struct object_identity identity;
	struct known_object *known;
	int result = object_identity_read(object, &identity, error);

	if (result < 0)
		return result;
	known = object_table_find(&informer->objects, &identity);
	if (known && strcmp(known_object_identity(known).uid, identity.uid) == 0)
		remove_known(informer, known);
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static int informer_init(struct kube_informer *informer, const char *path, const char *query)
{
	const struct kube_informer_settings *settings = &informer->settings;
	int result = informer_set_string(&informer->path, path);

	if (!result)
		result = informer_set_string(&informer->query, query);
	informer->backoff.least = settings->backoff_least;
	informer->backoff.most = settings->backoff_most;
	informer->page_decoder.object_limit = settings->object_limit;
	informer->decoder.line_limit = settings->object_limit + WATCH_LINE_FRAME;
	uv_timer_init(informer->uv, &informer->timer);
	informer->timer.data = informer;
	return result;
}

int kube_informer_new_with(struct kube_client *client, const char *path, const char *query,
			   const struct kube_informer_settings *settings,
			   const struct kube_informer_handlers *handlers, void *context,
			   struct kube_informer **ret_informer, struct error *error)
{
	struct kube_informer *informer = calloc(1, sizeof(*informer));

	if (!informer)
		return error_set_errno(error, ENOMEM, "following %s", path);
	*informer = (struct kube_informer){
		.client = client,
		.uv = client->uv,
		.settings = *settings,
		.handlers = *handlers,
		.context = context,
	};
	if (informer_init(informer, path, query) < 0) {
		kube_informer_free(informer);
		return error_set_errno(error, ENOMEM, "following %s", path);
	}
	uv_timer_start(&informer->timer, on_pause_over, 0, 0);
	*ret_informer = informer;
	return 0;
}

int kube_informer_new(struct kube_client *client, const char *path, const char *query,
		      const struct kube_informer_handlers *handlers, void *context,
		      struct kube_informer **ret_informer, struct error *error)
{
	struct kube_informer_settings settings = kube_informer_default_settings();

	return kube_informer_new_with(client, path, query, &settings, handlers, context,
				      ret_informer, error);
}

struct kube_informer *kube_informer_free(struct kube_informer *informer)
{
	if (!informer)
		return NULL;
	kube_transfer_cancel(informer->transfer);
	list_decoder_reset(&informer->page_decoder);
	watch_decoder_reset(&informer->decoder);
	object_table_free(&informer->objects);
	free(informer->path);
	free(informer->query);
	free(informer->resource_version);
	free(informer->list_version);
	free(informer->list_token);
	free(informer->next_token);
	uv_close((uv_handle_t *)&informer->timer, on_timer_closed);
	return NULL;
}

struct kube_informer_stats kube_informer_stats(const struct kube_informer *informer)
{
	struct kube_informer_stats stats = informer->stats;

	stats.objects = informer->objects.objects.count;
	return stats;
}
