// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/certificates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "lib/kube/base64.h"

#define SECRET_NAME	"skep-operator-tls"
#define CONFIG_MAP_NAME "skep-operator-ca"
#define RETRY_MS	2000
#define MARGIN_SECONDS	(30 * 24 * 3600) /* of validity that must be left at a start */
#define NAME_SIZE	128

struct certificates {
	struct kube_client *client;
	char *namespace;
	certificates_handler ready;
	void *context;
	uv_timer_t retry;
	struct pki_bundle bundle;
	bool found; /* in the Secret, and good */
};

static void read_secret(struct certificates *certificates);

static void on_retry(uv_timer_t *timer)
{
	read_secret(timer->data);
}

/* Logs what failed and starts again from the Secret a little later. */
static void try_again(struct certificates *certificates, const char *what, const char *why)
{
	log_warn("%s in namespace %s: %s; trying again in %d s", what, certificates->namespace, why,
		 RETRY_MS / 1000);
	uv_timer_start(&certificates->retry, on_retry, RETRY_MS, 0);
}

static void on_published(void *context, const struct kube_response *response)
{
	struct certificates *certificates = context;

	if (response->reason) {
		try_again(certificates, "cannot publish ConfigMap " CONFIG_MAP_NAME,
			  response->reason);
		return;
	}
	certificates->ready(certificates->context, &certificates->bundle);
}

static void apply(struct certificates *certificates, const char *resource, const char *name,
		  const cJSON *object, kube_response_handler handler)
{
	struct error error;
	char path[512];

	snprintf(path, sizeof(path),
		 "/api/v1/namespaces/%s/%s/%s?fieldManager=skep-operator&force=true",
		 certificates->namespace, resource, name);
	if (kube_request(certificates->client, "PATCH", path, KUBE_APPLY, object, handler,
			 certificates, &error) < 0)
		try_again(certificates, "cannot ask for an apply", error.message);
}

/* {apiVersion: v1, kind, metadata: {name, labels}} */
static cJSON *object_start(const char *kind, const char *name)
{
	cJSON *object = cJSON_CreateObject();
	cJSON *metadata;

	cJSON_AddStringToObject(object, "apiVersion", "v1");
	cJSON_AddStringToObject(object, "kind", kind);
	metadata = cJSON_AddObjectToObject(object, "metadata");
	cJSON_AddStringToObject(metadata, "name", name);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(metadata, "labels"),
				"app.kubernetes.io/name", "skep");
	return object;
}

static void publish(struct certificates *certificates)
{
	cleanup_json cJSON *map = object_start("ConfigMap", CONFIG_MAP_NAME);
	cJSON *data = cJSON_AddObjectToObject(map, "data");

	if (!cJSON_AddStringToObject(data, "ca.crt", certificates->bundle.ca_certificate))
		try_again(certificates, "cannot publish the CA", "out of memory");
	else
		apply(certificates, "configmaps", CONFIG_MAP_NAME, map, on_published);
}

static void on_kept(void *context, const struct kube_response *response)
{
	struct certificates *certificates = context;

	if (response->reason)
		try_again(certificates, "cannot keep Secret " SECRET_NAME, response->reason);
	else
		publish(certificates);
}

static void keep(struct certificates *certificates)
{
	const struct pki_bundle *bundle = &certificates->bundle;
	cleanup_json cJSON *secret = object_start("Secret", SECRET_NAME);
	cJSON *data = cJSON_AddObjectToObject(secret, "stringData");

	if (!cJSON_AddStringToObject(secret, "type", "kubernetes.io/tls") ||
	    !cJSON_AddStringToObject(data, "ca.crt", bundle->ca_certificate) ||
	    !cJSON_AddStringToObject(data, "ca.key", bundle->ca_key) ||
	    !cJSON_AddStringToObject(data, "tls.crt", bundle->certificate) ||
	    !cJSON_AddStringToObject(data, "tls.key", bundle->key))
		try_again(certificates, "cannot keep the certificates", "out of memory");
	else
		apply(certificates, "secrets", SECRET_NAME, secret, on_kept);
}

static int make_bundle(struct certificates *certificates, struct error *error)
{
	static const char *const forms[] = {"skep-operator.%s.svc", "skep-operator.%s",
					    "skep-operator.%s.svc.cluster.local"};
	char names[3][NAME_SIZE];
	const char *pointers[3];

	for (int i = 0; i < 3; i++) {
		snprintf(names[i], NAME_SIZE, forms[i], certificates->namespace);
		pointers[i] = names[i];
	}
	pki_bundle_free(&certificates->bundle);
	return pki_bundle_make(pointers, 3, time(NULL), &certificates->bundle, error);
}

static char *secret_text(const cJSON *secret, const char *name)
{
	char *text = NULL;

	/* What is no text is as good as missing: the bundle is then found to be no good. */
	(void)base64_decode_text(json_text(secret, "data", name), &text);
	return text;
}

static void decode_secret(struct certificates *certificates, const cJSON *secret)
{
	char name[NAME_SIZE];

	pki_bundle_free(&certificates->bundle);
	certificates->bundle = (struct pki_bundle){
		.ca_certificate = secret_text(secret, "ca.crt"),
		.ca_key = secret_text(secret, "ca.key"),
		.certificate = secret_text(secret, "tls.crt"),
		.key = secret_text(secret, "tls.key"),
	};
	snprintf(name, sizeof(name), "skep-operator.%s.svc", certificates->namespace);
	certificates->found =
		pki_bundle_is_good(&certificates->bundle, name, time(NULL), MARGIN_SECONDS);
}

static void on_secret(void *context, const struct kube_response *response)
{
	struct certificates *certificates = context;
	struct error error;

	if (response->reason && response->status != 404) {
		try_again(certificates, "cannot read Secret " SECRET_NAME, response->reason);
		return;
	}
	if (response->status != 404)
		decode_secret(certificates, response->body);
	if (certificates->found) {
		publish(certificates);
		return;
	}
	log_info("making a CA and a certificate, kept in Secret %s/%s", certificates->namespace,
		 SECRET_NAME);
	if (make_bundle(certificates, &error) < 0)
		try_again(certificates, "cannot make certificates", error.message);
	else
		keep(certificates);
}

static void read_secret(struct certificates *certificates)
{
	struct error error;
	char path[512];

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/secrets/%s", certificates->namespace,
		 SECRET_NAME);
	if (kube_request(certificates->client, "GET", path, NULL, NULL, on_secret, certificates,
			 &error) < 0)
		try_again(certificates, "cannot ask for Secret " SECRET_NAME, error.message);
}

int certificates_new(struct kube_client *client, uv_loop_t *loop, const char *namespace,
		     certificates_handler ready, void *context,
		     struct certificates **ret_certificates, struct error *error)
{
	struct certificates *certificates = calloc(1, sizeof(*certificates));

	if (certificates)
		certificates->namespace = strdup(namespace);
	if (!certificates || !certificates->namespace) {
		free(certificates);
		return error_set(error, ENOMEM, "out of memory");
	}
	certificates->client = client;
	certificates->ready = ready;
	certificates->context = context;
	uv_timer_init(loop, &certificates->retry);
	certificates->retry.data = certificates;
	read_secret(certificates);
	*ret_certificates = certificates;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct certificates *certificates = handle->data;

	pki_bundle_free(&certificates->bundle);
	free(certificates->namespace);
	free(certificates);
}

struct certificates *certificates_free(struct certificates *certificates)
{
	if (certificates)
		uv_close((uv_handle_t *)&certificates->retry, on_closed);
	return NULL;
}
