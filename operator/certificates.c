// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

/*
 * Round after round: read the Secret, do what is due, keep it, publish the CAs, and only then serve
 * with it.
 */
#include "operator/certificates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/base/log.h"
#include "operator/ca_config_map.h"
#include "operator/certificates_secret.h"

#define RETRY_MS     2000
#define NAME_SIZE    128
#define VERSION_SIZE 64
#define NOT_FOUND    404
#define CONFLICT     409

struct certificates {
	struct kube_client *client;
	char *namespace;
	struct pki_lives lives;
	certificates_handler ready;
	void *context;
	uv_timer_t timer;
	struct pki_bundle bundle;   /* that is served */
	struct pki_bundle found;    /* of this round */
	char version[VERSION_SIZE]; /* of the Secret that it is of, "" where there is none */
};

static void read_secret(struct certificates *certificates);

static void on_timer(uv_timer_t *timer)
{
	read_secret(timer->data);
}

/* Logs what failed and starts a new round a little later. */
static void try_again(struct certificates *certificates, const char *what, const char *why)
{
	log_warn("%s in namespace %s: %s; trying again in %d s", what, certificates->namespace, why,
		 RETRY_MS / 1000);
	uv_timer_start(&certificates->timer, on_timer, RETRY_MS, 0);
}

/*
 * A hundred rounds in the life of a certificate, and one when that which is served is to be
 * renewed, which may have been made for a shorter life; a second apart at least.
 */
static uint64_t look_again_ms(const struct certificates *certificates)
{
	int64_t ms = (int64_t)certificates->lives.certificate * 1000 / 100;
	int64_t left_ms = (int64_t)(pki_bundle_worn_at(&certificates->bundle) - time(NULL)) * 1000;

	if (ms > CERTIFICATES_LOOK_MS)
		ms = CERTIFICATES_LOOK_MS;
	if (ms > left_ms)
		ms = left_ms;
	return ms < 1000 ? 1000 : (uint64_t)ms;
}

static bool is_another(const struct pki_bundle *one, const struct pki_bundle *other)
{
	return !one->certificate || strcmp(one->certificate, other->certificate) != 0 ||
	       strcmp(one->key, other->key) != 0;
}

static void end_round(struct certificates *certificates)
{
	bool changed = is_another(&certificates->bundle, &certificates->found);

	pki_bundle_free(&certificates->bundle);
	certificates->bundle = certificates->found;
	certificates->found = (struct pki_bundle){0};
	uv_timer_start(&certificates->timer, on_timer, look_again_ms(certificates), 0);
	if (changed)
		certificates->ready(certificates->context, &certificates->bundle);
}

static void keep(struct certificates *certificates);

/* From now on, time is counted until the next CA may sign. */
static void on_published(void *context, const struct kube_response *response)
{
	struct certificates *certificates = context;
	struct pki_bundle *found = &certificates->found;

	if (response->reason) {
		try_again(certificates, "cannot publish ConfigMap " CA_CONFIG_MAP_NAME,
			  response->reason);
	} else if (found->next_ca_certificate && !found->next_published) {
		found->next_published = time(NULL);
		keep(certificates);
	} else {
		end_round(certificates);
	}
}

static void publish(struct certificates *certificates)
{
	cleanup_free char *trusted = pki_bundle_trusted(&certificates->found, time(NULL));
	struct error error = {"out of memory"};

	if (!trusted || ca_config_map_publish(certificates->client, certificates->namespace,
					      trusted, on_published, certificates, &error) < 0)
		try_again(certificates, "cannot publish the CA", error.message);
}

static void learn_version(struct certificates *certificates, const cJSON *secret)
{
	snprintf(certificates->version, sizeof(certificates->version), "%s",
		 json_text(secret, "metadata", "resourceVersion"));
}

static void on_kept(void *context, const struct kube_response *response)
{
	struct certificates *certificates = context;

	if (response->status == CONFLICT) {
		log_info("another operator was faster with Secret %s/" CERTIFICATES_SECRET_NAME,
			 certificates->namespace);
		read_secret(certificates);
	} else if (response->reason) {
		try_again(certificates, "cannot keep Secret " CERTIFICATES_SECRET_NAME,
			  response->reason);
	} else {
		learn_version(certificates, response->body);
		publish(certificates);
	}
}

static void keep(struct certificates *certificates)
{
	bool is_new = !*certificates->version;
	cleanup_json cJSON *secret =
		certificates_secret_encode(&certificates->found, certificates->version);
	struct error error = {"out of memory"};
	char path[512];

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/secrets%s?fieldManager=skep-operator",
		 certificates->namespace, is_new ? "" : "/" CERTIFICATES_SECRET_NAME);
	if (!secret || kube_request(certificates->client, is_new ? "POST" : "PATCH", path,
				    is_new ? KUBE_JSON : KUBE_MERGE_PATCH, secret, on_kept,
				    certificates, &error) < 0)
		try_again(certificates, "cannot keep the certificates", error.message);
}

static int take_step(struct certificates *certificates, enum pki_step step, struct error *error)
{
	static const char *const forms[] = {"skep-operator.%s.svc", "skep-operator.%s",
					    "skep-operator.%s.svc.cluster.local",
					    "skep-operator-leader.%s.svc"};
	char names[4][NAME_SIZE];
	const char *pointers[4];
	const struct pki_names all = {pointers, 4};

	for (int i = 0; i < 4; i++) {
		snprintf(names[i], NAME_SIZE, forms[i], certificates->namespace);
		pointers[i] = names[i];
	}
	return pki_bundle_step(&certificates->found, step, &all, &certificates->lives, time(NULL),
			       error);
}

static enum pki_step next_step(const struct certificates *certificates)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "skep-operator.%s.svc", certificates->namespace);
	return pki_next_step(&certificates->found, name, &certificates->lives, time(NULL));
}

static void go_on(struct certificates *certificates)
{
	static const char *const words[] = {
		[PKI_MAKE] = "making a CA and a certificate",
		[PKI_RENEW] = "renewing the certificate",
		[PKI_PREPARE_CA] = "making the CA that is to follow",
		[PKI_PROMOTE_CA] = "changing to the CA that follows",
	};
	enum pki_step step = next_step(certificates);
	struct error error;

	if (step == PKI_KEEP) {
		publish(certificates);
		return;
	}
	log_info("%s, kept in Secret %s/" CERTIFICATES_SECRET_NAME, words[step],
		 certificates->namespace);
	if (take_step(certificates, step, &error) < 0)
		try_again(certificates, "cannot make certificates", error.message);
	else
		keep(certificates);
}

static void on_secret(void *context, const struct kube_response *response)
{
	struct certificates *certificates = context;
	bool is_there = response->status != NOT_FOUND;

	if (response->reason && is_there) {
		try_again(certificates, "cannot read Secret " CERTIFICATES_SECRET_NAME,
			  response->reason);
		return;
	}
	pki_bundle_free(&certificates->found);
	learn_version(certificates, is_there ? response->body : NULL);
	if (is_there && certificates_secret_decode(response->body, &certificates->found) < 0)
		try_again(certificates, "cannot read Secret " CERTIFICATES_SECRET_NAME,
			  "out of memory");
	else
		go_on(certificates);
}

static void read_secret(struct certificates *certificates)
{
	struct error error;
	char path[512];

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/secrets/%s", certificates->namespace,
		 CERTIFICATES_SECRET_NAME);
	if (kube_request(certificates->client, "GET", path, NULL, NULL, on_secret, certificates,
			 &error) < 0)
		try_again(certificates, "cannot ask for Secret " CERTIFICATES_SECRET_NAME,
			  error.message);
}

int certificates_new(struct kube_client *client, uv_loop_t *loop, const char *namespace,
		     const struct pki_lives *lives, certificates_handler ready, void *context,
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
	certificates->lives = *lives;
	certificates->ready = ready;
	certificates->context = context;
	uv_timer_init(loop, &certificates->timer);
	certificates->timer.data = certificates;
	read_secret(certificates);
	*ret_certificates = certificates;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct certificates *certificates = handle->data;

	pki_bundle_free(&certificates->bundle);
	pki_bundle_free(&certificates->found);
	free(certificates->namespace);
	free(certificates);
}

struct certificates *certificates_free(struct certificates *certificates)
{
	if (certificates)
		uv_close((uv_handle_t *)&certificates->timer, on_closed);
	return NULL;
}
