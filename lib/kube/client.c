// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/client.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/kube/client_internal.h"
#include "lib/kube/transfer.h"

static void on_worked(void *context)
{
	kube_transfers_advance(context);
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
	curl_loop_free(client->curl_loop);
	token_source_free(&client->token);
	kube_config_free(&client->config);
	free(client);
	curl_global_cleanup();
	return NULL;
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
