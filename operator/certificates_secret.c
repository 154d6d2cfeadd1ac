// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/certificates_secret.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/base64.h"

/*
 * "" is as good as missing: a merge patch that empties a member is simpler than one that drops it.
 * Returns 0 also for what is no text.
 */
static int read_text(const cJSON *secret, const char *name, char **ret_text)
{
	const char *encoded = json_text(secret, "data", name);

	*ret_text = NULL;
	return *encoded && base64_decode_text(encoded, ret_text) == -ENOMEM ? -ENOMEM : 0;
}

static int read_time(const cJSON *secret, const char *name, time_t *ret_time)
{
	cleanup_free char *text = NULL;
	int result = read_text(secret, name, &text);

	*ret_time = text ? (time_t)strtoll(text, NULL, 10) : 0;
	return result;
}

int certificates_secret_decode(const cJSON *secret, struct pki_bundle *ret_bundle)
{
	struct pki_bundle bundle;
	int result = 0;

	result |= read_text(secret, "ca.crt", &bundle.ca_certificate);
	result |= read_text(secret, "ca.key", &bundle.ca_key);
	result |= read_text(secret, "tls.crt", &bundle.certificate);
	result |= read_text(secret, "tls.key", &bundle.key);
	result |= read_text(secret, "next-ca.crt", &bundle.next_ca_certificate);
	result |= read_text(secret, "next-ca.key", &bundle.next_ca_key);
	result |= read_text(secret, "old-ca.crt", &bundle.old_ca_certificate);
	result |= read_time(secret, "next-ca.published", &bundle.next_published);
	if (result < 0)
		pki_bundle_free(&bundle);
	else
		*ret_bundle = bundle;
	return result;
}

static bool add_text(cJSON *data, const char *name, const char *text)
{
	return cJSON_AddStringToObject(data, name, text ? text : "");
}

static bool add_texts(cJSON *data, const struct pki_bundle *bundle)
{
	char published[32] = "";

	if (bundle->next_published)
		snprintf(published, sizeof(published), "%" PRId64, (int64_t)bundle->next_published);
	return add_text(data, "ca.crt", bundle->ca_certificate) &&
	       add_text(data, "ca.key", bundle->ca_key) &&
	       add_text(data, "tls.crt", bundle->certificate) &&
	       add_text(data, "tls.key", bundle->key) &&
	       add_text(data, "next-ca.crt", bundle->next_ca_certificate) &&
	       add_text(data, "next-ca.key", bundle->next_ca_key) &&
	       add_text(data, "next-ca.published", published) &&
	       add_text(data, "old-ca.crt", bundle->old_ca_certificate);
}

cJSON *certificates_secret_encode(const struct pki_bundle *bundle, const char *version)
{
	cleanup_json cJSON *secret = cJSON_CreateObject();
	cJSON *metadata = cJSON_AddObjectToObject(secret, "metadata");
	cJSON *labels = cJSON_AddObjectToObject(metadata, "labels");

	if (!cJSON_AddStringToObject(secret, "apiVersion", "v1") ||
	    !cJSON_AddStringToObject(secret, "kind", "Secret") ||
	    !cJSON_AddStringToObject(metadata, "name", CERTIFICATES_SECRET_NAME) ||
	    !cJSON_AddStringToObject(labels, "app.kubernetes.io/name", "skep") ||
	    (*version && !cJSON_AddStringToObject(metadata, "resourceVersion", version)) ||
	    (!*version && !cJSON_AddStringToObject(secret, "type", "kubernetes.io/tls")) ||
	    !add_texts(cJSON_AddObjectToObject(secret, "stringData"), bundle))
		return NULL;
	return take_pointer(secret);
}
