// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "operator/certificates_secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/base64.h"

/* "" is as good as missing: a merge patch that empties a member is simpler than one that drops it.
 */
static char *secret_text(const cJSON *secret, const char *name)
{
	char *text = NULL;

	(void)base64_decode_text(json_text(secret, "data", name), &text);
	return text;
}

static time_t secret_time(const cJSON *secret, const char *name)
{
	cleanup_free char *text = secret_text(secret, name);

	return text ? (time_t)strtoll(text, NULL, 10) : 0;
}

void certificates_secret_decode(const cJSON *secret, struct pki_bundle *ret_bundle)
{
	*ret_bundle = (struct pki_bundle){
		.ca_certificate = secret_text(secret, "ca.crt"),
		.ca_key = secret_text(secret, "ca.key"),
		.certificate = secret_text(secret, "tls.crt"),
		.key = secret_text(secret, "tls.key"),
		.next_ca_certificate = secret_text(secret, "next-ca.crt"),
		.next_ca_key = secret_text(secret, "next-ca.key"),
		.next_published = secret_time(secret, "next-ca.published"),
		.old_ca_certificate = secret_text(secret, "old-ca.crt"),
	};
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
