// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/leader_slice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/transfer.h"

#define RENEW_MS  30000
#define RETRY_MS  500
#define NOT_FOUND 404

/* Kubernetes 1.21 and later know the first, 1.17 to 1.24 the second. */
static const char *const versions[] = {"discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"};
#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

struct leader_slice {
	struct kube_client *client;
	struct leader_slice_settings settings; /* its strings are owned */
	uv_timer_t timer;
	struct kube_transfer *transfer; /* under way, or NULL */
	size_t version;
	bool troubled; /* which has been logged */
};

static bool add_port(cJSON *ports, const char *name, int number)
{
	cJSON *port = json_append_object(ports);

	return cJSON_AddStringToObject(port, "name", name) &&
	       cJSON_AddStringToObject(port, "protocol", "TCP") &&
	       cJSON_AddNumberToObject(port, "port", number);
}

static bool add_endpoint(cJSON *slice, const char *address)
{
	cJSON *endpoint = json_append_object(cJSON_AddArrayToObject(slice, "endpoints"));
	cJSON *conditions = cJSON_AddObjectToObject(endpoint, "conditions");

	return json_add_item(endpoint, "addresses", cJSON_CreateStringArray(&address, 1)) &&
	       cJSON_AddTrueToObject(conditions, "ready");
}

static bool add_metadata(cJSON *slice, const char *namespace)
{
	cJSON *metadata = cJSON_AddObjectToObject(slice, "metadata");
	cJSON *labels = cJSON_AddObjectToObject(metadata, "labels");

	return cJSON_AddStringToObject(metadata, "namespace", namespace) &&
	       cJSON_AddStringToObject(metadata, "name", LEADER_SERVICE) &&
	       cJSON_AddStringToObject(labels, "kubernetes.io/service-name", LEADER_SERVICE) &&
	       cJSON_AddStringToObject(labels, "endpointslice.kubernetes.io/managed-by",
				       "skep-operator");
}

cJSON *leader_slice_json(const struct leader_slice_settings *settings, const char *version)
{
	cleanup_json cJSON *slice = cJSON_CreateObject();
	cJSON *ports = cJSON_AddArrayToObject(slice, "ports");

	if (!cJSON_AddStringToObject(slice, "apiVersion", version) ||
	    !cJSON_AddStringToObject(slice, "kind", "EndpointSlice") ||
	    !add_metadata(slice, settings->namespace) ||
	    !cJSON_AddStringToObject(slice, "addressType",
				     strchr(settings->address, ':') ? "IPv6" : "IPv4") ||
	    !add_endpoint(slice, settings->address) ||
	    !add_port(ports, "agents", settings->agents_port) ||
	    !add_port(ports, "api", settings->api_port))
		return NULL;
	return take_pointer(slice);
}

static void tell_trouble(struct leader_slice *slice, const char *why)
{
	if (!slice->troubled)
		log_warn("cannot publish where the leader is, in EndpointSlice %s/%s: %s; trying "
			 "again every %d ms",
			 slice->settings.namespace, LEADER_SERVICE, why, RETRY_MS);
	slice->troubled = true;
}

static void tell_published(struct leader_slice *slice)
{
	if (slice->troubled)
		log_info("EndpointSlice %s/%s is published", slice->settings.namespace,
			 LEADER_SERVICE);
	slice->troubled = false;
}

static void write_slice(struct leader_slice *slice);

static void on_timer(uv_timer_t *timer)
{
	write_slice(timer->data);
}

static void on_written(void *context, const struct kube_response *response)
{
	struct leader_slice *slice = context;

	slice->transfer = NULL;
	if (!response->reason) {
		tell_published(slice);
		uv_timer_start(&slice->timer, on_timer, RENEW_MS, 0);
		return;
	}
	/* A server that does not know the version knows the other one. */
	if (response->status == NOT_FOUND)
		slice->version = (slice->version + 1) % VERSIONS;
	if (response->status != NOT_FOUND || slice->version == 0)
		tell_trouble(slice, response->reason);
	uv_timer_start(&slice->timer, on_timer, slice->version && !slice->troubled ? 0 : RETRY_MS,
		       0);
}

static void write_slice(struct leader_slice *slice)
{
	const char *version = versions[slice->version];
	cleanup_json cJSON *body = leader_slice_json(&slice->settings, version);
	struct kube_transfer_request request = {
		.method = "PATCH",
		.content_type = KUBE_APPLY,
		.body = body,
		.done = on_written,
		.context = slice,
	};
	struct error error = {"out of memory"};
	char path[512];

	snprintf(path, sizeof(path),
		 "/apis/%s/namespaces/%s/endpointslices/%s?fieldManager=skep-operator&force=true",
		 version, slice->settings.namespace, LEADER_SERVICE);
	request.path = path;
	if (body && kube_transfer_start(slice->client, &request, &slice->transfer, &error) == 0)
		return;
	tell_trouble(slice, error.message);
	uv_timer_start(&slice->timer, on_timer, RETRY_MS, 0);
}

void leader_slice_publish(struct leader_slice *slice)
{
	leader_slice_withdraw(slice);
	write_slice(slice);
}

void leader_slice_withdraw(struct leader_slice *slice)
{
	slice->transfer = kube_transfer_cancel(slice->transfer);
	uv_timer_stop(&slice->timer);
}

static void free_memory(struct leader_slice *slice)
{
	free((char *)slice->settings.namespace);
	free((char *)slice->settings.address);
	free(slice);
}

int leader_slice_new(struct kube_client *client, uv_loop_t *loop,
		     const struct leader_slice_settings *settings, struct leader_slice **ret_slice,
		     struct error *error)
{
	struct leader_slice *slice = calloc(1, sizeof(*slice));

	if (!slice)
		return error_set(error, ENOMEM, "out of memory");
	slice->client = client;
	slice->settings = *settings;
	slice->settings.namespace = strdup(settings->namespace);
	slice->settings.address = strdup(settings->address);
	if (!slice->settings.namespace || !slice->settings.address) {
		free_memory(slice);
		return error_set(error, ENOMEM, "out of memory");
	}
	uv_timer_init(loop, &slice->timer);
	slice->timer.data = slice;
	*ret_slice = slice;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free_memory(handle->data);
}

struct leader_slice *leader_slice_free(struct leader_slice *slice)
{
	if (!slice)
		return NULL;
	leader_slice_withdraw(slice);
	uv_close((uv_handle_t *)&slice->timer, on_closed);
	return NULL;
}
