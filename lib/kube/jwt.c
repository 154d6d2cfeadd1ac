// SPDX-License-Identifier: Apache-2.0
// Copyright The Skep Authors

#include "lib/kube/jwt.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lib/base/cleanup.h"
#include "lib/base/json.h"
#include "lib/kube/base64.h"

/* The alphabet of URLs (RFC 4648, 5) to the usual one, with the padding that a JWT leaves out. */
static char *usual_base64(const char *text, size_t length)
{
	char *usual = NULL;

	if (asprintf(&usual, "%.*s%.*s", (int)length, text, (int)(-length % 4), "===") < 0)
		return NULL;
	for (char *at = usual; *at; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	return usual;
}

int64_t jwt_expiry(const char *token)
{
	const char *payload = strchr(token, '.');
	cleanup_free char *encoded = NULL, *decoded = NULL;
	cleanup_json cJSON *claims = NULL;
	int64_t expiry;

	if (!payload)
		return 0;
	payload++;
	encoded = usual_base64(payload, strcspn(payload, "."));
	if (!encoded || base64_decode_text(encoded, &decoded) < 0)
		return 0;
	claims = cJSON_Parse(decoded);
	expiry = json_integer(claims, 0, "exp");
	return expiry > 0 ? expiry : 0;
}
