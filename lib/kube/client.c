// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/client.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/kube/client_internal.h"
#include "lib/kube/transfer.h"

static void on_worked(void *context)
{
	kube_transfers_advance(context);
}

/* The client's certificate as it is now; without one, or when it is away, the mark of no file. */
static struct file_mark mark_certificate(const struct kube_client *client)
{
	struct file_mark mark = {0};

	if (client->config.certificate_file)
		(void)file_mark_take(client->config.certificate_file, &mark);
	return mark;
}

static int client_init(struct kube_client *client, uv_loop_t *loop,
		       const struct kube_config *config, struct error *error)
{
	int result = kube_config_copy(config, &client->config);

	TAILQ_INIT(&client->transfers);
	TAILQ_INIT(&client->received);
	client->uv = loop;
	if (!result)
		result = token_source_init(&client->token, client->config.token_file,
					   client->config.token);
	if (!result)
		result = uv_random(NULL, NULL, &client->event_serial, sizeof(client->event_serial),
				   0, NULL);
	if (result < 0)
		return error_set_errno(error, -result, "Kubernetes client");
	client->certificate = mark_certificate(client);
	return curl_loop_new(loop, on_worked, client, &client->curl_loop, error);
}

int kube_client_new(uv_loop_t *loop, const struct kube_config *config,
		    struct kube_client **ret_client, struct error *error)
{
	struct kube_client *client = calloc(1, sizeof(*client));
	int result;

	if (!client)
		return error_set_errno(error, ENOMEM, "Kubernetes client");
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(client);
		return error_set(error, ENOMEM, "libcurl could not be initialized");
	}
	result = client_init(client, loop, config, error);
	if (result < 0) {
		kube_client_free(client);
		return result;
	}
	*ret_client = client;
	return 0;
}

struct kube_client *kube_client_free(struct kube_client *client)
{
	if (!client)
		return NULL;
	while (!TAILQ_EMPTY(&client->transfers))
		kube_transfer_cancel(TAILQ_FIRST(&client->transfers));
	event_memory_clear(&client->events);
	curl_loop_free(client->curl_loop);
	token_source_free(&client->token);
	kube_config_free(&client->config);
	free(client);
	curl_global_cleanup();
	return NULL;
}

void kube_client_reconnect(struct kube_client *client, const char *reason)
{
	struct curl_loop *former = client->curl_loop;
	struct error error;

	client->is_distrusted = false;
	if (curl_loop_new(client->uv, on_worked, client, &client->curl_loop, &error) < 0) {
		log_error("%s: %s", client->config.server, error.message);
		return; /* the old connections are all there is; the next failure tries again */
	}
	log_info("new connections to %s: %s", client->config.server, reason);
	client->certificate = mark_certificate(client);
	kube_transfers_fail(client, former, reason);
	curl_loop_free(former);
}

void kube_client_suspect(struct kube_client *client, uint64_t since_ms)
{
	if (client->heard_ms <= since_ms)
		kube_client_reconnect(client, "the server has gone silent");
}

void kube_client_refused(struct kube_client *client)
{
	struct file_mark certificate = mark_certificate(client);

	token_source_distrust(&client->token);
	if (!file_mark_equal(&certificate, &client->certificate))
		client->is_distrusted = true;
}

int kube_request(struct kube_client *client, const char *method, const char *path,
		 const char *content_type, const cJSON *body, kube_response_handler handler,
		 void *context, struct error *error)
{
	const struct kube_transfer_request request = {
		.method = method,
		.path = path,
		.content_type = content_type,
		.body = body,
		.done = handler,
		.context = context,
	};

	return kube_transfer_start(client, &request, NULL, error);
}
